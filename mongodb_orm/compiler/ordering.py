"""Sort orders, compiled to pairs of stored path and direction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from ..exceptions import InvalidValueError
from ..expressions import FieldPath, Operation, Order, path_text
from ..schema import ModelSpec, resolve
from ..types import Sort

Translate = Callable[[str], str]

_DIRECTIONS: dict[Any, int] = {1: 1, -1: -1, "asc": 1, "desc": -1, "ascending": 1, "descending": -1}


def compile_sort(spec: ModelSpec, order: Any, beside: Mapping[str, str] = MappingProxyType({})) -> Sort:
    """Translate a sort order.

    Args:
        spec: The model's mapping.
        beside: Stored paths by further dotted paths, which a projection adds; one that ends in a dot goes on.
        order: `{"created_at": -1}`, `"-created_at"`, `[("name", 1), ("age", "desc")]`, `["-age", "name"]`, a
            `Model.f.name`, `Model.f.name.desc()`, `-Model.f.age`, or a list of any of these; None for no order.

    Raises:
        UnknownFieldError: When a field does not exist.
        InvalidValueError: When a direction is none.
    """
    return sort_pairs(spec.name, lambda path: _beside(path, beside) or _stored(spec, path), order)


def sort_pairs(name: str, translate: Translate, order: Any) -> Sort:
    """Translate a sort order of documents that are no model's; as `compile_sort`.

    Args:
        name: What messages call the documents.
        translate: Makes the stored path of a dotted one.
        order: The order.
    """
    pairs: dict[str, Any] = {}
    for path, direction in _pairs(name, translate, order):
        pairs.setdefault(path, direction)  # documents that are equal by a field stay so when it is named again
    return tuple(pairs.items())


def _pairs(name: str, translate: Translate, order: Any) -> Iterable[tuple[str, Any]]:
    if order is None:
        return
    if isinstance(order, str):
        direction = -1 if order.startswith("-") else 1
        yield translate(order[1:] if order[:1] in ("+", "-") else order), direction
    elif isinstance(order, FieldPath):
        yield translate(path_text(order)), 1
    elif isinstance(order, Order):
        yield translate(".".join(order.path)), order.direction
    elif isinstance(order, Operation):
        yield _reversed(name, translate, order)
    elif isinstance(order, Mapping):
        for field, direction in order.items():
            if isinstance(direction, Mapping):
                raise InvalidValueError(
                    "Documents are ordered by the score of a search, not by an expression.",
                    hint='Write search("words"), which orders by score, or order_by_score().',
                    model=name,
                    value=order,
                )
            yield translate(path_text(field)), _direction(name, field, direction)
    elif _is_pair(order):
        yield translate(path_text(order[0])), _direction(name, order[0], order[1])
    elif isinstance(order, Iterable):
        for entry in order:
            if entry is None:
                raise InvalidValueError(f"{order!r} is no sort order.", model=name, value=order)
            yield from _pairs(name, translate, entry)
    else:
        raise InvalidValueError(
            f"{order!r} is no sort order.", hint='Write {"created_at": -1}, "-created_at" or [("name", 1)].',
            model=name, value=order,
        )  # fmt: skip


def _stored(spec: ModelSpec, field: str) -> str:
    return resolve(spec, tuple(field.replace("__", ".").split(".") if field not in spec.fields else (field,))).stored


def _beside(path: str, beside: Mapping[str, str]) -> str | None:
    dotted = path.replace("__", ".")
    for known, stored in beside.items():
        if dotted == known or (known.endswith(".") and dotted.startswith(known)):
            return stored + dotted[len(known) :]
    return None


def _reversed(name: str, translate: Translate, order: Operation) -> tuple[str, int]:
    if order.operator != "negate" or not isinstance(order.operands[0], FieldPath):
        raise InvalidValueError(
            "Documents are ordered by fields, not by calculations.",
            hint="Add the result as a field in an aggregation, and sort by that.",
            model=name,
            value=order,
        )
    return translate(path_text(order.operands[0])), -1


def _is_pair(order: Any) -> bool:
    """Return whether an order is a field and its direction; as a list, which JSON makes of it, if that is a number."""
    if not isinstance(order, tuple | list) or len(order) != 2 or not _is_direction(order[1]):
        return False
    return isinstance(order, tuple) or isinstance(order[1], int)


def _is_direction(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | str) and value in _DIRECTIONS


def _direction(name: str, field: Any, value: Any) -> Any:
    if not _is_direction(value):
        raise InvalidValueError(
            f"{value!r} is no direction of a sort.", hint='Use 1, -1, "asc" or "desc".', model=name,
            field=str(field), value=value,
        )  # fmt: skip
    return _DIRECTIONS[value]
