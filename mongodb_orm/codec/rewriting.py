"""Core schemas of Pydantic, taken apart and put together otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial
from typing import Any, TypeVar

import pydantic
from pydantic_core import SchemaSerializer, SchemaValidator
from typing_extensions import is_typeddict

from ..schema import fields_of

OPAQUE = frozenset({"metadata", "cls", "function", "ref", "default", "default_factory", "config", "expected"})
ARBITRARY = frozenset({"any", "is-instance", "function-plain", "callable", "is-subclass"})
_OURS = frozenset({"pydantic", "pydantic_core", "pydantic_extra_types", "mongodb_orm", "functools", "builtins"})


Node = dict[str, Any]
_S = TypeVar("_S", SchemaValidator, SchemaSerializer)


def adapter_config(annotation: Any) -> pydantic.ConfigDict | None:
    """Return the configuration for an adapter; a class that brings its own takes none."""
    if isinstance(annotation, type) and (
        hasattr(annotation, "__pydantic_config__")
        or issubclass(annotation, pydantic.BaseModel)
        or is_dataclass(annotation)
        or is_typeddict(annotation)
    ):
        return None
    return pydantic.ConfigDict(arbitrary_types_allowed=True)


def build(kind: type[_S], schema: Any) -> _S:
    """Return a validator or serializer by a schema that was rewritten."""
    # Nested models must use the rewritten schema, not what their class has built already.
    return kind(schema, _use_prebuilt=False)


class Rewriter:
    """Copies a core schema and gives each node, children first, to the method named after its type."""

    def __init__(self) -> None:
        self._classes: list[type] = []

    def walk(self, node: Any) -> Any:
        """Return a copy of a schema, rewritten."""
        if isinstance(node, list):
            return [self.walk(item) for item in node]
        if isinstance(node, tuple):
            return tuple(self.walk(item) for item in node)
        if not isinstance(node, dict):
            return node
        is_model = node.get("type") == "model"
        if is_model:
            self._classes.append(node["cls"])
        copied = {key: value if key in OPAQUE else self.walk(value) for key, value in node.items()}
        kind = copied.get("type")
        if isinstance(kind, str):
            copied = self.visit(kind, copied)
        if is_model:
            self._classes.pop()
        return copied

    def visit(self, kind: str, node: Node) -> Any:
        """Return what stands for one node, whose children are rewritten."""
        rewrite = getattr(self, "on_" + kind.replace("-", "_"), None)
        return node if rewrite is None else rewrite(node)


def stored_fields(classes: list[type], node: Node) -> dict[str, str]:
    """Return the stored name of each field of a `model-fields` node."""
    cls = classes[-1]
    fields = fields_of(cls)
    return {name: fields[name].stored if name in fields else name for name in node["fields"]}


def function_of(node: Node) -> Callable[..., Any] | None:
    """Return the function that a node calls, or None."""
    function = node.get("function")
    return function.get("function") if isinstance(function, dict) else None


def is_users(function: Any) -> bool:
    """Return whether a function is the user's, neither Pydantic's nor ours."""
    while isinstance(function, partial):
        function = function.func
    module = getattr(function, "__module__", None) or type(function).__module__
    return function is not None and str(module).partition(".")[0] not in _OURS


def innermost(node: Node) -> Node:
    """Return what is left of a node without validators and defaults around it."""
    while isinstance(node.get("schema"), dict) and node["type"] != "model":
        node = node["schema"]
    return node
