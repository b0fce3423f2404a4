"""Many objects deleted at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ..codec import decode, decode_all
from ..commands import BulkWrite, DeleteOne, Find, UpdateOne
from ..compiler.casting import Place, cast
from ..compiler.scopes import hidden_filter
from ..exceptions import BulkFailure, InvalidValueError, StaleDocumentError
from ..executor import run, stream
from ..hooks import Delete
from ..schema import MappedModel, database_of, mark_deleted, set_snapshot, spec_of
from ..schema.mementos import touch
from ..timestamps import current_datetime
from .attending import attend
from .bulk import CHUNK, bulk_error, chosen_objects, chunks_of
from .changing import loaded_snapshot
from .deleting import Mark, delete_matching, mark_of
from .locking import reason_of_bulk_miss, version_filter

D = TypeVar("D", bound=MappedModel)


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
    ids = [cast(spec.id_shape, item, place) for item in chosen if not isinstance(item, MappedModel)]
    positions = {id(item): index for index, item in reversed(list(enumerate(chosen)))}
    given = chosen_objects(model, [item for item in chosen if isinstance(item, MappedModel)])
    objects = [(positions[id(document)], document) for _, document in given]
    for _, document in objects:
        loaded_snapshot(document)  # an object that is not stored is an error before anything is sent
    deleted = 0
    for start in range(0, len(ids), CHUNK):
        filter_ = {"_id": {"$in": ids[start : start + CHUNK]}, **(hidden_filter(spec, "active") or {})}
        deleted += await delete_matching(model, filter_)
    return deleted + await delete_chosen(model, objects)


async def delete_chosen(model: type[D], chosen: Sequence[tuple[int, D]]) -> int:
    """Delete stored objects that come with the positions by which errors name them; see `bulk_delete`."""
    count = 0
    failures: list[BulkFailure] = []
    positions = {id(document): index for index, document in chosen}
    objects = [document for _, document in chosen]

    async def delete() -> bool:
        nonlocal count
        for chunk in chunks_of(objects, database_of):
            done, stale = await _delete_some(model, chunk)
            count += done
            failures.extend(BulkFailure(positions[id(document)], error) for document, error in stale)
        if failures:
            failed = {failure.index for failure in failures}
            written = sorted(set(positions.values()) - failed)
            raise bulk_error(model, sorted(failures, key=lambda failure: failure.index), written)
        return count > 0

    if objects:
        await attend(Delete, objects, delete)
    return count


async def _delete_some(model: type[D], chunk: Sequence[D]) -> tuple[int, list[tuple[D, Exception]]]:
    """Delete objects by one command; return how many were there, and those that somebody else saved meanwhile."""
    spec = spec_of(model)
    for document in chunk:
        touch(document)
    marks: list[Mark] = []
    operations: list[UpdateOne | DeleteOne] = []
    if spec.deletion is None:
        for document in chunk:
            stored = decode(loaded_snapshot(document))
            operations.append(DeleteOne({"_id": stored["_id"], **version_filter(spec, stored)}))
    else:
        moment = current_datetime()
        marks = [mark_of(document, moment) for document in chunk]
        operations += [UpdateOne(mark.filter, mark.update) for mark in marks]
    answer = await run(model, BulkWrite(operations=operations, ordered=False), database=database_of(chunk[0]))
    done = answer.matched if marks else answer.deleted
    stale: dict[int, Exception] = {}
    if done != len(chunk) and spec.versioning is not None:
        reasons = [await reason_of_bulk_miss(document) for document in chunk]
        stale = {position: reason for position, reason in enumerate(reasons) if isinstance(reason, StaleDocumentError)}
    ours = range(len(chunk)) if done == len(chunk) else await _marked(model, chunk, marks)
    for position, document in enumerate(chunk):
        if not marks and position not in stale:
            mark_deleted(document)
        elif marks and position in ours:
            vars(document).update(marks[position].values)
            set_snapshot(document, marks[position].raw)
            stale.pop(position, None)  # what is stored now is what was just written
    return done, [(chunk[position], reason) for position, reason in stale.items()]


async def _marked(model: type[D], chunk: Sequence[D], marks: Sequence[Mark]) -> set[int]:
    """Return the positions of the objects whose documents have the marks that were just sent."""
    if not marks:
        return set()
    spec, wanted = spec_of(model), [decode(mark.raw) for mark in marks]
    names = [spec.fields[name].stored for name in marks[0].values]
    found: list[dict[str, Any]] = []
    command = Find(filter={"_id": {"$in": [raw["_id"] for raw in wanted]}})
    async for batch in stream(model, command, database=database_of(chunk[0])):
        found += decode_all(batch)
    there = {repr(document["_id"]): [document.get(name) for name in names] for document in found}
    return {
        position for position, raw in enumerate(wanted) if there.get(repr(raw["_id"])) == [raw[name] for name in names]
    }
