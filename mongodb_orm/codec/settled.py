"""Fields so plain that a change of one needs no look at the rest of its document."""

from __future__ import annotations

from typing import Any

from pydantic_core import SchemaValidator

from ..schema import MappedModel
from .rewriting import Node, function_of, is_users

_WRAPPERS = frozenset({"default", "nullable"})
_PLAIN = frozenset({"str", "int", "float", "bool", "bytes"})
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


def _is_settled(node: Node) -> bool:
    while node["type"] in _WRAPPERS:
        node = node["schema"]
    return node["type"] in _PLAIN and not node.keys() & _TOUCHING
