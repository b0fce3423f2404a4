"""A find as the stages of a pipeline, for what only a pipeline can do with its documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..commands import Aggregate, Find
from .places import near_stages

Stage = Mapping[str, Any]


def find_stages(find: Find, joins: Sequence[Stage] = ()) -> list[Stage]:
    """Return the stages that give what a find gives.

    Args:
        find: The find, under stored names.
        joins: Stages that join other collections or calculate, before the projection. They see the documents of the
            window only, unless it is sorted by what they add.
    """
    joined = {str(stage["$lookup"]["as"]) for stage in joins if "$lookup" in stage}
    joined |= {name for stage in joins for name in stage.get("$set", ())}
    match: list[Stage] = [*near_stages(find.filter)] if find.filter else []
    cut: list[Stage] = [{"$sort": dict(find.sort)}] if find.sort else []
    if find.skip:
        cut.append({"$skip": find.skip})
    if find.limit:
        cut.append({"$limit": find.limit})
    is_sorted_by_them = any(path.partition(".")[0] in joined for path, _ in find.sort)
    parts = [*match, *joins, *cut] if is_sorted_by_them else [*match, *cut, *joins]
    return [*parts, {"$project": dict(find.projection)}] if find.projection else parts


def as_aggregate(find: Find, stages: Sequence[Stage], **options: Any) -> Aggregate:
    """Return the pipeline of these stages, run as the find would be."""
    given = {
        "batch_size": find.batch_size,
        "hint": find.hint,
        "collation": find.collation,
        "allow_disk_use": find.allow_disk_use,
        "comment": find.comment,
        "max_time_ms": find.max_time_ms,
        "read_preference": find.read_preference,
    }
    return Aggregate(pipeline=stages, **{**given, **options})
