"""Many objects deleted at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ..codec import decode, decode_all
from ..commands import BulkWrite, DeleteOne, Find, UpdateOne
from ..compiler.casting import Place, cast
from ..compiler.scopes import hidden_filter
from ..exceptions import BulkFailure, StaleDocumentError
from ..executor import stream
from ..hooks import Delete, hooks_of
from ..schema import MappedModel, database_of, mark_deleted, spec_of
from ..schema.mementos import touch
from ..timestamps import current_datetime
from ..types import Document
from .attending import attend
from .bulk import CHUNK, Items, bulk_error, chosen_objects, chunks_of, listed
from .changing import loaded_snapshot
from .deleting import Mark, accept_mark, delete_matching, mark_of
from .doubting import write_all
from .locking import reason_of_bulk_miss, version_filter
from .notices import observers
from .progressing import Progress, Steps

D = TypeVar("D", bound=MappedModel)


async def bulk_delete(model: type[D], items: Items, *, progress: Progress | None = None) -> int:
    """Delete objects, or documents by id, by the model's policy.

    Raises:
        InvalidValueError: When an item is neither an object of the model nor an id.
        BulkError: When versions say that somebody saved some meanwhile.
    """
    spec, place = spec_of(model), Place(model.__name__, spec_of(model).id_field)
    chosen = await listed(model, items)
    ids = [cast(spec.id_shape, item, place) for item in chosen if not isinstance(item, MappedModel)]
    positions = {id(item): index for index, item in reversed(list(enumerate(chosen)))}
    given = chosen_objects(model, [item for item in chosen if isinstance(item, MappedModel)])
    objects = [(positions[id(document)], document) for _, document in given]
    for _, document in objects:
        loaded_snapshot(document)  # an object that is not stored is an error before anything is sent
    steps = Steps(progress, len(ids) + len(objects))
    deleted = 0
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        deleted += await delete_matching(model, {"_id": {"$in": some}, **(hidden_filter(spec, "active") or {})})
        await steps.add(len(some))
    return deleted + await delete_chosen(model, objects, steps)


async def delete_chosen(model: type[D], chosen: Sequence[tuple[int, D]], steps: Steps) -> int:
    """Delete stored objects that come with the positions by which errors name them; see `bulk_delete`."""
    done = _Done()
    positions = {id(document): index for index, document in chosen}
    objects = [document for _, document in chosen]

    async def delete() -> None:
        for chunk in chunks_of(objects, database_of):
            for document in chunk:
                touch(document)
            await (_remove_some if spec_of(model).deletion is None else _mark_some)(model, chunk, done)
            await steps.add(len(chunk))
        if done.stale:
            failures = [BulkFailure(positions[id(document)], error) for document, error in done.stale]
            written = sorted(positions[id(document)] for document in done.written)
            raise bulk_error(model, sorted(failures, key=lambda failure: failure.index), written)

    try:
        if objects:
            await attend(Delete, objects, delete)
    finally:  # no hook and no observer hears of what was gone before, as of a single object that was
        for document in done.gone:
            mark_deleted(document)
    return done.count


@dataclass(slots=True)
class _Done:
    """What became of objects that were to be deleted.

    Attributes:
        count: How many the server found.
        written: Those that were deleted.
        gone: Those that somebody else had removed before.
        stale: Those that somebody else saved meanwhile, and why they are stale.
    """

    count: int = 0
    written: list[MappedModel] = field(default_factory=list)
    gone: list[MappedModel] = field(default_factory=list)
    stale: list[tuple[MappedModel, Exception]] = field(default_factory=list)


async def _remove_some(model: type[D], chunk: Sequence[D], done: _Done) -> None:
    """Remove documents by one command.

    The server tells only how many it found. Which these were is read before, where it matters to somebody; one that
    vanishes between the two counts as found.
    """
    spec, there = spec_of(model), set(range(len(chunk)))
    snapshots = [decode(loaded_snapshot(document)) for document in chunk]
    if observers or spec.versioning is not None or any(hooks_of(kind) for kind in set(map(type, chunk))):
        there = await _there(model, chunk, snapshots)
    operations = [DeleteOne({"_id": stored["_id"], **version_filter(spec, stored)}) for stored in snapshots]
    count = (await write_all(model, chunk, BulkWrite(operations=operations, ordered=False))).deleted
    left: set[int] = set()
    if count != len(chunk) and spec.versioning is not None:
        left = await _there(model, chunk, snapshots)
    done.count += count
    for position, document in enumerate(chunk):
        if position in left:
            done.stale.append((document, await reason_of_bulk_miss(document)))
        elif position in there:
            done.written.append(document)
            mark_deleted(document)
        else:
            done.gone.append(document)


async def _mark_some(model: type[D], chunk: Sequence[D], done: _Done) -> None:
    """Mark documents as deleted by one command; which ones shows in their marks."""
    moment = current_datetime()
    marks = [mark_of(document, moment) for document in chunk]
    operations = [UpdateOne(mark.filter, mark.update) for mark in marks]
    count = (await write_all(model, chunk, BulkWrite(operations=operations, ordered=False))).matched
    ours = set(range(len(chunk))) if count == len(chunk) else await _marked(model, chunk, marks)
    done.count += count
    for position, (document, mark) in enumerate(zip(chunk, marks, strict=True)):
        if position in ours:
            done.written.append(document)
            accept_mark(document, mark)
        elif spec_of(model).versioning is not None:
            reason = await reason_of_bulk_miss(document)
            if isinstance(reason, StaleDocumentError):
                done.stale.append((document, reason))


async def _there(model: type[D], chunk: Sequence[D], snapshots: Sequence[Document]) -> set[int]:
    """Return the positions of the objects whose documents are stored, in whatever version."""
    command = Find(filter={"_id": {"$in": [stored["_id"] for stored in snapshots]}}, projection={"_id": 1})
    found: set[str] = set()
    async for batch in stream(model, command, database=database_of(chunk[0])):
        found |= {repr(row["_id"]) for row in decode_all(batch)}
    return {position for position, stored in enumerate(snapshots) if repr(stored["_id"]) in found}


async def _marked(model: type[D], chunk: Sequence[D], marks: Sequence[Mark]) -> set[int]:
    """Return the positions of the objects whose documents have the marks that were just sent."""
    spec, wanted = spec_of(model), [decode(mark.raw) for mark in marks]
    names = [spec.fields[name].stored for name in marks[0].values]
    found: list[Document] = []
    command = Find(filter={"_id": {"$in": [raw["_id"] for raw in wanted]}})
    async for batch in stream(model, command, database=database_of(chunk[0])):
        found += decode_all(batch)
    there = {repr(document["_id"]): [document.get(name) for name in names] for document in found}
    return {
        position for position, raw in enumerate(wanted) if there.get(repr(raw["_id"])) == [raw[name] for name in names]
    }
