"""What a client may send, derived from a model."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from copy import copy
from functools import lru_cache
from typing import Any

import pydantic
from pydantic import ConfigDict
from pydantic_core import PydanticUndefined

from ...ids import AssignedId
from ...schema import MappedModel, spec_of


def create_model_of(model: type[MappedModel], *, exclude: Iterable[str] = ()) -> type[pydantic.BaseModel]:
    """Return the Pydantic model of a new document: the fields of `model` but those that it manages itself.

    Left out are the id where it is generated, timestamps, marks of soft deletion, `Meta.protected`, and `exclude`.
    Unknown fields are refused. Constraints hold here; validators of the model run when the document is made.

    Example:
        >>> create_model_of(User).model_fields.keys()
        dict_keys(['username', 'email', 'age'])
    """
    return _derived(model, frozenset(exclude), False)


def update_model_of(model: type[MappedModel], *, exclude: Iterable[str] = ()) -> type[pydantic.BaseModel]:
    """Return the Pydantic model of a change: the fields of `create_model_of`, none required.

    A field that is not sent stays as it is; null is taken only where the field may be null.

    Example:
        >>> update_model_of(User)(age=32).model_dump(exclude_unset=True)
        {'age': 32}
    """
    return _derived(model, frozenset(exclude), True)


def response_model_of(model: type[MappedModel], *, exclude: Iterable[str] = ()) -> type[pydantic.BaseModel]:
    """Return the Pydantic model of what is shown of a document: its fields and computed fields but those left out.

    Left out are fields with `Field(exclude=True)`, which are never shown, and `exclude`. The model's serializers stay.

    Example:
        >>> response_model_of(User, exclude=["email"]).model_fields.keys()
        dict_keys(['id', 'created_at', 'updated_at', 'username'])
    """
    return _shown(model, frozenset(exclude))


@lru_cache(maxsize=256)
def _shown(model: type[MappedModel], exclude: frozenset[str]) -> type[pydantic.BaseModel]:
    spec = spec_of(model)
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if name in exclude or info.exclude:
            continue
        own, annotation = copy(info), info.annotation
        if name == spec.id_field:
            own.default, annotation = PydanticUndefined, spec.id_shape.annotation
        fields[name] = (annotation, own)
    config = ConfigDict(
        from_attributes=True,
        validate_by_name=True,
        validate_by_alias=True,
        arbitrary_types_allowed=True,
        json_schema_serialization_defaults_required=True,
    )
    make: Any = pydantic.create_model
    derived: type[pydantic.BaseModel] = make(
        f"{model.__name__}Response",
        __config__=config,
        __module__=model.__module__,
        __doc__=model.__doc__,
        __validators__=_serialization(model, fields, exclude),
        **fields,
    )
    return derived


def _serialization(model: type[MappedModel], fields: Collection[str], exclude: frozenset[str]) -> dict[str, Any]:
    """Return the computed fields and serializers of a model, for another class."""
    decorators, found = model.__pydantic_decorators__, dict[str, Any]()
    for name, computed in decorators.computed_fields.items():
        if name not in exclude:
            found[name] = pydantic.computed_field(alias=computed.info.alias)(computed.info.wrapped_property)
    decorate: Any = pydantic.field_serializer
    for name, serializer in decorators.field_serializers.items():
        info = serializer.info
        if named := [field for field in info.fields if field in fields]:
            made = decorate(*named, mode=info.mode, return_type=info.return_type, when_used=info.when_used)
            found[name] = made(serializer.func)
    return found


@lru_cache(maxsize=256)
def _derived(model: type[MappedModel], exclude: frozenset[str], is_partial: bool) -> type[pydantic.BaseModel]:
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if name in exclude | managed_fields(model, is_partial):
            continue
        own = copy(info)
        if is_partial:
            own.default, own.default_factory = None, None
            own.json_schema_extra = _without_default
        elif name == spec_of(model).id_field:
            own.default = PydanticUndefined
        fields[name] = (info.annotation, own)
    config = ConfigDict(extra="forbid", validate_by_name=True, validate_by_alias=True, arbitrary_types_allowed=True)
    name = f"{model.__name__}{'Update' if is_partial else 'Create'}"
    make: Any = pydantic.create_model
    derived: type[pydantic.BaseModel] = make(name, __config__=config, __module__=model.__module__, **fields)
    return derived


def managed_fields(model: type[MappedModel], is_stored: bool) -> frozenset[str]:
    """Return the fields that a client never sets."""
    spec = spec_of(model)
    if is_stored or not isinstance(spec.id_strategy, AssignedId):
        return spec.protected
    return spec.protected - {spec.id_field}


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)
