"""Paths, calculations and conditions, compiled to aggregation expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exceptions import QueryError, UnknownLookupError
from ..expressions import And, Calculated, Compare, Condition, Expression, FieldPath, Keywords, Not, Or
from ..schema import ANY, Resolved, Shape, resolve_from
from .calculations import CalculationCompiler
from .casting import Place, cast, cast_all
from .keywords import split
from .paths import value_expression

_COMPARISONS = {"exact": "eq", "eq": "eq", "ne": "ne", "gt": "gt", "gte": "gte", "lt": "lt", "lte": "lte"}
_LOOKUPS = (*_COMPARISONS, "in", "nin", "not_in", "between", "isnull", "contains")


def typed_expression(name: str, root: Shape | None, value: Expression | Condition) -> Any:
    """Translate a path of `Model.f`, a calculation or a condition.

    Args:
        name: What messages call the documents.
        root: Their shape, None when nothing is known of them.
        value: What is translated.

    Raises:
        UnknownFieldError: When it names a field that the documents have not.
        QueryError: When a condition has no form as an expression.
    """
    name = name or "The document"
    if isinstance(value, FieldPath):
        return value_expression(resolve_from(name, root or ANY, value._path))
    if isinstance(value, Expression):
        return CalculationCompiler(name, root or ANY).value(value)
    return _ConditionCompiler(name, root or ANY).compile(value)


class _ConditionCompiler:
    """Compiles conditions so that they hold for the same documents as in a filter."""

    def __init__(self, name: str, root: Shape) -> None:
        self._name = name
        self._root = root
        self._calculations = CalculationCompiler(name, root)

    def compile(self, condition: Condition) -> Any:
        if isinstance(condition, And):
            return self._joined("$and", list(condition.parts))
        if isinstance(condition, Or):
            return self._joined("$or", list(condition.parts))
        if isinstance(condition, Not):
            return {"$not": [self.compile(condition.part)]}
        if isinstance(condition, Calculated):
            return self._calculations.compare(condition)["$expr"]
        if isinstance(condition, Compare):
            target = resolve_from(self._name, self._root, condition.path)
            return self._compare(target, condition.lookup, ".".join(condition.path), condition.value)
        if isinstance(condition, Keywords):
            parts = []
            for keyword, value in condition.lookups:
                target, lookup = split(self._name, self._root, keyword)
                parts.append(self._compare(target, lookup, keyword, value))
            return parts[0] if len(parts) == 1 else {"$and": parts}
        raise QueryError(
            f"{type(condition).__name__} is no condition inside an expression.",
            hint="Use lookups and comparisons, or write the expression: {'$gt': ['$age', 18]}.",
        )

    def _joined(self, operator: str, parts: list[Condition]) -> Any:
        compiled = [self.compile(part) for part in parts]
        return compiled[0] if len(compiled) == 1 else {operator: compiled}

    def _compare(self, target: Resolved, lookup: str, field: str, value: Any) -> Any:
        place = Place(self._name, field, target)
        shape = target.shape
        if lookup not in _LOOKUPS or (shape.kind == "array" and lookup not in ("contains", "isnull")):
            raise UnknownLookupError(self._name, field, lookup, [*_LOOKUPS])
        path = value_expression(target)
        if lookup == "isnull":
            is_null = {"$eq": [{"$ifNull": [path, None]}, None]}
            return is_null if value else {"$not": [is_null]}
        if lookup == "contains":
            if shape.kind not in ("array", "any"):
                raise place.refuse(value, "inside an expression, contains takes lists.", "Write {'$regexMatch': ...}.")
            return {"$in": [_literal(cast(shape.element or ANY, value, place)), {"$ifNull": [path, []]}]}
        if lookup in ("in", "nin", "not_in"):
            found = {"$in": [{"$ifNull": [path, None]}, [_literal(item) for item in cast_all(shape, value, place)]]}
            return found if lookup == "in" else {"$not": [found]}
        if lookup == "between":
            bounds = cast_all(shape, value, place)
            if len(bounds) != 2 or None in bounds:
                raise place.refuse(value, "between takes a pair of bounds.")
            low, high = map(_literal, bounds)
            return {"$and": [{"$gte": [path, low]}, {"$lte": [path, high]}]}
        return self._ordered(path, _COMPARISONS[lookup], cast(shape, value, place), place)

    def _ordered(self, path: Any, operator: str, value: Any, place: Place) -> Any:
        if operator in ("eq", "ne"):
            left = {"$ifNull": [path, None]} if value is None else path
            return {f"${operator}": [left, _literal(value)]}
        if value is None:
            raise place.refuse(value, "None has no order.", "Use isnull.")
        compared = {f"${operator}": [path, _literal(value)]}
        # In an expression null is less than everything else; in a filter it is less than nothing.
        return {"$and": [{"$gt": [path, None]}, compared]} if operator in ("lt", "lte") else compared


def _literal(value: Any) -> Any:
    """Return a plain value as one that is never taken for a path or an operator."""
    return {"$literal": value} if isinstance(value, str | Mapping | list | tuple) or hasattr(value, "value") else value
