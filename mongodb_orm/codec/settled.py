"""What a field's type says of how much a change of it has to be looked at."""

from __future__ import annotations

from typing import Any

from pydantic_core import SchemaValidator

from ..schema import MappedModel
from .rewriting import OPAQUE, Node, function_of, is_users

_WRAPPERS = frozenset({"default", "nullable"})
_PLAIN = frozenset({"str", "int", "float", "bool", "bytes"})
_OBJECTS = frozenset({"model", "dataclass", "definition-ref"})
_TOUCHING = frozenset(
    {"strip_whitespace", "to_lower", "to_upper", "str_strip_whitespace", "str_to_lower", "str_to_upper"}
)


def settled_fields(model: type[MappedModel]) -> dict[str, SchemaValidator]:
    """Return the fields of which every value that fits is read as it is, with what finds whether one fits.

    They are plain scalars that nothing touches, neither code of the user, for the field or the whole model, nor a
    setting, so they can be validated alone.
    """
    if model.model_config.keys() & _TOUCHING:
        return {}
    node: Any = model.__pydantic_core_schema__
    config: Any = None
    while node["type"] != "model-fields":
        if "schema" not in node or is_users(function_of(node)):
            return {}
        config = node.get("config", config)
        node = node["schema"]
    kind = getattr(model, "__mongo_kind_field__", None)
    return {
        name: SchemaValidator(field["schema"], config)
        for name, field in node["fields"].items()
        if name != kind and _is_settled(field["schema"])
    }


def nesting_fields(model: type[MappedModel]) -> frozenset[str]:
    """Return the fields that hold objects of Pydantic classes or dataclasses, at whatever depth."""
    node: Any = model.__pydantic_core_schema__
    while node["type"] != "model-fields" and "schema" in node:
        node = node["schema"]
    return frozenset(name for name, field in node.get("fields", {}).items() if _holds_objects(field["schema"]))


def _holds_objects(node: Any) -> bool:
    if isinstance(node, dict):
        return node.get("type") in _OBJECTS or any(_holds_objects(node[key]) for key in node if key not in OPAQUE)
    return isinstance(node, list | tuple) and any(map(_holds_objects, node))


def _is_settled(node: Node) -> bool:
    while node["type"] in _WRAPPERS:
        node = node["schema"]
    return node["type"] in _PLAIN and not node.keys() & _TOUCHING
