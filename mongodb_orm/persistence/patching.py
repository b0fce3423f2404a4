"""Changing an object by what a client sent: only what was sent, and nothing that is not the client's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import pydantic

from ..exceptions import InvalidValueError, UnknownFieldError
from ..schema import ANY, MappedModel, ModelSpec, Shape, fields_of, spec_of
from .changing import back_unless_saved, stored_id
from .preparing import revalidate
from .saving import save

D = TypeVar("D", bound=MappedModel)


async def patch(document: D, data: pydantic.BaseModel | Mapping[str, Any]) -> D:
    """Change the fields that `data` sets and save the object; all or nothing.

    Raises:
        DocumentNotFoundError: When the object is not stored.
        UnknownFieldError: When a field does not exist.
        InvalidValueError: When a field is protected.
        ValidationError: When a value does not fit; the object stays as it was.
    """
    stored_id(document)
    values = sent(document, data)
    with back_unless_saved(document):
        _adopt(document, values)
        return await save(document)


def sent(document: MappedModel, data: pydantic.BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """Return what was sent, by field; proved to be the client's to change.

    Raises:
        UnknownFieldError: When a field does not exist.
        InvalidValueError: When a field is protected, or `data` is neither an object nor a mapping.
    """
    spec = spec_of(type(document))
    if isinstance(data, pydantic.BaseModel):
        values = {name: getattr(data, name) for name in data.model_fields_set}
    elif isinstance(data, Mapping):
        values = dict(data)
    else:
        raise InvalidValueError(
            f"A patch is a Pydantic object or a mapping, not a {type(data).__name__}.", model=spec.name, value=data
        )
    result: dict[str, Any] = {}
    for key, value in values.items():
        name = _name(spec, key)
        shape = spec.fields[name].shape if name in spec.fields else ANY
        result[name] = _whole(shape, vars(document).get(name), value)
    return result


def _name(spec: ModelSpec, key: Any) -> str:
    name = key if key in spec.fields else spec.names.get(key)
    if name is None:
        if spec.model.model_config.get("extra") == "allow" and _is_plain_name(key):
            return str(key)
        raise UnknownFieldError(spec.name, str(key), [field for field in spec.fields if field not in spec.protected])
    if name in spec.protected:
        raise InvalidValueError(
            f"{spec.name}.{name} is protected; what a client sends must not set it.",
            hint="Set the attribute and save, or call update(), where your own code means it.",
            model=spec.name,
            field=name,
        )
    return name


def _is_plain_name(key: Any) -> bool:
    """Return whether a field that no class declares can be called so: neither an operator nor a path."""
    return isinstance(key, str) and bool(key) and not key.startswith(("$", "_")) and not {".", "\0"} & set(key)


def _whole(shape: Shape, current: Any, value: Any) -> Any:
    """Return a value for a field: a nested object that stands for a change is laid over what is there."""
    if shape.kind == "array" and type(value) in (list, tuple):
        return [_whole(shape.element or ANY, None, item) for item in value]
    if shape.kind == "mapping" and type(value) is dict:
        return {key: _whole(shape.element or ANY, None, item) for key, item in value.items()}
    if not isinstance(value, pydantic.BaseModel) or shape.kind == "any" or isinstance(value, _own_classes(shape)):
        return value
    if isinstance(value, pydantic.RootModel):
        return _whole(shape, current, value.root)
    values = {
        name: _whole(_member(shape, name), getattr(current, name, None), getattr(value, name))
        for name in value.model_fields_set
    }
    if not isinstance(current, pydantic.BaseModel):
        return values
    return {**vars(current), **(current.__pydantic_extra__ or {}), **values}


def _own_classes(shape: Shape) -> tuple[type, ...]:
    """Return the classes whose objects a field takes as they are."""
    inside = [kind for member in shape.members for kind in _own_classes(member)]
    return tuple(kind for kind in (shape.model, shape.annotation, *inside) if isinstance(kind, type))


def _member(shape: Shape, name: str) -> Shape:
    field = fields_of(shape.model).get(name) if shape.model is not None else None
    return field.shape if field is not None else ANY


def _adopt(document: MappedModel, values: Mapping[str, Any]) -> None:
    fields = type(document).__pydantic_fields__
    declared = {name: value for name, value in values.items() if name in fields}
    if document.get_deferred_fields():
        copy = document.__copy__()
        for name, value in declared.items():
            type(document).__pydantic_validator__.validate_assignment(copy, name, value)
        vars(document).update(vars(copy))
    else:
        vars(document).update(declared)
        revalidate(document)
    if document.__pydantic_extra__ is not None:
        document.__pydantic_extra__.update({name: value for name, value in values.items() if name not in fields})
    document.__pydantic_fields_set__.update(values)
