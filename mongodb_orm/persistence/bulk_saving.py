"""Many objects saved at once, and many documents updated, each with its own values."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from ..codec import decode, decode_all
from ..commands import BulkWrite, Find, UpdateOne
from ..compiler.casting import Place, cast
from ..compiler.changes import compile_update, stamped
from ..compiler.scopes import hidden_filter
from ..connections.units import has_failed, in_transaction
from ..exceptions import BulkError, BulkFailure, InvalidValueError, MongoDBORMError, ValidationError, relocated
from ..executor import stream
from ..garbage import uncollected
from ..hooks import Create, QueryUpdate, Update, hooks_of
from ..schema import MappedModel, database_of, doubt, is_new, snapshot_of, spec_of
from ..schema.mementos import touch
from ..timestamps import current_datetime
from ..tracking import same
from .attending import attend_all, run_before, run_by_query
from .bulk import Items, bulk_error, chosen_objects, chunks_of, insert_all, listed, ready_new
from .doubting import write_all
from .locking import reason_of_bulk_miss
from .notices import observers
from .preparing import Checked, Pending, accept, check, finish, revalidate_all, take_back, unadopt
from .progressing import Progress, Steps
from .query_writes import QueryWrite, done_but_for, found_among
from .side_by_side import run_jobs
from .validating import validate

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


async def bulk_save(
    model: type[D],
    documents: Items,
    *,
    ordered: bool = False,
    progress: Progress | None = None,
) -> BulkSaved:
    """Insert the new objects among `documents`, and send what changed in the others.

    All are validated before anything is sent.

    Raises:
        ValidationError: When a value does not fit; locations begin with the position, and nothing is stored.
        BulkError: When some could not be written; it says which.
    """
    chosen = chosen_objects(model, await listed(model, documents))
    return await save_chosen(model, chosen, ordered=ordered, steps=Steps(progress, len(chosen)))


async def save_chosen(model: type[D], chosen: Sequence[tuple[int, D]], *, ordered: bool, steps: Steps) -> BulkSaved:
    """Save objects that come with the positions by which errors name them; see `bulk_save`."""
    new = [(index, document) for index, document in chosen if is_new(document)]
    stored = [(index, document) for index, document in chosen if not is_new(document)]
    revalidate_all(new)
    failures: list[BulkFailure] = []
    updated: list[int] = []
    own = [document for _, document in new]

    async def write() -> None:
        pending = await prepared(stored, new)
        failed, done = await _send(model, pending, ordered, steps, unchanged=len(stored) - len(pending))
        failures.extend(failed)
        updated.extend(done)
        if own and not (failed and (ordered or has_failed())):
            try:
                await insert_all(model, own, ordered, steps)
            except BulkError as error:
                failures.extend(BulkFailure(new[failure.index][0], failure.error) for failure in error.failures)
        if failures:
            written = [*updated, *(index for index, document in new if snapshot_of(document) is not None)]
            written = [] if has_failed() else written
            raise bulk_error(model, sorted(failures, key=lambda failure: failure.index), sorted(written))

    if observers or any(hooks_of(kind) for kind in {type(document) for _, document in chosen}):
        await attend_all(((Update, [document for _, document in stored]), (Create, own)), write)
    else:
        await write()
    return BulkSaved(len(new), len(updated), len(stored) - len(updated))


async def bulk_update(
    model: type[MappedModel],
    changes: Mapping[Any, Mapping[str, Any]],
    *,
    ordered: bool = False,
    progress: Progress | None = None,
) -> int:
    """Update documents by id, each with its own values; `updated_at` moves with them.

    Hooks for `QueryUpdate` run for each document, all of those before it before anything is sent.

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
    steps = Steps(progress, len(changes))
    now, place = current_datetime(), Place(spec.name, spec.id_field)
    hidden = hidden_filter(spec, "active") or {}
    operations: list[tuple[int, UpdateOne]] = []
    for index, (id_, values) in enumerate(changes.items()):
        compiled = compile_update(spec, (), values)
        if compiled:
            compiled = stamped(spec, compiled, now)
            filter_ = {"_id": cast(spec.id_shape, id_, place), **hidden}
            operations.append((index, UpdateOne(filter_, compiled.update, compiled.array_filters)))
    await run_before(model, QueryUpdate, [QueryWrite(model, "update", o.filter, o.update) for _, o in operations])
    await steps.add(len(changes) - len(operations))
    matched = 0
    failures: list[BulkFailure] = []
    done: list[tuple[int, UpdateOne]] = []
    for chunk in chunks_of(operations):
        command = BulkWrite(operations=[operation for _, operation in chunk], ordered=ordered)
        try:
            matched += (await run_by_query(model, command, is_begun=True)).matched
            done += chunk
        except BulkError as error:
            refused = {failure.index: failure.error for failure in error.failures}
            failures += [BulkFailure(chunk[position][0], reason) for position, reason in refused.items()]
            done += done_but_for(error, chunk, ordered=ordered)
            if ordered:
                break
        await steps.add(len(chunk))
    if failures:
        written: list[int] = []
        if not in_transaction():  # which is over, so that nothing was written
            there = await found_among(model, [operation.filter for _, operation in done])
            written = [index for (index, _), is_there in zip(done, there, strict=True) if is_there]
        raise bulk_error(model, failures, written)
    return matched


async def prepared(
    stored: Sequence[tuple[int, D]], new: Sequence[tuple[int, MappedModel]] = ()
) -> list[tuple[int, D, Pending]]:
    """Return the updates of those stored objects that changed; follow each by `accept` or `take_back`.

    Validators are asked once, for all of them and for the new ones.

    Raises:
        ValidationError: When a changed value does not fit; locations begin with the position.
    """
    found: list[tuple[int, D, Pending]] = []
    asked: list[tuple[int, D, Checked]] = []
    watched: dict[int, tuple[MappedModel, frozenset[str] | None]] = {}
    errors: list[tuple[tuple[int | str, ...], ValidationError]] = []
    ready_new([document for _, document in new])
    watched |= {index: (document, None) for index, document in new if hooks_of(type(document))}
    try:
        for chunk in chunks_of(stored):
            with uncollected():
                for index, document in chunk:
                    touch(document)
                    try:
                        checked = check(document)
                        if checked is not None and hooks_of(type(document)):
                            asked.append((index, document, checked))
                            watched[index] = (document, frozenset(checked.names))
                        elif checked is not None:
                            found.append((index, document, finish(document, checked)))
                    except ValidationError as error:
                        errors.append(((index,), error))
            await asyncio.sleep(0)  # other tasks may run
        if watched:
            places = sorted(watched)  # of two objects that contradict each other, the later one is at fault
            documents, names = zip(*(watched[place] for place in places), strict=True)
            try:
                await validate(documents, names, places=places)
            except ValidationError as error:
                errors.append(((), error))
        for index, document, checked in asked if not errors else ():
            try:
                found.append((index, document, finish(document, checked, is_outdated=True)))
            except ValidationError as error:
                errors.append(((index,), error))
        if errors:
            raise relocated(errors[0][1].title, errors)
    except BaseException:
        for _, document, pending in found:
            take_back(document, pending)
        for _, document, checked in asked:
            unadopt(document, checked)
        raise
    return sorted(found, key=lambda item: item[0]) if asked else found


async def _send(
    model: type[D], changed: list[tuple[int, D, Pending]], ordered: bool, steps: Steps, *, unchanged: int
) -> tuple[list[BulkFailure], list[int]]:
    failures: list[BulkFailure] = []
    written: list[int] = []
    waiting = {id(document): (document, pending) for _, document, pending in changed}

    async def send(chunk: list[tuple[int, D, Pending]]) -> None:
        if failures and (ordered or has_failed()):
            return
        refused, tried = await _send_some(model, chunk, ordered)
        for position, (index, document, pending) in enumerate(chunk):
            if position in refused:
                failures.append(BulkFailure(index, refused[position]))
            elif position in tried:
                written.append(index)
                accept(document, pending)
                del waiting[id(document)]
        await steps.add(len(chunk))

    try:
        await steps.add(unchanged)
        chunks = chunks_of(changed, lambda item: database_of(item[1]))
        await run_jobs([partial(send, chunk) for chunk in chunks], in_turn=ordered)
    except MongoDBORMError as error:
        error.add_note(f"{len(written)} of {len(changed)} changed objects were saved; `is_changed` tells the others.")
        raise
    finally:
        for document, pending in waiting.values():
            take_back(document, pending)
    return failures, written


async def _send_some(
    model: type[D], chunk: list[tuple[int, D, Pending]], ordered: bool
) -> tuple[dict[int, Exception], range]:
    """Send one command; return which positions were refused and why, and which were tried."""
    refused: dict[int, Exception] = {}
    tried = range(len(chunk))
    operations = [UpdateOne(pending.filter, pending.update) for _, _, pending in chunk]
    try:
        command = BulkWrite(operations=operations, ordered=ordered)
        if (await write_all(model, [document for _, document, _ in chunk], command)).matched == len(chunk):
            return refused, tried
    except BulkError as error:
        refused = {failure.index: failure.error for failure in error.failures}
        tried = range(min(refused) + 1) if ordered else tried
        if in_transaction():  # which is over, so that nothing else was written, and nothing can be read
            return refused, range(0)
    asked = [chunk[position] for position in tried if position not in refused]
    try:
        return refused | await _missed(model, asked, chunk), tried
    except BaseException:
        for _, document, _ in asked:  # some were written
            doubt(document)
        raise


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
            missed[positions[id(document)]] = await reason_of_bulk_miss(document)
    return missed


def _holds(stored: Any, sent: Any) -> bool:
    """Return whether a stored value is what was sent, apart from members that the model does not know."""
    if isinstance(stored, dict) and isinstance(sent, dict):
        return all(name in stored and _holds(stored[name], value) for name, value in sent.items())
    return same(stored, sent)


def _key(id_: Any) -> Any:
    return repr(id_) if isinstance(id_, dict | list) else id_
