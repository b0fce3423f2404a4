"""Made-up documents that fit their model."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar, get_args, get_origin

import annotated_types
import bson
import pydantic
from pydantic.fields import FieldInfo

from ..exceptions import InvalidValueError
from ..model import BaseModel
from ..schema import Shape, shape_of
from ..timestamps import current_datetime

M = TypeVar("M", bound=BaseModel)

_SERIAL = itertools.count(1)

_MAKERS: dict[type, Callable[[int], Any]] = {
    bool: lambda serial: bool(serial % 2),
    int: lambda serial: serial,
    float: lambda serial: float(serial),
    Decimal: lambda serial: Decimal(serial),
    datetime: lambda serial: current_datetime(),
    date: lambda serial: current_datetime().date(),
    time: lambda serial: time(serial % 24),
    timedelta: lambda serial: timedelta(seconds=serial),
    uuid.UUID: lambda serial: uuid.uuid4(),
    bson.ObjectId: lambda serial: bson.ObjectId(),
    bytes: lambda serial: str(serial).encode(),
}


def build_test_data(model: type[pydantic.BaseModel], **overrides: Any) -> dict[str, Any]:
    """Return values for the required fields of a model, different on every call.

    Args:
        model: The class.
        overrides: Values of your own; a callable gets a running number.
    """
    serial = next(_SERIAL)
    values = {
        name: _value(info, name, serial)
        for name, info in model.model_fields.items()
        if info.is_required() and name not in overrides
    }
    own = {name: value(serial) if callable(value) else value for name, value in overrides.items()}
    return {**values, **own}


async def create_test_data(model: type[M], count: int = 10, **overrides: Any) -> list[M]:
    """Store made-up documents.

    Args:
        model: The class; it must be registered.
        count: How many.
        overrides: Values of your own for all of them; a callable gets a running number.

    Returns:
        The stored objects.

    Raises:
        InvalidValueError: When `count` is negative, or a type needs a value of yours.

    Example:
        >>> users = await create_test_data(User, 5, is_active=True, email=lambda n: f"u{n}@example.com")
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise InvalidValueError(f"count is a whole number from 0, not {count!r}.", value=count)
    return await model.bulk_create([build_test_data(model, **overrides) for _ in range(count)])


def _value(info: FieldInfo, name: str, serial: int) -> Any:
    return _of_shape(shape_of(info.annotation), info, name, serial)


def _of_shape(shape: Shape, info: FieldInfo, name: str, serial: int) -> Any:
    if shape.optional:
        return None
    if shape.kind == "model" and shape.model is not None:
        return build_test_data(shape.model)
    if shape.kind == "array":
        return []
    if shape.kind == "mapping":
        return {}
    if shape.kind == "union":
        return _of_shape(shape.members[0], info, name, serial)
    if shape.kind == "any":
        return None
    kind = shape.annotation
    if get_origin(kind) is not None and get_args(kind):  # Literal
        return get_args(kind)[serial % len(get_args(kind))]
    if isinstance(kind, type) and issubclass(kind, Enum):
        members = list(kind)
        return members[serial % len(members)]
    if kind is pydantic.EmailStr:
        return f"{name}{serial}@example.com"
    if isinstance(kind, type) and issubclass(kind, str):
        return _text(info, name, serial)
    for base, make in _MAKERS.items():
        if kind is base:
            return _in_bounds(info, make(serial))
    raise InvalidValueError(f"{name} needs a value of yours: nothing is known of {kind!r}.", field=name)


def _text(info: FieldInfo, name: str, serial: int) -> str:
    text = f"{name}{serial}"
    for bound in info.metadata:
        if isinstance(bound, annotated_types.MinLen):
            text = text.ljust(bound.min_length, "x")
        if isinstance(bound, annotated_types.MaxLen):
            text = text[-bound.max_length :]
    return text


def _in_bounds(info: FieldInfo, value: Any) -> Any:
    for bound in info.metadata:
        if isinstance(bound, annotated_types.Ge):
            value = max(value, bound.ge)
        if isinstance(bound, annotated_types.Gt):
            value = max(value, bound.gt + 1)  # type: ignore[operator]
        if isinstance(bound, annotated_types.Le):
            value = min(value, bound.le)
        if isinstance(bound, annotated_types.Lt):
            value = min(value, bound.lt - 1)  # type: ignore[operator]
    return value
