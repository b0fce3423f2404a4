"""Which documents stand in the way of a unique index."""

from __future__ import annotations

from typing import Any

from ..codec import decode_all
from ..commands import Aggregate
from ..exceptions import DuplicateDocumentError, NotSupportedError, OperationError, TimeoutError
from ..executor import stream
from ..schema import MappedModel, spec_of
from ..types import Collision, Document
from .compiling import CompiledIndex, model_path

MAX_KEYS = 20
"""How many shared keys an error lists."""

MAX_IDS = 10
"""How many documents it lists for each."""


BUILD_MS = 3_600_000
"""The deadline of whatever looks at every document, an hour; that of other operations is too short."""


async def find_collisions(model: type[MappedModel], index: CompiledIndex) -> tuple[Collision, ...]:
    """Return the keys that several documents share, those with the most documents first."""
    command = Aggregate(
        pipeline=collision_pipeline(index),
        collation=index.options.get("collation"),
        allow_disk_use=True,
        max_time_ms=BUILD_MS,
    )
    found: list[Collision] = []
    async for chunk in stream(model, command):
        for row in decode_all(chunk):
            values = tuple(row["_id"])
            found.append(Collision(values[0] if len(values) == 1 else values, tuple(row["ids"]), row["count"]))
    return tuple(found)


async def collision_error(model: type[MappedModel], index: CompiledIndex) -> DuplicateDocumentError:
    """Return the error for a unique index that cannot be, with the documents that collide where they can be found."""
    spec = spec_of(model)
    try:
        found = await find_collisions(model, index)
    except (NotSupportedError, OperationError, TimeoutError):  # the index fails for its own reason, which is known
        found = ()
    return collision_report(spec.name, index, tuple(model_path(spec, path) for path, _ in index.keys), found)


def collision_report(
    model: str, index: CompiledIndex, fields: tuple[str, ...], found: tuple[Collision, ...]
) -> DuplicateDocumentError:
    """Return the error; its message names documents and never the values that they share."""
    groups = ["ids " + ", ".join(map(repr, one.ids)) + (", ..." if one.count > len(one.ids) else "") for one in found]
    more = "; ..." if len(groups) > 3 else ""
    where = f" They collide: {'; '.join(groups[:3])}{more}." if groups else ""
    return DuplicateDocumentError(
        f"The unique index {index.name!r} cannot be built: documents of {model} share the same {', '.join(fields)}."
        f"{where}",
        hint="Change or delete all but one of each; `collisions` of this error lists them.",
        code=11000,
        model=model,
        index=index.name,
        fields=fields,
        value=found[0].value if found else None,
        collisions=found,
    )


def collision_pipeline(index: CompiledIndex) -> list[Document]:
    """Return the pipeline that finds the shared keys of a unique index, as the index sees documents.

    A list counts by its elements, a document only once for each of its keys, and a missing field as null.
    """
    stages: list[Document] = []
    partial = index.options.get("partialFilterExpression")
    if partial:
        stages.append({"$match": partial})
    if index.options.get("sparse"):
        stages.append({"$match": {"$or": [{path: {"$exists": True}} for path, _ in index.keys]}})
    unwound = dict.fromkeys(prefix for path, _ in index.keys if path != "_id" for prefix in _prefixes(path))
    stages += [{"$unwind": {"path": f"${prefix}", "preserveNullAndEmptyArrays": True}} for prefix in unwound]
    key = [{"$ifNull": [f"${path}", None]} for path, _ in index.keys]
    count: Any = {"$sum": 1}
    return [
        *stages,
        {"$group": {"_id": {"key": key, "id": "$_id"}}},
        {"$group": {"_id": "$_id.key", "count": count, "ids": {"$minN": {"input": "$_id.id", "n": MAX_IDS}}}},
        {"$match": {"count": {"$gt": 1}}},
        {"$sort": {"count": -1, "_id": 1}},
        {"$limit": MAX_KEYS},
    ]


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[: length + 1]) for length in range(len(parts))]
