"""Names in aggregation expressions, translated within a scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..exceptions import UnsafeQueryError
from ..expressions import Accumulator, Condition, Expression
from ..schema import Shape, step
from .conditions import typed_expression
from .inference import shape_of_expression
from .names import Scope
from .ordering import sort_pairs
from .records import element_of

__all__ = ["JAVASCRIPT", "Scope", "refuse_javascript", "rename_expression", "rename_keys"]

JAVASCRIPT = frozenset({"$where", "$function", "$accumulator"})

_NAMES_OF_OPERATORS = frozenset({"$getField", "$setField", "$unsetField"})
_SORTED_ACCUMULATORS = frozenset({"$top", "$topN", "$bottom", "$bottomN"})


def refuse_javascript(operator: Any, allowed: bool, model: str | None = None) -> None:
    """Raise when an operator runs JavaScript on the server and nobody asked for it.

    Raises:
        UnsafeQueryError: Always, when it does.
    """
    if operator in JAVASCRIPT and not allowed:
        raise UnsafeQueryError(
            f"{operator} runs JavaScript on the server.",
            hint="Write it with operators, or allow it (allow_javascript) when the code is your own.",
            model=model,
            field=operator,
        )


def rename_expression(scope: Scope, expression: Any, *, allow_javascript: bool = False) -> Any:
    """Translate the field paths in an expression; the original is not changed.

    Paths of `Model.f`, calculations, conditions and accumulators become MongoDB's expressions.

    Raises:
        UnsafeQueryError: When it runs JavaScript that nobody asked for.
        UnknownFieldError: When a typed path leads nowhere.
    """
    return _Renamer(allow_javascript).rename(scope, expression)


class _Renamer:
    def __init__(self, allow_javascript: bool) -> None:
        self._allow_javascript = allow_javascript

    def rename(self, scope: Scope, value: Any) -> Any:
        if isinstance(value, str):
            return _rename_path(scope, value)
        if isinstance(value, Mapping):
            return self._mapping(scope, value)
        if isinstance(value, list | tuple):
            return [self.rename(scope, item) for item in value]
        if isinstance(value, Expression | Condition):
            current = scope.current
            return typed_expression(current.name, current.root, value)
        if isinstance(value, Accumulator):
            return self.rename(scope, value.document())
        return value

    def _mapping(self, scope: Scope, value: Mapping[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for operator, operand in value.items():
            refuse_javascript(operator, self._allow_javascript)
            result[operator] = self._operand(scope, operator, operand)
        return result

    def _operand(self, scope: Scope, operator: str, operand: Any) -> Any:
        if operator in ("$literal", "$meta"):
            return operand
        if operator in _NAMES_OF_OPERATORS:
            return self._field_operator(scope, operand)
        if not isinstance(operand, Mapping):
            return self.rename(scope, operand)
        if operator == "$let":
            return self._let(scope, operand)
        if operator in ("$map", "$filter"):
            bound = {str(operand.get("as", "this")): element_of(shape_of_expression(scope, operand.get("input")))}
            return self._binding(scope, operand, bound, "input", "limit")
        if operator == "$reduce":
            bound = {
                "this": element_of(shape_of_expression(scope, operand.get("input"))),
                "value": shape_of_expression(scope, operand.get("initialValue")),
            }
            return self._binding(scope, operand, bound, "input", "initialValue")
        if operator == "$sortArray":
            inside = Scope(element_of(shape_of_expression(scope, operand.get("input"))))
            return {**self._mapping(scope, operand), "sortBy": rename_keys(inside, operand.get("sortBy"))}
        if operator in _SORTED_ACCUMULATORS and "sortBy" in operand:
            return {**self._mapping(scope, operand), "sortBy": rename_keys(scope, operand["sortBy"])}
        return self._mapping(scope, operand)

    def _let(self, scope: Scope, operand: Mapping[str, Any]) -> dict[str, Any]:
        variables = operand.get("vars")
        if not isinstance(variables, Mapping):
            return self._mapping(scope, operand)
        bound = {name: shape_of_expression(scope, value) for name, value in variables.items()}
        return self._binding(scope, operand, bound, "vars")

    def _binding(
        self, scope: Scope, operand: Mapping[str, Any], bound: Mapping[str, Shape | None], *outside: str
    ) -> dict[str, Any]:
        """Translate an operator that binds variables; the options named do not see them."""
        inside = scope.binding(bound)
        return {
            key: value if key == "as" else self.rename(scope if key in outside else inside, value)
            for key, value in operand.items()
        }

    def _field_operator(self, scope: Scope, operand: Any) -> Any:
        """Translate `$getField` and `$setField`, which take a field's name as it is, without a dollar."""
        if isinstance(operand, Mapping) and "field" in operand:
            inside = Scope(shape_of_expression(scope, operand.get("input", "$$CURRENT")))
            return {**self._mapping(scope, operand), "field": _member(inside, operand["field"], self, scope)}
        return _member(scope.current, operand, self, scope)


def _member(inside: Scope, name: Any, renamer: _Renamer, scope: Scope) -> Any:
    if isinstance(name, Mapping) and name.keys() in ({"$literal"}, {"$const"}):
        ((operator, literal),) = name.items()
        return {operator: _own_name(inside, literal)}
    return _own_name(inside, name) if _is_plain(name) else renamer.rename(scope, name)


def _own_name(inside: Scope, name: Any) -> Any:
    found = step(inside.root, name) if inside.root is not None and isinstance(name, str) else None
    return found[0] if found is not None else name


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and not value.startswith("$")


def _rename_path(scope: Scope, text: str) -> str:
    if not text.startswith("$") or text == "$":
        return text
    if not text.startswith("$$"):
        return "$" + scope.current.path(text[1:])
    variable, dot, rest = text.partition(".")
    if not dot:
        return text
    shape = scope.variable(variable[2:])
    return text if shape is None else f"{variable}.{replace(scope, root=shape).path(rest)}"


def rename_keys(scope: Scope, body: Any) -> Any:
    """Translate a sort order: MongoDB's mapping, or any form that `order_by` takes."""
    if isinstance(body, Mapping) and all(isinstance(name, str) for name in body) and not scope.is_strict:
        return {scope.path(name): value for name, value in body.items()}
    if isinstance(body, int | float) or body is None:  # the direction of a list of plain values
        return body
    return dict(sort_pairs(scope.name, scope.path, body))
