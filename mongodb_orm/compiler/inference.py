"""What an aggregation expression gives: the shape of its result, as far as it can be known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ..exceptions import UnknownFieldError
from ..expressions import Accumulator, Condition, Expression, FieldPath
from ..schema import ANY, Shape, resolve_from
from .names import Scope
from .records import array_of, element_of, in_part, members_of, new_record, record

_TEXT, _NUMBER, _FLAG = Shape(str, "scalar"), Shape(int, "scalar"), Shape(bool, "scalar")
_MOMENT, _FRACTION = Shape(datetime, "scalar"), Shape(float, "scalar")

_KINDS: dict[Shape, str] = {
    _TEXT: "$concat $dateToString $substr $substrBytes $substrCP $toLower $toString $toUpper $trim $ltrim $rtrim "
    "$replaceOne $replaceAll $type",
    _NUMBER: "$size $strLenBytes $strLenCP $indexOfArray $indexOfBytes $indexOfCP $toInt $toLong $bsonSize $binarySize "
    "$cmp $dateDiff $dayOfMonth $dayOfWeek $dayOfYear $hour $isoDayOfWeek $isoWeek $isoWeekYear $millisecond $minute "
    "$month $second $week $year $strcasecmp",
    _FLAG: "$and $or $not $eq $ne $gt $gte $lt $lte $in $isArray $isNumber $regexMatch $allElementsTrue $toBool "
    "$anyElementTrue $setEquals $setIsSubset",
    _MOMENT: "$dateAdd $dateSubtract $dateTrunc $dateFromParts $dateFromString $toDate",
    _FRACTION: "$toDouble $rand $stdDevPop $stdDevSamp",
}
_FIXED = {operator: shape for shape, operators in _KINDS.items() for operator in operators.split()}

_ELEMENTS = frozenset({"$arrayElemAt", "$first", "$last"})
_SAME = frozenset({"$slice", "$reverseArray", "$concatArrays", "$setUnion", "$setIntersection", "$setDifference"})
_SAME_INPUT = frozenset({"$filter", "$sortArray", "$firstN", "$lastN", "$maxN", "$minN", "$setField", "$unsetField"})


def shape_of_expression(scope: Scope, expression: Any) -> Shape | None:
    """Return the shape of an expression's result; None when nothing is known of it."""
    if isinstance(expression, str):
        return _shape_of_text(scope, expression)
    if isinstance(expression, FieldPath):
        return _lenient(scope.current.root, expression)
    if isinstance(expression, Condition):
        return _FLAG
    if isinstance(expression, Expression) or expression is None:
        return None
    if isinstance(expression, list | tuple):
        shapes = [shape_of_expression(scope, item) for item in expression]
        return array_of(_agreed(shapes))
    if not isinstance(expression, Mapping):
        return Shape(type(expression), "scalar") if isinstance(expression, _PLAIN) else None
    operator = next(iter(expression), "")
    if len(expression) == 1 and str(operator).startswith("$"):
        return _shape_of_operator(scope, operator, expression[operator])
    return new_record({str(name): shape_of_expression(scope, value) or ANY for name, value in expression.items()})


_PLAIN = (bool, int, float, Decimal, datetime)


def accumulated_shape(scope: Scope, accumulator: Any) -> Shape | None:
    """Return the shape of what an accumulator or a window function gives."""
    if isinstance(accumulator, Accumulator):
        accumulator = accumulator.document()
    if not isinstance(accumulator, Mapping) or not accumulator:
        return None
    operator, operand = next(((key, value) for key, value in accumulator.items() if key != "window"), ("", None))
    if operator in ("$count", "$rank", "$denseRank", "$documentNumber"):
        return _NUMBER
    if operator == "$sum":
        shape = shape_of_expression(scope, operand)
        return shape if shape is not None and shape.annotation in (int, float, Decimal) else None
    if operator == "$mergeObjects":
        return in_part(shape_of_expression(scope, operand))
    if operator in ("$first", "$last", "$min", "$max", "$locf"):
        return shape_of_expression(scope, operand)
    if operator in ("$push", "$addToSet"):
        return array_of(shape_of_expression(scope, operand))
    if not isinstance(operand, Mapping):
        return None
    if operator in ("$firstN", "$lastN", "$minN", "$maxN"):
        return array_of(shape_of_expression(scope, operand.get("input")))
    if operator in ("$top", "$bottom", "$shift"):
        return shape_of_expression(scope, operand.get("output"))
    if operator in ("$topN", "$bottomN"):
        return array_of(shape_of_expression(scope, operand.get("output")))
    return _FIXED.get(operator)


def _shape_of_text(scope: Scope, text: str) -> Shape | None:
    if not text.startswith("$"):
        return _TEXT
    if not text.startswith("$$"):
        return Scope(scope.current.root).find(text[1:])[1]
    variable, _, rest = text[2:].partition(".")
    shape = scope.variable(variable)
    return Scope(shape).find(rest)[1] if rest and shape is not None else shape


def _shape_of_operator(scope: Scope, operator: str, operand: Any) -> Shape | None:
    arguments: Sequence[Any] = operand if isinstance(operand, list | tuple) else [operand]
    named: Mapping[str, Any] = operand if isinstance(operand, Mapping) else {}
    if operator in _FIXED:
        return _FIXED[operator]
    if operator in _ELEMENTS and arguments:
        return element_of(shape_of_expression(scope, arguments[0]))
    if operator in _SAME:
        return _agreed(
            [shape_of_expression(scope, argument) for argument in arguments if not isinstance(argument, int)]
        )
    if operator in _SAME_INPUT:
        same = shape_of_expression(scope, named.get("input"))
        return same if operator not in ("$setField", "$unsetField") else None
    special = _SPECIAL.get(operator)
    return special(scope, operand) if special is not None else None


def _let(scope: Scope, operand: Any) -> Shape | None:
    if not isinstance(operand, Mapping) or not isinstance(operand.get("vars"), Mapping):
        return None
    bound = {name: shape_of_expression(scope, value) for name, value in operand["vars"].items()}
    return shape_of_expression(scope.binding(bound), operand.get("in"))


def _map(scope: Scope, operand: Any) -> Shape | None:
    if not isinstance(operand, Mapping):
        return None
    variable = str(operand.get("as", "this"))
    inside = scope.binding({variable: element_of(shape_of_expression(scope, operand.get("input")))})
    return array_of(shape_of_expression(inside, operand.get("in")))


def _choice(scope: Scope, operand: Any) -> Shape | None:
    """Return the shape of `$ifNull` and `$cond`, where the alternatives agree on one."""
    if isinstance(operand, Mapping):
        operand = [operand.get("if"), operand.get("then"), operand.get("else")]
    return _agreed([shape_of_expression(scope, item) for item in operand[1:] if item is not None])


def _first_choice(scope: Scope, operand: Any) -> Shape | None:
    values = operand if isinstance(operand, list | tuple) else [operand]
    return _agreed([shape_of_expression(scope, item) for item in values if not _is_nothing(item)])


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, list | dict) and not value)


def _merged(scope: Scope, operand: Any) -> Shape | None:
    values = operand if isinstance(operand, list | tuple) else [operand]
    shapes = [shape_of_expression(scope, value) for value in values]
    if len(shapes) == 1:
        return in_part(element_of(shapes[0]))
    members: dict[str, tuple[str, Shape]] = {}
    is_open = False
    for shape in shapes:
        more, may_have_more = members_of(shape)
        members.update(more)
        is_open = is_open or may_have_more
    return record(members, is_open=is_open)


def _field(scope: Scope, operand: Any) -> Shape | None:
    if isinstance(operand, Mapping) and "field" in operand:
        inside = shape_of_expression(scope, operand.get("input", "$$CURRENT"))
        operand = operand["field"]
    else:
        inside = scope.current.root
    return Scope(inside).find(operand)[1] if isinstance(operand, str) and operand and inside is not None else None


_SPECIAL: dict[str, Callable[[Scope, Any], Shape | None]] = {
    "$let": _let,
    "$map": _map,
    "$cond": lambda scope, operand: _choice(scope, operand) if isinstance(operand, list | tuple | Mapping) else None,
    "$ifNull": _first_choice,
    "$mergeObjects": _merged,
    "$getField": _field,
}


def _agreed(shapes: Sequence[Shape | None]) -> Shape | None:
    """Return the shape that all have, None where they differ."""
    first = shapes[0] if shapes else None
    return first if first is not None and all(shape is first or shape == first for shape in shapes) else None


def _lenient(root: Shape | None, path: FieldPath[Any]) -> Shape | None:
    if root is None:
        return None
    try:
        return resolve_from("", root, path._path).shape
    except UnknownFieldError:
        return None
