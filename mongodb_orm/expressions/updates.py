"""Changes of fields, as values: what an update does on the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .fields import path_text
from .nodes import Condition, join


@dataclass(frozen=True, slots=True)
class FieldUpdate:
    """One change of one field; made by `inc`, `push` and their like.

    Attributes:
        field: The field, as the caller wrote it.
        operator: The operator's keyword, such as `"inc"`.
        value: What the operator works with.
        modifiers: Options of `push`: slice, sort, position.
    """

    field: str
    operator: str
    value: Any = None
    modifiers: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ArrayFilter:
    """Which elements `$[name]` in the path of a change stands for; made by `where`."""

    name: str
    condition: Condition


def where(name: str, /, *conditions: Any, **lookups: Any) -> ArrayFilter:
    """Say which elements of a list `$[name]` in the path of another change stands for.

    Args:
        name: The name between the brackets.
        conditions: Conditions on the element's fields.
        lookups: Keyword lookups on them; for plain values the lookups alone, such as `gte=5`.

    Example:
        >>> await User.filter(id=1).update(updates.inc("grades.$[low].score", 5), updates.where("low", score__lt=50))
        >>> await User.filter(id=1).update(updates.set_("marks.$[m]", 0), updates.where("m", lt=0))
    """
    return ArrayFilter(name, join(*conditions, **lookups))


def set_(field: Any, value: Any) -> FieldUpdate:
    """Give the field a value."""
    return FieldUpdate(path_text(field), "set", value)


def set_on_insert(field: Any, value: Any) -> FieldUpdate:
    """Give the field a value where `upsert` makes the document, not to an existing one; other updates refuse it."""
    return FieldUpdate(path_text(field), "set_on_insert", value)


def unset(field: Any) -> FieldUpdate:
    """Remove the field from the document."""
    return FieldUpdate(path_text(field), "unset", True)


def inc(field: Any, by: Any = 1) -> FieldUpdate:
    """Add to a number; one that is missing counts as 0."""
    return FieldUpdate(path_text(field), "inc", by)


def mul(field: Any, by: Any) -> FieldUpdate:
    """Multiply a number; one that is missing becomes 0."""
    return FieldUpdate(path_text(field), "mul", by)


def min_(field: Any, value: Any) -> FieldUpdate:
    """Set the value when it is less than the stored one."""
    return FieldUpdate(path_text(field), "min", value)


def max_(field: Any, value: Any) -> FieldUpdate:
    """Set the value when it is greater than the stored one."""
    return FieldUpdate(path_text(field), "max", value)


def rename(field: Any, to: Any) -> FieldUpdate:
    """Move the value to another field of the model."""
    return FieldUpdate(path_text(field), "rename", path_text(to))


def current_date(field: Any) -> FieldUpdate:
    """Set the field to the server's time."""
    return FieldUpdate(path_text(field), "current_date", True)


def push(
    field: Any,
    *elements: Any,
    each: Iterable[Any] = (),
    slice: int | None = None,  # noqa: A002 - MongoDB's name
    sort: int | str | Iterable[str] | Mapping[str, int] | None = None,
    position: int | None = None,
) -> FieldUpdate:
    """Append elements to a list.

    Args:
        field: The list.
        elements: What is appended.
        each: More of them, from an iterable.
        slice: How many elements are kept: the first, or the last when negative.
        sort: How the list is ordered afterwards: by its elements, 1 or -1; or by members of nested ones, such as
            `"-points"`, several of them, or a mapping of them to 1 or -1.
        position: Where the elements are put in, from 0; at the end by default.

    Example:
        >>> await User.filter(id=1).update(updates.push(User.f.tags, "new", slice=-10))
    """
    options = (("$slice", slice), ("$sort", sort), ("$position", position))
    given = tuple((name, option) for name, option in options if option is not None)
    return FieldUpdate(path_text(field), "push_all", (*elements, *each), given)


def pull(field: Any, element: Any) -> FieldUpdate:
    """Remove every such element from a list."""
    return FieldUpdate(path_text(field), "pull", element)


def pull_all(field: Any, elements: Iterable[Any]) -> FieldUpdate:
    """Remove all of these elements from a list."""
    return FieldUpdate(path_text(field), "pull_all", tuple(elements))


def pop(field: Any, end: int = 1) -> FieldUpdate:
    """Remove the last element of a list, or the first with -1."""
    return FieldUpdate(path_text(field), "pop", end)


def add_to_set(field: Any, *elements: Any) -> FieldUpdate:
    """Append those elements that a list lacks."""
    return FieldUpdate(path_text(field), "add_all_to_set", elements)


def bit(field: Any, **operands: int) -> FieldUpdate:
    """Combine an integer with others bit by bit: `bit(User.f.flags, or_=4)`; also `and_` and `xor`."""
    return FieldUpdate(path_text(field), "bit", tuple(operands.items()))
