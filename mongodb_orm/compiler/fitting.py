"""Values on their way into a field, validated as the model itself would: constraints and validators of the field."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, get_args

import pydantic
from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaSerializer, SchemaValidator

from ..codec import text_key, value_serializer
from ..exceptions import relocated
from ..schema import ModelSpec, Resolved, Shape, fields_of, shape_of
from .casting import Place, cast, refuse_operators

_LISTS = frozenset({"list", "set", "frozenset", "tuple"})
_WRAPPERS = frozenset({"default", "nullable", "definitions", "model-field", "json-or-python", "lax-or-strict"})
_INNER = ("schema", "python_schema", "lax_schema")

Node = dict[str, Any]


def fitted(spec: ModelSpec, target: Resolved, written: str, value: Any, place: Place) -> Any:
    """Return a value as the field at a path takes it, as far as the encoder knows that.

    Raises:
        ValidationError: When it does not fit.
        UnsafeQueryError: When it has operators in it and nothing says what may stand there.
    """
    return _fitted(spec, tuple(stored for stored, _ in target.steps), target.shape, written, value, place)


def fitted_element(spec: ModelSpec, target: Resolved, written: str, value: Any, place: Place) -> Any:
    """Return a value as the list at a path takes it for an element; see `fitted`."""
    shape = target.shape.element if target.shape.kind == "array" and target.shape.element else target.shape
    refuse_operators(value, place)
    return _fitted(spec, (*(stored for stored, _ in target.steps), "0"), shape, written, value, place)


def refuse_unfit_keys(target: Resolved, place: Place) -> None:
    """Raise when a path makes a key of a mapping that could not be read again.

    Raises:
        InvalidValueError: When it does.
    """
    for part, above in target.steps:
        while above.kind == "array" and above.element is not None:
            above = above.element
        key_type = next(iter(get_args(above.annotation)), str) if above.kind == "mapping" else str
        if key_type in (str, Any) or part.startswith("$"):
            continue
        key = text_key(cast(shape_of(key_type), part, place))
        if key != part:
            raise place.refuse(part, f"the key {part!r} is stored as {key!r}.", "Write it like that.")


def is_required(spec: ModelSpec, target: Resolved) -> bool:
    """Return whether a path ends at a field that a document must have."""
    name = spec.names.get(target.stored)
    if name is not None:
        return spec.model.__pydantic_fields__[name].is_required()
    stored, above = target.steps[-1]
    while above.kind == "array" and above.element is not None:
        above = above.element
    if above.model is None:
        return False
    found = [field.name for field in fields_of(above.model).values() if field.stored == stored]
    return bool(found) and above.model.__pydantic_fields__[found[0]].is_required()


def _fitted(spec: ModelSpec, path: tuple[str, ...], shape: Shape, written: str, value: Any, place: Place) -> Any:
    if shape.kind == "any":
        refuse_operators(value, place)
    try:
        found = _part(spec.model, path)
        if found is not None:
            validator, serializer = found
            result = validator.validate_python(value, by_alias=True, by_name=True)
            return result if serializer is None else serializer.to_python(result, by_alias=True, warnings=False)
        if shape.kind == "any":
            return value
        annotation = shape.annotation | None if shape.optional else shape.annotation
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        raise relocated(spec.name, [((written,), error)]) from error


@lru_cache(maxsize=4096)
def _part(
    model: type[pydantic.BaseModel], path: tuple[str, ...]
) -> tuple[SchemaValidator, SchemaSerializer | None] | None:
    """Return the validator of what stands at a stored path, and the serializer where the encoder needs one.

    None where the model does not say what stands there.
    """
    definitions: dict[str, Node] = {}
    found = _below(_opened(_schema_of(model), definitions), path, definitions, None)
    if found is None:
        return None
    node, config = found
    schema: Any = {"type": "definitions", "schema": _alone(node), "definitions": list(definitions.values())}
    return SchemaValidator(schema, config), value_serializer(schema)


def _schema_of(model: type[pydantic.BaseModel]) -> Any:
    return model.__pydantic_core_schema__


def _below(
    node: Node | None, path: tuple[str, ...], definitions: dict[str, Node], config: Any
) -> tuple[Node, Any] | None:
    """Go down a stored path from a node that is open."""
    for position, part in enumerate(path):
        is_last = position == len(path) - 1
        if node is None:
            return None
        inner: Any = None
        if node["type"] in _LISTS:
            inner = node.get("items_schema")
            if isinstance(inner, list):
                inner = inner[0] if len(inner) == 1 else None
            if inner is not None and not (part.isdigit() or part.startswith("$")):
                return _below(_opened(inner, definitions), path[position:], definitions, config)
        elif node["type"] == "dict":
            inner = node.get("values_schema")
        elif node["type"] == "model":
            config = node.get("config")
            members = _opened(node["schema"], definitions)
            names = [field.name for field in fields_of(node["cls"]).values() if field.stored == part]
            if names and members is not None and members["type"] == "model-fields":
                inner = members["fields"][names[0]]["schema"]
        if inner is None:
            return None
        if is_last:
            return inner, config
        node = _opened(inner, definitions)
    return None


def _opened(node: Node, definitions: dict[str, Node]) -> Node | None:
    """Return the schema inside defaults, validators and references; definitions on the way are collected."""
    while True:
        kind = node["type"]
        for definition in node.get("definitions", ()):
            definitions[definition["ref"]] = definition
        if kind == "definition-ref":
            if node["schema_ref"] not in definitions:
                return None
            node = definitions[node["schema_ref"]]
        elif kind in _WRAPPERS or (kind.startswith("function-") and "schema" in node):
            inner = next((node[key] for key in _INNER if key in node), None)
            if inner is None:
                return None
            node = inner
        else:
            return node


def _alone(node: Any) -> Any:
    """Return a schema without the validators that look at other fields, which a lone value has not."""
    if isinstance(node, list):
        return [_alone(inner) for inner in node]
    if not isinstance(node, dict) or node.get("type") == "model":
        return node
    function = node.get("function")
    if isinstance(function, dict) and function.get("type") == "with-info" and "schema" in node:
        return _alone(node["schema"])
    return {key: _alone(inner) if key in _NESTED else inner for key, inner in node.items()}


_NESTED = frozenset({"schema", "items_schema", "values_schema", "python_schema", "lax_schema", "choices"})
