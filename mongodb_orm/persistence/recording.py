"""Recording versions: each write of a model with a history adds one to `<collection>_history`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from ..actors import current_actor
from ..codec import decode, decode_all, encode, split
from ..commands import Aggregate, Find, InsertMany
from ..exceptions import BulkError, DocumentError, DuplicateDocumentError
from ..executor import run, stream
from ..schema import MappedModel, ModelSpec, spec_of
from ..timestamps import current_datetime
from ..types import Document

VersionKind = Literal["baseline", "create", "update", "delete", "restore"]

_AT_ONCE = 500
_RACES = 100
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.25
LAST = 2**62
"""More than any document has versions."""


def history_of(spec: ModelSpec) -> str:
    """Return the name of the collection with a model's versions."""
    return f"{spec.collection}_history"


class Wrote(NamedTuple):
    """One document that was written, as BSON, as far as its writer knows it.

    Attributes:
        old: As it was; None where there was none.
        new: As it is; None where it was removed.
        unloaded: The stored fields that the writer had not loaded.
    """

    old: bytes | None
    new: bytes | None
    unloaded: tuple[str, ...] = ()


async def record(
    model: type[MappedModel], kind: VersionKind, writes: Sequence[Wrote], *, database: str | None = None
) -> None:
    """Add a version for each document that was written.

    What is kept is what is stored, which is more than the writer knows: it may have loaded a part, and others write
    too. The document is read after the number of its last version, so that the version with the highest number is
    what the document is, whoever else records at the same time. A document whose history is empty first gets its old
    state as a baseline.

    Raises:
        DocumentError: When others write versions of the same documents all the time.
    """
    spec, left = spec_of(model), list(writes)
    for race in range(_RACES):
        entries: list[bytes] = []
        closing: dict[int, Wrote] = {}
        for start in range(0, len(left), _AT_ONCE):
            for id_, wrote, last, now in await _beside(model, left[start : start + _AT_ONCE], database):
                version = last
                if not last and wrote.old:
                    version = 1
                    entries.append(_entry(spec, id_, version, "baseline", _completed(wrote, now)))
                closing[len(entries)] = wrote
                entries.append(_entry(spec, id_, version + 1, kind, now))
        command = InsertMany(documents=entries, ordered=False)
        try:
            await run(model, command, collection=history_of(spec), database=database)
        except BulkError as error:  # others wrote versions of the same documents in the same moment
            if not all(isinstance(failure.error, DuplicateDocumentError) for failure in error.failures):
                raise
            left = [closing[failure.index] for failure in error.failures if failure.index in closing]
            if left:
                await asyncio.sleep(random.random() * min(_FIRST_PAUSE * 2**race, _LONGEST_PAUSE))  # noqa: S311 - no secret
                continue
        return
    raise DocumentError(f"The history of {spec.name} is contended.", model=spec.name)


async def record_changes(
    model: type[MappedModel], kind: VersionKind, olds: Mapping[bytes, bytes], made: Any, database: str | None
) -> None:
    """Add a version for each document that a write by query changed.

    Args:
        model: The model class.
        kind: What was done.
        olds: The documents that matched before the write, as `stored_matches` returned them.
        made: The id of a document that an upsert made, otherwise None.
        database: The database, when it is not the model's own.
    """
    ids = [decode(raw)["_id"] for raw in olds.values()]
    for start in range(0, len(ids), _AT_ONCE):
        chunk = ids[start : start + _AT_ONCE]
        now = await stored_matches(model, {"_id": {"$in": chunk}}, database)
        writes = [Wrote(olds[_key(id_)], now.get(_key(id_))) for id_ in chunk]
        changed = [wrote for wrote in writes if wrote.old != wrote.new and (wrote.new or kind == "delete")]
        if changed:
            await record(model, kind, changed, database=database)
    if made is not None:
        for raw in (await stored_matches(model, {"_id": {"$eq": made}}, database)).values():
            await record(model, "create", [Wrote(None, raw)], database=database)


async def stored_matches(
    model: type[MappedModel], filter_: Mapping[str, Any], database: str | None, collation: Any = None
) -> dict[bytes, bytes]:
    """Return the documents that a filter matches, as BSON, by their id."""
    found: dict[bytes, bytes] = {}
    async for chunk in stream(model, Find(filter=filter_, collation=collation), database=database):
        for raw in split(chunk):
            found[_key(decode(raw)["_id"])] = raw
    return found


def versions_of_id(id_: Any) -> dict[str, Any]:
    """Return the filter for all versions of the document with a stored id; the index of `_id` serves it."""
    return {"_id": {"$gte": {"document": id_, "version": 0}, "$lte": {"document": id_, "version": LAST}}}


async def _beside(
    model: type[MappedModel], writes: Sequence[Wrote], database: str | None
) -> list[tuple[Any, Wrote, int, Document | None]]:
    """Return each write's id, itself, the number of its document's last version, and the document as it is stored."""
    spec, ids = spec_of(model), [decode(wrote.new or wrote.old or b"")["_id"] for wrote in writes]
    command = Aggregate(
        pipeline=[
            {"$match": {"$or": [versions_of_id(id_) for id_ in ids]}},
            {"$group": {"_id": "$_id.document", "last": {"$max": "$_id.version"}}},
            {"$lookup": {"from": spec.collection, "localField": "_id", "foreignField": "_id", "as": "now"}},
        ],
        read_preference="primary",
    )
    found: dict[bytes, tuple[int, Document | None]] = {}
    async for chunk in stream(model, command, collection=history_of(spec), database=database):
        found.update((_key(row["_id"]), (row["last"], next(iter(row["now"]), None))) for row in decode_all(chunk))
    begun = [id_ for id_, wrote in zip(ids, writes, strict=True) if wrote.old and wrote.new and _key(id_) not in found]
    known = await stored_matches(model, {"_id": {"$in": begun}}, database) if begun else {}
    beside: list[tuple[Any, Wrote, int, Document | None]] = []
    for id_, wrote in zip(ids, writes, strict=True):
        key = _key(id_)
        raw = known.get(key) if wrote.old else wrote.new
        last, now = found.get(key) or (0, decode(raw) if raw else None)
        if now is None and wrote.new:  # somebody removed it meanwhile, and what was written is still worth knowing
            now = decode(wrote.new)
        beside.append((id_, wrote, last, now if wrote.new else None))
    return beside


def _completed(wrote: Wrote, now: Document | None) -> Document:
    """Return a document as it was before a write, with what its writer had not loaded and therefore not written."""
    return {**{name: now[name] for name in wrote.unloaded if now and name in now}, **decode(wrote.old or b"")}


def _entry(spec: ModelSpec, id_: Any, version: int, kind: VersionKind, values: Document | None) -> bytes:
    entry = {
        "_id": {"document": id_, "version": version},
        "kind": kind,
        "at": current_datetime(),
        "by": current_actor(),
        "values": values,
    }
    return encode(entry, model=f"{spec.name} history")


def _key(id_: Any) -> bytes:
    return encode({"id": id_}, model="")
