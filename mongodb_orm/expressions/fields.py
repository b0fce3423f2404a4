"""`Model.f`: field paths that compare into conditions, calculations and orders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar

from .areas import Box, Circle, Near
from .arithmetic import Calculated, Expression
from .geojson import Geometry, PositionLike
from .nodes import Compare, Condition, Path, Raw, as_condition

M = TypeVar("M")
T = TypeVar("T")
E = TypeVar("E")

_OWN = frozenset({"_path", "_compare"})


@dataclass(frozen=True, slots=True)
class Order:
    """A field and a direction, for `order_by`.

    Attributes:
        path: The path of the field.
        direction: 1 ascending, -1 descending.
    """

    path: Path
    direction: Literal[1, -1]


class FieldPath(Expression, Generic[T]):
    """The path of a field; operators and methods make conditions, attributes and items go deeper.

    Every lookup is a method, those that `register_lookup` added included. A name is a method only where it is called,
    so a field may be called `date` or `size`.

    Example:
        >>> User.f.age >= 18
        >>> User.f.address.city.startswith("O")
        >>> User.f.tags[0] == "first"
    """

    __slots__ = ("_path",)
    _path: Path

    def __init__(self, *path: str) -> None:
        object.__setattr__(self, "_path", path)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> FieldPath[Any]: ...

    else:

        def __getattribute__(self, name: str) -> Any:
            if name in _OWN or (name.startswith("__") and name.endswith("__")):
                return object.__getattribute__(self, name)
            return FieldPath(*self._path, name)

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            """Apply the lookup or method of that name: `User.f.name.startswith("a")`."""
            *path, name = self._path or ("f",)
            method = _METHODS.get(name)
            if method is not None:
                return method(FieldPath(*path), *arguments, **options)
            if len(arguments) > 1 or options:
                raise TypeError(f"The lookup {name!r} takes one value.")
            return Compare(tuple(path), name, arguments[0] if arguments else True)

    def __getitem__(self, key: str | int) -> FieldPath[Any]:
        return FieldPath(*self._path, str(key))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("Field paths are values; set attributes on a document instead.")

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self!r} is the path of a field; it has nothing to iterate over.")

    def __contains__(self, item: object) -> NoReturn:
        raise TypeError(f"{self!r} is the path of a field. Write {self!r}.contains(...) instead of `in`.")

    def __reduce__(self) -> Any:
        return FieldPath, self._path

    def __hash__(self) -> int:
        return hash(self._path)

    def __repr__(self) -> str:
        return f"f.{self}"

    def __str__(self) -> str:
        return ".".join(self._path)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compare("eq", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compare("ne", other)

    def __gt__(self, other: T | Expression) -> Condition:
        return self._compare("gt", other)

    def __ge__(self, other: T | Expression) -> Condition:
        return self._compare("gte", other)

    def __lt__(self, other: T | Expression) -> Condition:
        return self._compare("lt", other)

    def __le__(self, other: T | Expression) -> Condition:
        return self._compare("lte", other)

    def _compare(self, lookup: str, other: Any) -> Condition:
        return Calculated(lookup, self, other) if isinstance(other, Expression) else Compare(self._path, lookup, other)

    def asc(self) -> Order:
        """Order by the field, the least first."""
        return Order(self._path, 1)

    def desc(self) -> Order:
        """Order by the field, the greatest first."""
        return Order(self._path, -1)

    def in_(self, values: Iterable[T]) -> Condition:
        """Match when the field equals one of `values`."""
        return Compare(self._path, "in", values)

    def not_in(self, values: Iterable[T]) -> Condition:
        """Match when the field equals none of `values`."""
        return Compare(self._path, "nin", values)

    def between(self, low: T, high: T) -> Condition:
        """Match when `low <= field <= high`."""
        return Compare(self._path, "between", (low, high))

    def exists(self, present: bool = True) -> Condition:
        """Match when the field is stored, or is not."""
        return Compare(self._path, "exists", present)

    def is_null(self, null: bool = True) -> Condition:
        """Match when the field is null or missing, or is not."""
        return Compare(self._path, "isnull", null)

    def has_type(self, *types: str | int) -> Condition:
        """Match by BSON types, such as `"string"`."""
        return Compare(self._path, "type", list(types))

    def contains(self: FieldPath[Any] | FieldPath[Collection[E]], value: E) -> Condition:
        """Match a substring of a string, or a member of a list."""
        return Compare(self._path, "contains", value)

    def icontains(self, text: str) -> Condition:
        """Match a substring, ignoring case."""
        return Compare(self._path, "icontains", text)

    def startswith(self, prefix: str) -> Condition:
        """Match strings that begin with `prefix`."""
        return Compare(self._path, "startswith", prefix)

    def istartswith(self, prefix: str) -> Condition:
        """Match strings that begin with `prefix`, ignoring case."""
        return Compare(self._path, "istartswith", prefix)

    def endswith(self, suffix: str) -> Condition:
        """Match strings that end with `suffix`."""
        return Compare(self._path, "endswith", suffix)

    def iendswith(self, suffix: str) -> Condition:
        """Match strings that end with `suffix`, ignoring case."""
        return Compare(self._path, "iendswith", suffix)

    def iexact(self, text: str) -> Condition:
        """Match strings that equal `text`, ignoring case."""
        return Compare(self._path, "iexact", text)

    def regex(self, pattern: Any) -> Condition:
        """Match a regular expression in PCRE syntax."""
        return Compare(self._path, "regex", pattern)

    def iregex(self, pattern: Any) -> Condition:
        """Match a regular expression, ignoring case."""
        return Compare(self._path, "iregex", pattern)

    def mod(self, divisor: int, remainder: int = 0) -> Condition:
        """Match numbers that leave `remainder` when divided by `divisor`."""
        return Compare(self._path, "mod", (divisor, remainder))

    def all(self: FieldPath[Any] | FieldPath[Collection[E]], values: Iterable[E]) -> Condition:
        """Match lists that hold every one of `values`."""
        return Compare(self._path, "all", values)

    def size(self, length: int) -> Condition:
        """Match lists of exactly `length` elements."""
        return Compare(self._path, "size", length)

    def elem_match(self, condition: Condition | Mapping[str, Any]) -> Condition:
        """Match lists with one element that fulfils `condition`, or a mapping of lookups."""
        return Compare(self._path, "elem_match", as_condition(condition))

    def year(self, year: int) -> Condition:
        """Match dates in a year, in UTC."""
        return Compare(self._path, "year", year)

    def month(self, month: int) -> Condition:
        """Match dates in a month of any year, in UTC."""
        return Compare(self._path, "month", month)

    def day(self, day: int) -> Condition:
        """Match dates on a day of any month, in UTC."""
        return Compare(self._path, "day", day)

    def on_date(self, day: date | datetime) -> Condition:
        """Match dates on one day, in UTC."""
        return Compare(self._path, "date", day)

    def near(
        self, point: Near | PositionLike, *, max_distance: float | None = None, min_distance: float | None = None
    ) -> Condition:
        """Match places by their distance from a point in metres, and order them by it."""
        near = point if isinstance(point, Near) else Near(point, max_distance, min_distance)
        return Compare(self._path, "near", near)

    def within(self, area: Geometry | Circle | Box | Mapping[str, Any]) -> Condition:
        """Match geometries that lie within an area."""
        return Compare(self._path, "within", area)

    def intersects(self, geometry: Geometry | Box | Mapping[str, Any]) -> Condition:
        """Match geometries that have a place in common with another one."""
        return Compare(self._path, "intersects", geometry)

    def lookup(self, name: str, value: Any) -> Condition:
        """Match by any lookup, by its name."""
        return Compare(self._path, name, value)


_METHODS = {name: method for name, method in vars(FieldPath).items() if not name.startswith("_")}


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


def field(path: T | None) -> FieldPath[T]:
    """Return a path of `Model.f` as what it is.

    A type checker takes `User.f.age` for an int, which has no method `in_`, and `User.f.nickname` for a `str | None`,
    which cannot be compared; after `field` it knows the methods and operators of field paths, and the type of the
    values that they take. At run time it changes nothing.

    Args:
        path: `Model.f.name`, or below it.

    Example:
        >>> User.filter(field(User.f.age).in_([17, 18])).order_by(field(User.f.age).desc())
    """
    if not isinstance(path, FieldPath):
        raise TypeError(f"field() takes a path such as User.f.age, not {path!r}.")
    return path


def F(path: str) -> FieldPath[Any]:  # noqa: N802 - as Django's users know it
    """Return the path of a field by its name, for the fields that a pipeline made and no class knows.

    Args:
        path: The name, dotted for nested fields.

    Example:
        >>> User.pipeline().group(by="city", n=count()).add_fields(share=F("n") / 100).match(F("n") >= 5)
    """
    return FieldPath(*path.split("."))


def expr(condition: Any) -> Condition:
    """Let the server evaluate a comparison as an aggregation expression, by `$expr`.

    Comparisons with calculations and other fields are evaluated like that anyway; `expr` says so, and it makes an
    expression of a plain comparison and of a mapping of MongoDB's operators too.

    Args:
        condition: A comparison such as `User.f.price * User.f.quantity > 100`, or an aggregation expression.

    Example:
        >>> User.filter(expr(User.f.price * User.f.quantity > 100))
        >>> User.filter(expr({"$gt": [{"$size": "$tags"}, 2]}))
    """
    if isinstance(condition, Calculated):
        return condition
    if isinstance(condition, Compare) and condition.lookup in ("eq", "ne", "gt", "gte", "lt", "lte"):
        return Calculated(condition.lookup, FieldPath(*condition.path), condition.value)
    if isinstance(condition, Mapping):
        return Raw({"$expr": condition})
    raise TypeError(f"expr() takes a comparison or an aggregation expression, not {type(condition).__name__}.")


def path_text(field: Any) -> str:
    """Return the dotted name of a field given as a string or as `Model.f.name`."""
    if isinstance(field, FieldPath):
        return str(field)
    if isinstance(field, str):
        return field
    raise TypeError(f"A field is a name or Model.f.<name>, not {type(field).__name__}.")
