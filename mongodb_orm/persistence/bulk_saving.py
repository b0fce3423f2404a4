"""Many objects saved or deleted at once, each with its own update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from ..codec import decode, decode_all
from ..commands import BulkWrite, DeleteOne, Find, UpdateOne
from ..compiler.casting import Place, cast
from ..compiler.changes import compile_update, stamped
from ..compiler.scopes import hidden_filter
from ..exceptions import (
    BulkError,
    BulkFailure,
    InvalidValueError,
    MongoDBORMError,
    StaleDocumentError,
    ValidationError,
    relocated,
)
from ..executor import run, stream
from ..hooks import Create, Delete, Update
from ..schema import MappedModel, database_of, is_new, mark_deleted, set_snapshot, snapshot_of, spec_of
from ..schema.mementos import touch
from ..timestamps import current_datetime
from ..tracking import same
from .attending import attend, run_by_query
from .bulk import CHUNK, bulk_error, create_all
from .changing import loaded_snapshot
from .deleting import delete_matching, mark_of
from .locking import reason_of_miss, version_filter
from .saving import Pending, accept, prepare, revalidate, take_back

D = TypeVar("D", bound=MappedModel)


class BulkSaved(NamedTuple):
    """What `bulk_save` did.

    Attributes:
        created: How many new objects were inserted.
        updated: How many stored objects had changes, which were sent.
        unchanged: How many had none.
    """

    created: int
    updated: int
    unchanged: int


async def bulk_save(model: type[D], documents: Iterable[D], *, ordered: bool = False) -> BulkSaved:
    """Insert the new objects among `documents`, and send what changed in the others.

    All are validated before anything is sent.

    Raises:
        ValidationError: When a value does not fit; locations begin with the position, and nothing is stored.
        BulkError: When some could not be written; it says which.
    """
    chosen = _objects(model, documents)
    new = [(index, document) for index, document in enumerate(chosen) if is_new(document)]
    stored = [(index, document) for index, document in enumerate(chosen) if not is_new(document)]
    errors: list[tuple[tuple[int | str, ...], ValidationError]] = []
    for index, document in new:
        try:
            revalidate(document)
        except ValidationError as error:
            errors.append(((index,), error))
    if errors:
        raise relocated(model.__name__, errors)
    failures: list[BulkFailure] = []
    updated: list[int] = []

    async def update() -> None:
        pending = await _prepared(model, stored)
        failed, done = await _send(model, pending, ordered)
        failures.extend(failed)
        updated.extend(done)
        if failed and ordered:
            raise bulk_error(model, failures, updated)

    if stored:
        await attend(Update, [document for _, document in stored], update)
    if new:
        own = [document for _, document in new]
        try:
            await attend(Create, own, lambda: create_all(model, own, ordered))
        except BulkError as error:
            failures += [BulkFailure(new[failure.index][0], failure.error) for failure in error.failures]
    if failures:
        written = [*updated, *(index for index, document in new if snapshot_of(document) is not None)]
        raise bulk_error(model, sorted(failures, key=lambda failure: failure.index), sorted(written))
    return BulkSaved(len(new), len(updated), len(stored) - len(updated))


async def bulk_update(
    model: type[MappedModel], changes: Mapping[Any, Mapping[str, Any]], *, ordered: bool = False
) -> int:
    """Update documents by id, each with its own values; `updated_at` moves with them.

    Raises:
        InvalidValueError: When an id does not fit; nothing is sent.
        ValidationError: When a value does not fit; nothing is sent.
        BulkError: When the server refuses some.
    """
    spec = spec_of(model)
    if not isinstance(changes, Mapping) or not all(isinstance(values, Mapping) for values in changes.values()):
        raise InvalidValueError(
            "bulk_update takes a mapping of ids to mappings of values.", model=spec.name, value=changes
        )
    now, place = current_datetime(), Place(spec.name, spec.id_field)
    hidden = hidden_filter(spec, "active") or {}
    operations: list[UpdateOne] = []
    for id_, values in changes.items():
        compiled = compile_update(spec, (), values)
        if compiled:
            compiled = stamped(spec, compiled, now)
            filter_ = {"_id": cast(spec.id_shape, id_, place), **hidden}
            operations.append(UpdateOne(filter_, compiled.update, compiled.array_filters))
    matched = 0
    for start in range(0, len(operations), CHUNK):
        command = BulkWrite(operations=operations[start : start + CHUNK], ordered=ordered)
        matched += (await run_by_query(model, command, kind="update")).matched
    return matched


async def bulk_delete(model: type[D], items: Iterable[Any]) -> int:
    """Delete objects, or documents by id, by the model's policy.

    Raises:
        InvalidValueError: When an item is neither an object of the model nor an id.
        BulkError: When versions say that somebody saved some meanwhile.
    """
    spec, place = spec_of(model), Place(model.__name__, spec_of(model).id_field)
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise InvalidValueError("bulk_delete takes a list of objects or ids.", model=spec.name, value=items)
    chosen = list(items)
    objects = [item for item in chosen if isinstance(item, MappedModel)]
    ids = [cast(spec.id_shape, item, place) for item in chosen if not isinstance(item, MappedModel)]
    for document in _objects(model, objects):
        loaded_snapshot(document)  # an object that is not stored is an error before anything is sent
    deleted = 0
    for start in range(0, len(ids), CHUNK):
        filter_ = {"_id": {"$in": ids[start : start + CHUNK]}, **(hidden_filter(spec, "active") or {})}
        deleted += await delete_matching(model, filter_)
    if objects:
        counts: list[int] = []

        async def delete() -> None:
            counts.append(await _delete_objects(model, objects))

        await attend(Delete, objects, delete)
        deleted += counts[0]
    return deleted


async def _prepared(model: type[D], stored: Sequence[tuple[int, D]]) -> list[tuple[int, D, Pending]]:
    prepared: list[tuple[int, D, Pending]] = []
    errors: list[tuple[tuple[int | str, ...], ValidationError]] = []
    try:
        for index, document in stored:
            touch(document)
            try:
                pending = await prepare(document)
            except ValidationError as error:
                errors.append(((index,), error))
            else:
                if pending is not None:
                    prepared.append((index, document, pending))
        if errors:
            raise relocated(model.__name__, errors)
    except BaseException:
        for _, document, pending in prepared:
            take_back(document, pending)
        raise
    return prepared


async def _send(
    model: type[D], prepared: list[tuple[int, D, Pending]], ordered: bool
) -> tuple[list[BulkFailure], list[int]]:
    failures: list[BulkFailure] = []
    written: list[int] = []
    waiting = list(prepared)
    try:
        while waiting and not (failures and ordered):
            chunk, waiting = waiting[:CHUNK], waiting[CHUNK:]
            refused: dict[int, Exception] = {}
            operations = [UpdateOne(pending.filter, pending.update) for _, _, pending in chunk]
            tried = range(len(chunk))
            matched = None
            try:
                command = BulkWrite(operations=operations, ordered=ordered)
                matched = (await run(model, command, database=database_of(chunk[0][1]))).matched
            except BulkError as error:
                refused = {failure.index: failure.error for failure in error.failures}
                tried = range(min(refused) + 1) if ordered else tried
            except BaseException:
                waiting = [*chunk, *waiting]
                raise
            if matched != len(chunk):
                refused |= await _missed(
                    model, [chunk[position] for position in tried if position not in refused], chunk
                )
            for position, (index, document, pending) in enumerate(chunk):
                if position in refused:
                    failures.append(BulkFailure(index, refused[position]))
                    take_back(document, pending)
                elif position in tried:
                    written.append(index)
                    accept(document, pending)
                else:
                    take_back(document, pending)
    finally:
        for _, document, pending in waiting:
            take_back(document, pending)
    return failures, written


async def _missed(
    model: type[D], tried: list[tuple[int, D, Pending]], chunk: list[tuple[int, D, Pending]]
) -> dict[int, Exception]:
    """Return the positions in a chunk whose documents the server did not find as they were, with the reasons.

    A bulk write answers only how many it found. A document that is gone was not; with versions, neither was one that
    is not what was sent.
    """
    wanted = {_key(raw["_id"]): raw for raw in (decode(pending.raw) for _, _, pending in tried)}
    found: dict[Any, dict[str, Any]] = {}
    ids = [raw["_id"] for raw in wanted.values()]
    async for batch in stream(model, Find(filter={"_id": {"$in": ids}}), database=database_of(chunk[0][1])):
        found |= {_key(document["_id"]): document for document in decode_all(batch)}
    positions = {id(document): position for position, (_, document, _) in enumerate(chunk)}
    is_versioned = spec_of(model).versioning is not None
    missed: dict[int, Exception] = {}
    for _, document, pending in tried:
        sent = decode(pending.raw)
        there = found.get(_key(sent["_id"]))
        if there is None or (is_versioned and not _holds(there, sent)):
            missed[positions[id(document)]] = await reason_of_miss(document)
    return missed


def _holds(stored: Any, sent: Any) -> bool:
    """Return whether a stored value is what was sent, apart from members that the model does not know."""
    if isinstance(stored, dict) and isinstance(sent, dict):
        return all(name in stored and _holds(stored[name], value) for name, value in sent.items())
    return same(stored, sent)


def _key(id_: Any) -> Any:
    return repr(id_) if isinstance(id_, dict | list) else id_


async def _delete_objects(model: type[MappedModel], documents: Sequence[MappedModel]) -> int:
    spec, deleted = spec_of(model), 0
    failures: list[BulkFailure] = []
    for start in range(0, len(documents), CHUNK):
        chunk = documents[start : start + CHUNK]
        operations: list[UpdateOne | DeleteOne] = []
        marks = []
        for document in chunk:
            touch(document)
            stored = decode(loaded_snapshot(document))
            if spec.deletion is None:
                operations.append(DeleteOne({"_id": stored["_id"], **version_filter(spec, stored)}))
            else:
                mark = mark_of(document, current_datetime())
                marks.append(mark)
                operations.append(UpdateOne(mark.filter, mark.update))
        answer = await run(model, BulkWrite(operations=operations, ordered=False), database=database_of(chunk[0]))
        done = answer.matched if spec.deletion else answer.deleted
        deleted += done
        stale: dict[int, MongoDBORMError] = {}
        if done != len(chunk) and spec.versioning is not None:
            stale = await _stale(chunk)
        for position, document in enumerate(chunk):
            if position in stale:
                failures.append(BulkFailure(start + position, stale[position]))
            elif spec.deletion is None:
                mark_deleted(document)
            else:
                vars(document).update(marks[position].values)
                set_snapshot(document, marks[position].raw)
    if failures:
        failed = {failure.index for failure in failures}
        raise bulk_error(model, failures, [index for index in range(len(documents)) if index not in failed])
    return deleted


async def _stale(documents: Sequence[MappedModel]) -> dict[int, MongoDBORMError]:
    reasons = {position: await reason_of_miss(document) for position, document in enumerate(documents)}
    return {position: reason for position, reason in reasons.items() if isinstance(reason, StaleDocumentError)}


def _objects(model: type[D], documents: Iterable[Any]) -> list[D]:
    if isinstance(documents, str | bytes | Mapping) or not isinstance(documents, Iterable):
        raise InvalidValueError("A list of objects is needed.", model=model.__name__, value=documents)
    chosen = list(documents)
    for item in chosen:
        if not isinstance(item, model):
            raise InvalidValueError(
                f"An object of {model.__name__} is needed, not of {type(item).__name__}.",
                model=model.__name__,
                value=item,
            )
    unique = {id(item): item for item in chosen}
    return list(unique.values())
