"""The names of an aggregation's results, on their way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..schema import Shape
from .records import members_of

Renamer = Callable[[Any], Any]


def row_renamer(shape: Shape | None, *, is_beside: bool) -> Renamer | None:
    """Return the function that gives rows of a shape the model's names; None when there is nothing to change.

    Args:
        shape: The shape of the rows.
        is_beside: Whether stored names stay, with the model's names beside them; otherwise these replace them.
    """
    return _Builder(is_beside).build(shape)


class _Builder:
    def __init__(self, is_beside: bool) -> None:
        self._is_beside = is_beside
        self._models: dict[type, list[Renamer | None]] = {}

    def build(self, shape: Shape | None) -> Renamer | None:
        if shape is None or shape.kind in ("scalar", "any", "union"):
            return None
        if shape.kind in ("array", "mapping"):
            inner = self.build(shape.element)
            return None if inner is None else _each(inner)
        if shape.model is None:
            return self._members(shape)
        if shape.model in self._models:  # a model that contains itself
            place = self._models[shape.model]
            return lambda value: value if place[0] is None else place[0](value)
        place = self._models[shape.model] = [None]
        place[0] = self._members(shape)
        del self._models[shape.model]
        return place[0]

    def _members(self, shape: Shape) -> Renamer | None:
        members, _ = members_of(shape)
        plan = {stored: (name, self.build(inner)) for name, (stored, inner) in members.items()}
        if all(stored == name and inner is None for stored, (name, inner) in plan.items()):
            return None
        return _beside(plan) if self._is_beside else _instead(plan)


Plan = dict[str, tuple[str, "Renamer | None"]]


def _beside(plan: Plan) -> Renamer:
    changes = [(stored, name, inner) for stored, (name, inner) in plan.items() if stored != name or inner is not None]

    def rename(row: Any) -> Any:
        if isinstance(row, list):
            return [rename(item) for item in row]
        if isinstance(row, dict):
            for stored, name, inner in changes:
                if stored in row:
                    if inner is not None:
                        row[stored] = inner(row[stored])
                    if name not in row:
                        row[name] = row[stored]
        return row

    return rename


def _instead(plan: Plan) -> Renamer:
    unchanged = (None, None)

    def rename(row: Any) -> Any:
        if isinstance(row, list):
            return [rename(item) for item in row]
        if not isinstance(row, dict):
            return row
        result = {}
        for key, value in row.items():
            name, inner = plan.get(key, unchanged)
            result[name or key] = value if inner is None else inner(value)
        return result

    return rename


def _each(inner: Renamer) -> Renamer:
    def rename(value: Any) -> Any:
        if isinstance(value, list):
            return [inner(item) for item in value]
        if isinstance(value, dict):
            return {key: inner(item) for key, item in value.items()}
        return value

    return rename
