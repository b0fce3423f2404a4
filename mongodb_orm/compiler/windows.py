"""A find as the stages of a pipeline, for what only a pipeline can do with its documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..commands import Aggregate, Find
from ..types import Sort
from .places import near_stages

Stage = Mapping[str, Any]


def window_stages(sort: Sort, skip: int, limit: int, joins: Sequence[Stage] = ()) -> list[Stage]:
    """Return the stages that order documents and cut a window out of them.

    Args:
        sort: The order, under stored names.
        skip: How many documents are left out.
        limit: How many are taken; 0 for all.
        joins: Stages that join other collections or calculate. They see the documents of the window only, unless it
            is sorted by what they add.
    """
    added = {str(stage["$lookup"]["as"]) for stage in joins if "$lookup" in stage}
    added |= {name for stage in joins for name in stage.get("$set", ())}
    cut: list[Stage] = [{"$sort": dict(sort)}] if sort else []
    if skip:
        cut.append({"$skip": skip})
    if limit:
        cut.append({"$limit": limit})
    is_sorted_by_them = any(path.partition(".")[0] in added for path, _ in sort)
    return [*joins, *cut] if is_sorted_by_them else [*cut, *joins]


def find_stages(find: Find, joins: Sequence[Stage] = ()) -> list[Stage]:
    """Return the stages that give what a find gives; `joins` come before the projection, as in `window_stages`."""
    match: list[Stage] = [*near_stages(find.filter)] if find.filter else []
    stages = [*match, *window_stages(find.sort, find.skip, find.limit, joins)]
    return [*stages, {"$project": dict(find.projection)}] if find.projection else stages


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
