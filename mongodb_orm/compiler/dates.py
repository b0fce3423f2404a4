"""Lookups of parts of dates, in UTC: ranges where an index can serve them, expressions otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ..exceptions import InvalidValueError
from ..schema import Shape
from .casting import Place, cast, cast_all
from .lookups import Compile, Whole
from .paths import about_one, as_filter, lists_crossed, value_expression

COMPARISONS = ("ne", "gt", "gte", "lt", "lte", "in", "nin", "not_in", "between")
"""What may follow a part: `created_at__year__gte`."""

_INTEGER = Shape(int, "scalar")
_DATE = Shape(date, "scalar")

_Range = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a date.

    Attributes:
        name: The lookup's name.
        operator: MongoDB's expression for it; empty where a range does.
        least: Its least value.
        greatest: Its greatest value.
    """

    name: str
    operator: str = ""
    least: int = 0
    greatest: int = 0


PARTS = {
    part.name: part
    for part in (
        Part("year"),
        Part("date"),
        Part("month", "$month", 1, 12),
        Part("day", "$dayOfMonth", 1, 31),
        Part("week_day", "$dayOfWeek", 1, 7),
        Part("iso_week_day", "$isoDayOfWeek", 1, 7),
        Part("week", "$isoWeek", 1, 53),
        Part("hour", "$hour", 0, 23),
        Part("minute", "$minute", 0, 59),
        Part("second", "$second", 0, 59),
    )
}


def part_lookup(name: str, comparison: str = "eq") -> Compile:
    """Return what compiles a part of a date, compared somehow.

    Args:
        name: The part.
        comparison: `"eq"`, or one of `COMPARISONS`.
    """
    part = PARTS[name]
    compare = _by_expression if part.operator else _by_range
    positive = {"ne": "eq", "nin": "in", "not_in": "in"}.get(comparison)

    def build(shape: Shape, value: Any, place: Place) -> Any:
        if positive is None:
            return compare(part, comparison, value, place)
        return Whole({"$nor": [as_filter(place, compare(part, positive, value, place))]})

    return build


def _operands(part: Part, comparison: str, value: Any, place: Place, read: Callable[..., Any]) -> list[Any]:
    """Return the values of a comparison, each read as a value of the part."""
    if comparison not in ("in", "between"):
        return [read(part, value, place)]
    values = [read(part, item, place) for item in cast_all(Shape(Any, "any"), value, place)]
    if comparison == "between" and len(values) != 2:
        raise place.refuse(value, "between takes a pair of bounds.")
    return values


def _by_range(part: Part, comparison: str, value: Any, place: Place) -> Any:
    ranges = _operands(part, comparison, value, place, _range)
    if comparison == "in":
        each = [as_filter(place, about_one(place, {"$gte": start, "$lt": end})) for start, end in ranges]
        return Whole({"$or": each}) if each else {"$in": []}
    start, end = ranges[0]
    if comparison in ("gt", "gte"):
        return {"$gte": start if comparison == "gte" else end}
    if comparison in ("lt", "lte"):
        return {"$lt": start if comparison == "lt" else end}
    return about_one(place, {"$gte": start, "$lt": ranges[-1][1]})


def _range(part: Part, value: Any, place: Place) -> _Range:
    if part.name == "year":
        year = _whole(value, place, 1, 9998)
        return datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    if isinstance(value, datetime):
        value = (value.astimezone(UTC) if value.tzinfo else value).date()
    day = cast(_DATE, value, place)
    if day is None or day == date.max:
        raise place.refuse(value, "a date is needed.")
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, start + timedelta(days=1)


def _by_expression(part: Part, comparison: str, value: Any, place: Place) -> Any:
    if place.in_element:
        raise InvalidValueError(
            f"{place.model}.{place.field}: MongoDB compares a {part.name} by an expression, which it does not take "
            "inside elem_match.",
            hint="Use a range of dates, year or date, or an aggregation.",
            model=place.model,
            field=place.field,
        )
    values = _operands(part, comparison, value, place, lambda p, v, at: _whole(v, at, p.least, p.greatest))

    def holds(moment: Any) -> dict[str, Any]:
        found = {part.operator: moment}
        if comparison == "in":
            return {"$in": [found, values]}
        if comparison == "between":
            return {"$and": [{"$gte": [found, values[0]]}, {"$lte": [found, values[1]]}]}
        return {f"${comparison}": [found, values[0]]}

    return Whole({"$expr": _any(value_expression(place.target), lists_crossed(place.target), holds)})


def _any(expression: Any, depth: int, holds: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Return the expression that is true when one of the values is a date for which something holds."""
    if not depth:
        # The parts of anything but a date, null and missing ones apart, are errors.
        return {"$cond": [{"$eq": [{"$type": expression}, "date"]}, holds(expression), False]}
    variable = f"item{depth}"
    inner = _any(f"$${variable}", depth - 1, holds)
    values = {"$cond": [{"$isArray": [expression]}, expression, []]}
    return {"$anyElementTrue": [{"$map": {"input": values, "as": variable, "in": inner}}]}


def _whole(value: Any, place: Place, least: int, greatest: int) -> int:
    number = None if isinstance(value, bool) else cast(_INTEGER, value, place)
    if number is None or not least <= number <= greatest:
        raise place.refuse(value, f"a whole number from {least} to {greatest} is needed.")
    return int(number)
