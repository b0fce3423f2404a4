"""Serializers that make plain data of objects and values, as it is to be stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pydantic
from pydantic_core import SchemaSerializer, core_schema

from .rewriting import ARBITRARY, Node, Rewriter, adapter_config, build, innermost, is_users, stored_fields


def storage_serializer(model: type[pydantic.BaseModel]) -> SchemaSerializer:
    """Return the serializer that makes plain data of an object, as it is to be stored.

    It writes stored names and every field. Serializers that a user wrote for an API do not shape what is stored: a
    masked or shortened value would be lost for good. They do serve types that BSON could not hold otherwise.
    """
    return build(SchemaSerializer, _DumpSchema().walk(model.__pydantic_core_schema__))


def value_serializer(schema: Any) -> SchemaSerializer | None:
    """Return the serializer that makes a value, valid by a core schema, what is stored of it.

    None when the encoder knows everything that such a value may hold, as is usual: what is left are types of other
    people and keys of mappings that are no text.
    """
    dumper = _DumpSchema()
    rewritten = dumper.walk(schema)
    return build(SchemaSerializer, rewritten) if dumper.shapes_values else None


def cast_serializer(annotation: Any) -> SchemaSerializer | None:
    """Return the serializer for what `cast_validator` makes of lookup values; see `value_serializer`."""
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(annotation, config=adapter_config(annotation))
    return value_serializer(adapter.core_schema)


class _DumpSchema(Rewriter):
    """Leaves out what shapes values for an API.

    Attributes:
        shapes_values: Whether something outside of models, which the encoder dumps by themselves, is stored otherwise
            than the encoder would.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shapes_values = False

    def visit(self, kind: str, node: Node) -> Any:
        serialization = node.get("serialization")
        if isinstance(serialization, dict):
            if innermost(node)["type"] in ARBITRARY:
                self.shapes_values = self.shapes_values or not self._classes
            elif is_users(serialization.get("function")):
                node = {key: value for key, value in node.items() if key != "serialization"}
        return super().visit(kind, node)

    def on_model(self, node: Node) -> Node:
        config = dict(node.get("config") or {})
        config.pop("serialize_by_alias", None)
        return {**node, "config": config}

    def on_model_fields(self, node: Node) -> Node:
        node["computed_fields"] = []
        for name, stored in stored_fields(self._classes, node).items():
            field = node["fields"][name]
            field["serialization_alias"] = stored
            field.pop("serialization_exclude", None)
            field.pop("serialization_exclude_if", None)
        return node

    def on_dict(self, node: Node) -> Node:
        keys = node.get("keys_schema")
        if keys is not None and innermost(keys)["type"] != "str":
            node["serialization"] = core_schema.wrap_serializer_function_ser_schema(_text_keys)
            self.shapes_values = self.shapes_values or not self._classes
        return node


def _text_keys(value: Any, handler: Callable[[Any], Any]) -> dict[str, Any]:
    return {text_key(key): item for key, item in handler(value).items()}


def text_key(key: Any) -> str:
    """Return a key of a mapping as it is stored: BSON has only text."""
    return key.isoformat() if isinstance(key, datetime) else str(getattr(key, "value", key))
