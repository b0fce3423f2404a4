"""Updates, compiled to MongoDB's update operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any

import pydantic
from pydantic import ConfigDict, TypeAdapter, ValidationError

from ..exceptions import InvalidValueError, UnknownFieldError, UnknownLookupError, relocated
from ..schema import ModelSpec, Resolved, Shape
from .agg_expressions import refuse_javascript
from .casting import Place, cast, cast_all, refuse_operators
from .keywords import root_shape, split_path
from .names import Scope

Operators = dict[str, dict[str, Any]]


def _number(shape: Shape, value: Any, place: Place) -> Any:
    if isinstance(value, bool) or value is None:
        raise place.refuse(value, "a number is needed.")
    return cast(shape, value, place)


def _element(shape: Shape, value: Any, place: Place) -> Any:
    return cast(shape.element if shape.kind == "array" and shape.element else shape, value, place)


def _elements(shape: Shape, value: Any, place: Place) -> Any:
    return {"$each": cast_all(shape.element if shape.kind == "array" and shape.element else shape, value, place)}


_OPERATORS: dict[str, tuple[str, Callable[[Shape, Any, Place], Any]]] = {
    "inc": ("$inc", _number),
    "mul": ("$mul", _number),
    "min": ("$min", cast),
    "max": ("$max", cast),
    "push": ("$push", _element),
    "push_all": ("$push", _elements),
    "add_to_set": ("$addToSet", _element),
    "add_all_to_set": ("$addToSet", _elements),
    "pull": ("$pull", _element),
    "pull_all": ("$pullAll", lambda shape, value, place: _elements(shape, value, place)["$each"]),
    "pop": ("$pop", lambda shape, value, place: _end(value, place)),
    "unset": ("$unset", lambda shape, value, place: ""),
    "current_date": ("$currentDate", lambda shape, value, place: True),
}


def _end(value: Any, place: Place) -> int:
    if value in (1, -1) and not isinstance(value, bool):
        return int(value)
    raise place.refuse(value, "pop takes 1 for the last element or -1 for the first.")


def compile_values(spec: ModelSpec, values: Mapping[str, Any]) -> Operators:
    """Translate field values and keyword operators (`age__inc=1`) into an update.

    Values are validated like the fields that they go into. Operators in a value are never taken as such.

    Raises:
        ValidationError: When a value does not fit its field.
        UnknownFieldError: When a field does not exist.
        InvalidValueError: When a field may not be updated like this.
    """
    update: Operators = {}
    for keyword, value in values.items():
        target, name = _split(spec, keyword)
        place = Place(spec.name, keyword)
        refuse_protected(spec, target.stored, place)
        if name == "set":
            operator, operand = "$set", _validated(spec, target, keyword, value, place)
        else:
            operator, convert = _OPERATORS[name]
            operand = convert(target.shape, value, place)
        update.setdefault(operator, {})[target.stored] = operand
    return update


def compile_operators(spec: ModelSpec, update: Mapping[str, Any], *, allow_javascript: bool = False) -> Operators:
    """Translate the names in an update that was written with MongoDB's operators.

    Raises:
        InvalidValueError: When it is no such update, or would change the id.
    """
    scope = Scope(root_shape(spec))
    result: Operators = {}
    for operator, fields in update.items():
        if not str(operator).startswith("$") or not isinstance(fields, Mapping):
            raise InvalidValueError(
                f"{operator!r} is no update operator with its fields.",
                hint='Write {"$set": {"age": 5}}, or only field values: {"age": 5}.',
                model=spec.name,
                value=update,
            )
        refuse_javascript(operator, allow_javascript, spec.name)
        for name, value in fields.items():
            stored = scope.path(name)
            if stored == "_id" and operator != "$setOnInsert":
                refuse_protected(spec, stored, Place(spec.name, name))
            renamed = scope.path(value) if operator == "$rename" else value
            result.setdefault(operator, {})[stored] = renamed
    return result


def refuse_protected(spec: ModelSpec, stored: str, place: Place) -> None:
    """Raise when a field is the object's identity or kept by the system."""
    if stored == "_id":
        raise place.refuse(None, "the id of a stored document cannot change.", "Create a new document instead.")
    if stored in ("created_at", "updated_at"):
        raise place.refuse(None, "timestamps are kept for you.", 'Use {"$set": ...} when you really mean it.')


def _split(spec: ModelSpec, keyword: str) -> tuple[Resolved, str]:
    path = keyword.replace(".", "__") if keyword not in spec.fields else keyword
    target, rest = split_path(spec, path, _ends_path)
    if not rest or rest == ["set"]:
        return target, "set"
    if len(rest) == 1 and rest[0] in _OPERATORS:
        return target, rest[0]
    if not target.stored:
        raise UnknownFieldError(spec.name, rest[0], list(spec.fields))
    raise UnknownLookupError(spec.name, target.stored, "__".join(rest), ["set", *_OPERATORS])


def _ends_path(shape: Shape, part: str) -> bool:
    """Return whether the last part of a path below a dict is an operator, not a key."""
    return part == "set" or (part == "unset" if shape.kind == "mapping" else part in _OPERATORS)


def _validated(spec: ModelSpec, target: Resolved, keyword: str, value: Any, place: Place) -> Any:
    field = spec.names.get(target.stored)
    if target.shape.kind == "any":
        refuse_operators(value, place)
        return value
    try:
        if field is not None:
            return _field_adapter(spec.model, field).validate_python(value)
        return TypeAdapter(
            target.shape.annotation | None if target.shape.optional else target.shape.annotation
        ).validate_python(value)
    except ValidationError as error:
        raise relocated(spec.name, [((keyword,), error)]) from error


@lru_cache(maxsize=4096)
def _field_adapter(model: type[pydantic.BaseModel], field: str) -> TypeAdapter[Any]:
    info = model.__pydantic_fields__[field]
    annotation: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except pydantic.PydanticUserError:  # a model's own configuration cannot be overridden
        return TypeAdapter(annotation)
