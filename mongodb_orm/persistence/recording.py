"""Recording versions: each write of a model with a history adds one to `<collection>_history`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..actors import current_actor
from ..codec import decode, decode_all, encode, split
from ..commands import Aggregate, Find, InsertMany
from ..exceptions import BulkError, DocumentError, DuplicateDocumentError
from ..executor import run, stream
from ..schema import MappedModel, ModelSpec, spec_of
from ..timestamps import current_datetime

VersionKind = Literal["baseline", "create", "update", "delete", "restore"]

_AT_ONCE = 500
_RACES = 5
LAST = 2**62
"""More than any document has versions."""


def history_of(spec: ModelSpec) -> str:
    """Return the name of the collection with a model's versions."""
    return f"{spec.collection}_history"


async def record(
    model: type[MappedModel],
    kind: VersionKind,
    pairs: Sequence[tuple[bytes | None, bytes | None]],
    *,
    database: str | None = None,
) -> None:
    """Add a version for each document, given as it was and as it is now, as BSON.

    A document whose history is empty first gets its old state as a baseline.

    Raises:
        DocumentError: When others write versions of the same documents all the time.
    """
    spec, left = spec_of(model), list(pairs)
    for _ in range(_RACES):
        entries: list[bytes] = []
        closing: dict[int, tuple[bytes | None, bytes | None]] = {}
        for start in range(0, len(left), _AT_ONCE):
            chunk = left[start : start + _AT_ONCE]
            ids = [decode(new or old or b"")["_id"] for old, new in chunk]
            last = await _last_versions(model, ids, database)
            for id_, (old, new) in zip(ids, chunk, strict=True):
                version = last.get(_key(id_), 0)
                if not version and old:
                    version = 1
                    entries.append(_entry(spec, id_, version, "baseline", old))
                closing[len(entries)] = (old, new)
                entries.append(_entry(spec, id_, version + 1, kind, new))
        command = InsertMany(documents=entries, ordered=False)
        try:
            await run(model, command, collection=history_of(spec), database=database)
        except BulkError as error:  # others wrote versions of the same documents in the same moment
            if not all(isinstance(failure.error, DuplicateDocumentError) for failure in error.failures):
                raise
            left = [closing[failure.index] for failure in error.failures if failure.index in closing]
            if left:
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
        pairs = [(olds[_key(id_)], now.get(_key(id_))) for id_ in chunk]
        changed = [pair for pair in pairs if pair[0] != pair[1]]
        if changed:
            await record(model, kind, changed, database=database)
    if made is not None:
        for raw in (await stored_matches(model, {"_id": {"$eq": made}}, database)).values():
            await record(model, "create", [(None, raw)], database=database)


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


async def _last_versions(model: type[MappedModel], ids: Sequence[Any], database: str | None) -> dict[bytes, int]:
    command = Aggregate(
        pipeline=[
            {"$match": {"$or": [versions_of_id(id_) for id_ in ids]}},
            {"$group": {"_id": "$_id.document", "last": {"$max": "$_id.version"}}},
        ]
    )
    last: dict[bytes, int] = {}
    async for chunk in stream(model, command, collection=history_of(spec_of(model)), database=database):
        last.update((_key(row["_id"]), row["last"]) for row in decode_all(chunk))
    return last


def _entry(spec: ModelSpec, id_: Any, version: int, kind: VersionKind, raw: bytes | None) -> bytes:
    entry = {
        "_id": {"document": id_, "version": version},
        "kind": kind,
        "at": current_datetime(),
        "by": current_actor(),
        "values": None if raw is None else decode(raw),
    }
    return encode(entry, model=f"{spec.name} history")


def _key(id_: Any) -> bytes:
    return encode({"id": id_}, model="")
