"""Calculations with fields, compiled to aggregation expressions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal

from ..exceptions import InvalidValueError, QueryError
from ..expressions import Calculated, Expression, FieldPath, Operation
from ..schema import Shape, resolve_from
from .casting import Place, cast
from .paths import value_expression

Kind = Literal["number", "text", "date", "duration", "other"]

_MICROSECONDS = 1000  # in the milliseconds in which MongoDB counts between dates
_MICROSECOND = timedelta(microseconds=1)


class CalculationCompiler:
    """Compiles calculations with the fields of documents of a shape, which messages call `name`.

    Attributes:
        names: The top-level stored fields that were named.
    """

    def __init__(self, name: str, root: Shape) -> None:
        self._name = name
        self._root = root
        self.names: set[str] = set()

    def compare(self, condition: Calculated) -> dict[str, Any]:
        """Return the `$expr` of a comparison.

        In an order null is the least for MongoDB, and a missing field is less than that; a comparison with nothing
        should not hold, so the lesser side must be something.
        """
        left, right = condition.left, condition.right
        compared = {f"${condition.operator}": [self._operand(left, right), self._operand(right, left)]}
        lesser = {"lt": left, "lte": left, "gt": right, "gte": right}.get(condition.operator)
        if not isinstance(lesser, Expression):
            return {"$expr": compared}
        other = right if lesser is left else left
        return {"$expr": {"$and": [{"$gt": [self._operand(lesser, other), None]}, compared]}}

    def value(self, expression: Expression) -> Any:
        """Return the aggregation expression of a path or a calculation."""
        return self._operand(expression, None)

    def _operand(self, value: Any, other: Any) -> Any:
        if isinstance(value, FieldPath):
            target = resolve_from(self._name, self._root, self._path(value))
            self.names.add(target.stored.partition(".")[0])
            return value_expression(target)
        if isinstance(value, Operation):
            return self._operation(value)
        if isinstance(other, FieldPath):
            value = cast(self._shape(other), value, Place(self._name, str(other)))
        return _literal(value)

    def _operation(self, operation: Operation) -> Any:
        operands = operation.operands
        if operation.operator == "negate":
            return {"$multiply": [-1, self._operand(operands[0], None)]}
        kinds = [self._kind(operand) for operand in operands]
        if "text" in kinds and (operation.operator != "add" or any(map(_is_number, operands))):
            raise InvalidValueError(
                f"{self._name}: MongoDB cannot {operation.operator} text and what is none.",
                hint="Text takes + and other text.",
                model=self._name,
            )
        compiled = [self._operand(operand, None) for operand in operands]
        if operation.operator == "add" and "text" in kinds:
            return {"$concat": compiled}
        if operation.operator in ("add", "subtract") and "date" in kinds:
            if kinds == ["date", "date"]:
                return {"$multiply": [{f"${operation.operator}": compiled}, _MICROSECONDS]}
            compiled = [
                {"$divide": [operand, _MICROSECONDS]} if kind == "duration" else operand
                for operand, kind in zip(compiled, kinds, strict=True)
            ]
        return {f"${operation.operator}": compiled}

    def _kind(self, value: Any) -> Kind:
        if isinstance(value, Operation):
            kinds: list[Kind] = [self._kind(operand) for operand in value.operands]
            if kinds == ["date", "date"]:
                return "duration"
            return min(kinds, key=_RANK.__getitem__)
        python_type: Any = self._shape(value).annotation if isinstance(value, FieldPath) else type(value)
        if not isinstance(python_type, type):
            return "other"
        for kind, types in _KINDS.items():
            if issubclass(python_type, types):
                return kind
        return "other"

    def _shape(self, path: FieldPath[Any]) -> Shape:
        return resolve_from(self._name, self._root, self._path(path)).shape

    def _path(self, path: FieldPath[Any]) -> tuple[str, ...]:
        if not path._path:
            raise QueryError(f"{self._name}.f is no field; write {self._name}.f.<field>.")
        return path._path


_RANK: dict[Kind, int] = {"date": 0, "text": 1, "duration": 2, "number": 3, "other": 4}
_KINDS: dict[Kind, tuple[type, ...]] = {"text": (str,), "date": (datetime, date), "duration": (timedelta,)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _literal(value: Any) -> Any:
    """Return a plain value as one that is never taken for a path or an operator."""
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    is_plain = value is None or isinstance(value, int | float | datetime)
    return value if is_plain and not isinstance(value, Mapping) else {"$literal": value}
