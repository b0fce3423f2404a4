"""`Model.f`: field paths that compare into conditions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from .nodes import Compare, Condition, Path, as_condition

M = TypeVar("M")


class FieldPath:
    """The path of a field; operators and methods make conditions, attributes and items go deeper.

    Example:
        >>> User.f.age >= 18
        >>> User.f.address.city.startswith("O")
        >>> User.f.tags[0] == "first"
    """

    __slots__ = ("_path",)
    _path: Path

    def __init__(self, *path: str) -> None:
        object.__setattr__(self, "_path", path)

    def __getattr__(self, name: str) -> FieldPath:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return FieldPath(*self._path, name)

    def __getitem__(self, key: str | int) -> FieldPath:
        return FieldPath(*self._path, str(key))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("Field paths are values; set attributes on a document instead.")

    def __hash__(self) -> int:
        return hash(self._path)

    def __repr__(self) -> str:
        return f"f.{self}"

    def __str__(self) -> str:
        return ".".join(self._path)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return Compare(self._path, "eq", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return Compare(self._path, "ne", other)

    def __gt__(self, other: Any) -> Condition:
        return Compare(self._path, "gt", other)

    def __ge__(self, other: Any) -> Condition:
        return Compare(self._path, "gte", other)

    def __lt__(self, other: Any) -> Condition:
        return Compare(self._path, "lt", other)

    def __le__(self, other: Any) -> Condition:
        return Compare(self._path, "lte", other)

    def in_(self, values: Iterable[Any]) -> Condition:
        """Match when the field equals one of `values`."""
        return Compare(self._path, "in", values)

    def not_in(self, values: Iterable[Any]) -> Condition:
        """Match when the field equals none of `values`."""
        return Compare(self._path, "nin", values)

    def between(self, low: Any, high: Any) -> Condition:
        """Match when `low <= field <= high`."""
        return Compare(self._path, "between", (low, high))

    def exists(self, present: bool = True) -> Condition:
        """Match when the field is stored, or is not."""
        return Compare(self._path, "exists", present)

    def is_null(self, null: bool = True) -> Condition:
        """Match when the field is null or missing, or is not."""
        return Compare(self._path, "isnull", null)

    def contains(self, value: Any) -> Condition:
        """Match a substring of a string, or a member of a list."""
        return Compare(self._path, "contains", value)

    def startswith(self, prefix: str) -> Condition:
        """Match strings that begin with `prefix`."""
        return Compare(self._path, "startswith", prefix)

    def endswith(self, suffix: str) -> Condition:
        """Match strings that end with `suffix`."""
        return Compare(self._path, "endswith", suffix)

    def regex(self, pattern: str) -> Condition:
        """Match a regular expression in PCRE syntax."""
        return Compare(self._path, "regex", pattern)

    def all(self, values: Iterable[Any]) -> Condition:
        """Match lists that hold every one of `values`."""
        return Compare(self._path, "all", values)

    def size(self, length: int) -> Condition:
        """Match lists of exactly `length` elements."""
        return Compare(self._path, "size", length)

    def elem_match(self, condition: Condition | dict[str, Any]) -> Condition:
        """Match lists with one element that fulfils `condition`."""
        return Compare(self._path, "elem_match", as_condition(condition))

    def lookup(self, name: str, value: Any) -> Condition:
        """Match by any lookup, by its name."""
        return Compare(self._path, name, value)


class FieldAccess:
    """The descriptor behind `Model.f`: a type checker sees the model class, so it knows every field's name."""

    if TYPE_CHECKING:

        def __get__(self, instance: object, owner: type[M]) -> type[M]:
            """Return the model class, as far as a type checker is concerned."""
            ...
    else:

        def __get__(self, instance: object, owner: type[Any]) -> FieldPath:
            """Return the root of every field path."""
            return FieldPath()


def path_text(field: Any) -> str:
    """Return the dotted name of a field given as a string or as `Model.f.name`."""
    if isinstance(field, FieldPath):
        return str(field)
    if isinstance(field, str):
        return field
    raise TypeError(f"A field is a name or Model.f.<name>, not {type(field).__name__}.")
