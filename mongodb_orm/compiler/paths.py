"""Paths through lists: where a condition on one element has to be said as such, and how expressions get at values."""

from __future__ import annotations

from typing import Any

from ..exceptions import QueryError
from ..schema import Resolved
from .casting import Place
from .lookups import Whole


def about_one(place: Place, operators: dict[str, Any]) -> Any:
    """Return operators that must all hold for the same value, also where the path leads through a list.

    `{"scores": {"$gte": 1, "$lte": 5}}` matches `[0, 9]`: MongoDB lets each operator find an element of its own.
    """
    head, tail = _at_last_list(place.target)
    if not head or len(operators) < 2:
        return operators
    return Whole({head: {"$elemMatch": {tail: operators} if tail else operators}})


def as_filter(place: Place, compiled: Any) -> dict[str, Any]:
    """Return what a lookup made as a query document of its own."""
    return compiled if isinstance(compiled, Whole) else {place.target.stored: compiled}


def value_expression(target: Resolved, root: str = "$") -> Any:
    """Return the aggregation expression for the value at a path, which begins at what `root` names.

    Raises:
        QueryError: When a position follows a list that was crossed without one: expressions know no such path.
    """
    expression: Any = root
    crossed = False
    names: list[str] = []
    for stored, shape in target.steps:
        if shape.kind == "array" and stored.isdigit():
            if crossed:
                raise QueryError(f"An expression cannot take positions of many lists: {target.stored!r}.")
            expression = {"$arrayElemAt": [_joined(expression, names), int(stored)]}
            names = []
            continue
        crossed = crossed or shape.kind == "array"
        names.append(stored)
    return _joined(expression, names)


def lists_crossed(target: Resolved) -> int:
    """Return how deep in lists the values at a path are, seen from an expression."""
    depth = sum(shape.kind == "array" and not stored.isdigit() for stored, shape in target.steps)
    shape = target.shape
    while shape.kind == "array" and shape.element is not None:
        shape, depth = shape.element, depth + 1
    return depth


def _joined(expression: Any, names: list[str]) -> Any:
    if not names:
        return expression
    if expression == "$":
        return "$" + ".".join(names)
    return {"$let": {"vars": {"element": expression}, "in": f"$$element.{'.'.join(names)}"}}


def _at_last_list(target: Resolved) -> tuple[str, str]:
    """Split a stored path after the last list that it leads through; the first part is empty when there is none."""
    last = len(target.steps) if target.shape.kind == "array" else 0
    if not last:
        for index, (stored, shape) in enumerate(target.steps):
            if shape.kind == "array" and not stored.isdigit():
                last = index
    names = [stored for stored, _ in target.steps]
    return ".".join(names[:last]), ".".join(names[last:])
