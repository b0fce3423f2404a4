"""Names in aggregation expressions, translated within a scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..exceptions import UnsafeQueryError
from ..schema import Shape, step

_JAVASCRIPT = frozenset({"$where", "$function", "$accumulator"})
_EACH_ELEMENT = {"$map": ("as", "in"), "$filter": ("as", "cond")}


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at one point of a pipeline.

    Attributes:
        root: The shape of the documents, None once they have nothing of a model.
        extra: Fields that stages added, and variables (`$$name`); None where nothing is known of them.
    """

    root: Shape | None
    extra: Mapping[str, Shape | None] = field(default_factory=dict)

    def find(self, dotted: str) -> tuple[str, Shape | None]:
        """Translate a dotted path as far as it is known, and return what is found there."""
        stored: list[str] = []
        current = self.root
        for position, part in enumerate(dotted.split(".")):
            if position == 0 and part in self.extra:
                found = (part, self.extra[part])
            else:
                found = (current and step(current, part)) or (part, None)
            stored.append(found[0])
            current = found[1]
        return ".".join(stored), current

    def path(self, dotted: str) -> str:
        """Translate a dotted path."""
        return self.find(dotted)[0]

    def adding(self, added: Mapping[str, Shape | None]) -> Scope:
        """Return the scope with more fields; names that the model has itself keep their meaning."""
        new = {
            name: shape
            for name, shape in added.items()
            if self.root is None or step(self.root, name) is None or shape is not None
        }
        return replace(self, extra={**self.extra, **new}) if new else self


def refuse_javascript(operator: Any, allowed: bool, model: str | None = None) -> None:
    """Raise when an operator runs JavaScript on the server and nobody asked for it.

    Raises:
        UnsafeQueryError: Always, when it does.
    """
    if operator in _JAVASCRIPT and not allowed:
        raise UnsafeQueryError(
            f"{operator} runs JavaScript on the server.",
            hint="Write it with operators, or allow it (allow_javascript) when the code is your own.",
            model=model,
            field=operator,
        )


def rename_expression(scope: Scope, expression: Any, *, allow_javascript: bool = False) -> Any:
    """Translate the field paths in an expression; the original is not changed.

    Raises:
        UnsafeQueryError: When it runs JavaScript that nobody asked for.
    """
    if isinstance(expression, str):
        return _rename_path(scope, expression)
    if isinstance(expression, list | tuple):
        return [rename_expression(scope, item, allow_javascript=allow_javascript) for item in expression]
    if not isinstance(expression, Mapping):
        return expression
    result: dict[str, Any] = {}
    for key, value in expression.items():
        refuse_javascript(key, allow_javascript)
        inner = scope
        if key == "$literal":
            result[key] = value
            continue
        if key in _EACH_ELEMENT and isinstance(value, Mapping):
            inner = scope.adding({f"$${value.get('as', 'this')}": shape_of_path(scope, value.get("input"))})
        elif key == "$let" and isinstance(value, Mapping) and isinstance(value.get("vars"), Mapping):
            inner = scope.adding({f"$${name}": shape_of_path(scope, bound) for name, bound in value["vars"].items()})
        if key == "$getField" and isinstance(value, str) and not value.startswith("$"):
            result[key] = scope.path(value)
        else:
            result[key] = rename_expression(inner, value, allow_javascript=allow_javascript)
    return result


def shape_of_path(scope: Scope, expression: Any) -> Shape | None:
    """Return what a field path leads to; None for any other expression."""
    if not isinstance(expression, str) or not expression.startswith("$"):
        return None
    if expression in ("$$ROOT", "$$CURRENT"):
        return scope.root
    if expression.startswith("$$"):
        name, _, rest = expression.partition(".")
        shape = scope.extra.get(name)
        return Scope(shape).find(rest)[1] if rest and shape else shape
    return scope.find(expression[1:])[1]


def _rename_path(scope: Scope, text: str) -> str:
    if not text.startswith("$") or text == "$":
        return text
    if not text.startswith("$$"):
        return "$" + scope.path(text[1:])
    variable, dot, rest = text.partition(".")
    if not dot:
        return text
    if variable in ("$$ROOT", "$$CURRENT"):
        return f"{variable}.{scope.path(rest)}"
    shape = scope.extra.get(variable)
    return f"{variable}.{Scope(shape).path(rest)}" if shape is not None else text
