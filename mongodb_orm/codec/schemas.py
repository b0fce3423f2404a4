"""Validators that read stored documents and cast values of lookups, made of a model's own core schema."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pydantic
from bson import Decimal128
from pydantic import EmailStr
from pydantic_core import SchemaValidator, core_schema

from ..schema import LoadValidation, MappedModel, spec_of
from ..schema.normalizing import with_utc_datetimes
from ..timestamps import in_utc
from .rewriting import Node, Rewriter, adapter_config, build, function_of, innermost, is_users, stored_fields

_CONTAINERS = {"list": "items_schema", "set": "items_schema", "frozenset": "items_schema", "dict": "values_schema"}
_CONSTRAINTS = frozenset(
    {
        "gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "allow_inf_nan", "max_digits",
        "decimal_places", "now_op", "tz_constraint", "to_lower", "to_upper", "strip_whitespace", "strict",
    }
)  # fmt: skip
Only = frozenset[str] | None


def load_validator(model: type[MappedModel], only: Only = None) -> tuple[SchemaValidator, bool]:
    """Return the validator that makes objects of stored documents.

    It expects stored names, passes over fields that the model does not know, accepts what BSON made of a type
    (microseconds for a duration), and does not prove a format again that was proved on writing.

    Args:
        model: The model class.
        only: The fields that documents come with, when it is not all; validators of the whole model are left out then.

    Returns:
        The validator, and whether it wants what `PLAIN_OPTIONS` decode: naive datetimes and Decimal128, which it
        finishes itself. It does when no user code and no untyped part of the document can meet them before.
    """
    reader = _LoadSchema(model, plain=True, only=only)
    rewritten = reader.read(model.__pydantic_core_schema__)
    if reader.meets_raw_values:
        return patient_load_validator(model, only), False
    return build(SchemaValidator, rewritten), True


def patient_load_validator(model: type[MappedModel], only: Only = None) -> SchemaValidator:
    """Return the validator for documents that `CODEC_OPTIONS` decode, which works for every model."""
    return build(SchemaValidator, _LoadSchema(model, plain=False, only=only).read(model.__pydantic_core_schema__))


def value_validator(annotation: Any) -> SchemaValidator:
    """Return the validator that makes a stored value, decoded by `CODEC_OPTIONS`, what a field of that type holds.

    Constraints are left out: a sum may well be beyond what one document may hold.
    """
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(annotation, config=adapter_config(annotation))
    return build(SchemaValidator, with_utc_datetimes(_LoadSchema(None, plain=False).walk(adapter.core_schema)))


def summary_validator(model: type[pydantic.BaseModel], by_name: frozenset[type]) -> SchemaValidator:
    """Return the validator that makes a plain Pydantic model of a decoded row.

    Args:
        model: The model.
        by_name: The models, this one and nested ones, whose fields come under their own names, not their aliases.
    """
    if not model.__pydantic_complete__:
        model.model_rebuild()
    reader = _LoadSchema(None, plain=False, by_name=by_name, validation="standard")
    return build(SchemaValidator, with_utc_datetimes(reader.walk(model.__pydantic_core_schema__)))


def cast_validator(annotation: Any) -> SchemaValidator:
    """Return the validator that casts lookup values to a type, without the constraints of stored values."""
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(annotation, config=adapter_config(annotation))
    return build(SchemaValidator, with_utc_datetimes(_CastSchema().walk(adapter.core_schema)))


class _LoadSchema(Rewriter):
    def __init__(
        self,
        model: type[MappedModel] | None,
        *,
        plain: bool,
        only: Only = None,
        by_name: frozenset[type] = frozenset(),
        validation: LoadValidation = "types",
    ) -> None:
        super().__init__()
        self._validation = spec_of(model).settings.validation_on_load if model is not None else validation
        self._only = only
        self._by_name = by_name
        self._plain = plain
        self.meets_raw_values = False

    def read(self, schema: Any) -> Any:
        """Rewrite the schema of the whole model, of which only a part may be loaded.

        What the model refers to, itself perhaps, is loaded in full all the same.
        """
        if self._only is None or schema["type"] != "definitions":
            return self.walk(schema)
        definitions = {definition["ref"]: definition for definition in schema["definitions"]}
        root = schema["schema"]
        while root["type"] == "definition-ref":
            root = definitions[root["schema_ref"]]
        own = self.walk({key: value for key, value in root.items() if key != "ref"})
        self._only = None
        return {**schema, "schema": own, "definitions": self.walk(schema["definitions"])}

    def visit(self, kind: str, node: Node) -> Any:
        if kind == "any" or kind == "is-instance" or (kind in _CONTAINERS and _CONTAINERS[kind] not in node):
            self.meets_raw_values = True
        node.pop("strict", None)
        if self._validation == "types":
            node = {key: value for key, value in node.items() if key not in _CONSTRAINTS}
            if kind == "str":
                node.pop("pattern", None)
        return super().visit(kind, node)

    def on_model(self, node: Node) -> Node:
        config = dict(node.get("config") or {})
        if config.get("extra_fields_behavior") == "forbid":
            config["extra_fields_behavior"] = "ignore"
        config.update(validate_by_alias=True, validate_by_name=False)
        config.pop("populate_by_name", None)
        config.pop("strict", None)
        cls = node["cls"]
        if issubclass(cls, MappedModel) and cls.__init__ is MappedModel.__init__:
            node["custom_init"] = False
        return {**node, "config": config}

    def on_model_fields(self, node: Node) -> Node:
        if node.get("extra_behavior") == "forbid":
            node["extra_behavior"] = "ignore"
        if self._classes[-1].model_config.get("extra") == "allow":  # type: ignore[attr-defined]
            self.meets_raw_values = True
        if self._only is not None and len(self._classes) == 1:
            node["fields"] = {name: field for name, field in node["fields"].items() if name in self._only}
        is_by_name = self._classes[-1] in self._by_name
        for name, field in stored_fields(self._classes, node).items():
            node["fields"][name]["validation_alias"] = name if is_by_name else field
        id_field = getattr(self._classes[-1], "__mongo_id_field__", None)
        if id_field in node["fields"]:  # an object inside another one may have been stored without an id
            field = node["fields"][id_field]
            node["fields"][id_field] = {**field, "schema": core_schema.nullable_schema(field["schema"])}
        return node

    def on_datetime(self, node: Any) -> Any:
        naive_wanted = node.get("tz_constraint") == "naive"
        if naive_wanted == self._plain:
            return node
        return core_schema.no_info_before_validator_function(_naive if naive_wanted else _aware, node)

    def on_decimal(self, node: Any) -> Any:
        return core_schema.no_info_before_validator_function(_decimal, node) if self._plain else node

    def on_timedelta(self, node: Any) -> Any:
        return core_schema.no_info_before_validator_function(_duration, node)

    def on_function_after(self, node: Node) -> Any:
        function = function_of(node)
        if function is in_utc:
            return node["schema"]
        if _is_email_check(function) and self._validation != "full":
            return node["schema"]
        return self._user_function(node, function)

    def on_function_before(self, node: Node) -> Any:
        return self._user_function(node, function_of(node), raw=True)

    def on_function_wrap(self, node: Node) -> Any:
        return self._user_function(node, function_of(node), raw=True)

    def on_function_plain(self, node: Node) -> Any:
        self._user_function(node, function_of(node), raw=True)
        return node

    def _user_function(self, node: Node, function: Callable[..., Any] | None, *, raw: bool = False) -> Any:
        if function in (_aware, _naive, _decimal, _duration) or not is_users(function):
            return node
        if "schema" in node and (self._validation == "types" or self._is_partial(node["schema"])):
            return node["schema"]
        self.meets_raw_values = self.meets_raw_values or raw
        return node

    def _is_partial(self, node: Node) -> bool:
        """Return whether a node stands for the whole model, of which only a part is loaded."""
        if self._only is None or len(self._classes) > 1:
            return False
        return not self._classes or innermost(node)["type"] == "model-fields"


class _CastSchema(Rewriter):
    def visit(self, kind: str, node: Node) -> Any:
        node = {key: value for key, value in node.items() if key not in _CONSTRAINTS}
        if kind == "str":
            node.pop("pattern", None)
        return super().visit(kind, node)

    def on_function_after(self, node: Node) -> Any:
        return node["schema"] if _is_email_check(function_of(node)) else node


def _is_email_check(function: Any) -> bool:
    return getattr(function, "__self__", None) is EmailStr


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)


def _aware(value: Any) -> Any:
    # The sum is several times faster than value.replace(tzinfo=UTC).
    return _EPOCH + (value - _NAIVE_EPOCH) if type(value) is datetime else value


def _naive(value: Any) -> Any:
    return value.replace(tzinfo=None) if type(value) is datetime else value


def _decimal(value: Any) -> Any:
    return value.to_decimal() if type(value) is Decimal128 else value


def _duration(value: Any) -> Any:
    return timedelta(microseconds=value) if isinstance(value, int) else value
