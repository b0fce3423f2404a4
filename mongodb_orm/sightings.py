"""The shapes of queries that this process has sent, without their values: how often, and how long they took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schema import ModelSpec
from .types import Sort

LIMIT = 256
"""How many shapes are kept for each model; when there are more, the rarer half is forgotten."""

SeenFilter = tuple[Any, ...]
"""A filter without values: for each key its name, or a tuple of the name and the operators or filters below it."""


class Sighting:
    """How often a shape was seen, and how long it took until the first results.

    Attributes:
        count: How many times.
        seconds: How long they took together.
        slowest: The longest of them, in seconds.
    """

    __slots__ = ("count", "seconds", "slowest")

    def __init__(self) -> None:
        self.count: int = 0
        self.seconds: float = 0.0
        self.slowest: float = 0.0


def note(spec: ModelSpec, filter: Mapping[str, Any], sort: Sort, seconds: float) -> None:  # noqa: A002
    """Count one query. It runs beside every trip, so it does as little as possible."""
    if "_id" in filter:
        wanted = filter["_id"]
        if type(wanted) is not dict or "$in" in wanted:  # the index on the id serves it
            return
    shape = (seen_filter(filter), sort)
    seen = spec.sightings
    try:
        sighting = seen.get(shape)
    except TypeError:  # a sort by a computed score
        return
    if sighting is None:
        if len(seen) >= LIMIT:
            _forget_rare(seen)
        sighting = seen[shape] = Sighting()
    sighting.count += 1
    sighting.seconds += seconds
    if seconds > sighting.slowest:
        sighting.slowest = seconds


def seen_filter(filter: Mapping[str, Any]) -> SeenFilter:  # noqa: A002
    """Return a filter without its values."""
    parts: list[Any] = []
    for name, value in filter.items():
        if type(value) is dict and value and next(iter(value))[:1] == "$":
            parts.append((name, *value))
        elif name in _JOINERS:
            parts.append((name, *map(seen_filter, value)))
        else:
            parts.append(name)
    return tuple(parts)


_JOINERS = frozenset({"$and", "$or", "$nor"})


def _forget_rare(seen: dict[Any, Sighting]) -> None:
    for shape in sorted(seen, key=lambda shape: seen[shape].count)[: LIMIT // 2]:
        del seen[shape]
