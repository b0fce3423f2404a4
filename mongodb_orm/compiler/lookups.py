"""What a lookup is, and which fields it fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import bson
from pydantic import EmailStr

from ..schema import Shape
from .casting import Place

Fits = Literal["any", "text", "members", "number", "list", "date", "time", "geo"]

Compile = Callable[[Shape, Any, Place], Any]

_EMAIL: Any = EmailStr  # a class at run time, an alias of str to a type checker
_TEXTS: tuple[type, ...] = (str, _EMAIL)
_NUMBERS = (int, float, Decimal)
_MOMENTS = (datetime, date)
_OTHERS = (bool, time, timedelta, UUID, bson.ObjectId)
_MISFITS: dict[Fits, tuple[type, ...]] = {
    "any": (),
    "text": (*_NUMBERS, *_MOMENTS, *_OTHERS),
    "members": (*_NUMBERS, *_MOMENTS, *_OTHERS),
    "number": (*_TEXTS, *_MOMENTS, bool, time, UUID, bson.ObjectId),
    "list": (*_TEXTS, bytes, *_NUMBERS, *_MOMENTS, *_OTHERS, Enum),
    "date": (*_TEXTS, bytes, *_NUMBERS, *_OTHERS, Enum),
    "time": (*_TEXTS, bytes, *_NUMBERS, *_OTHERS, Enum),
    "geo": (*_TEXTS, bytes, *_NUMBERS, *_MOMENTS, *_OTHERS, Enum),
}


class Whole(dict[str, Any]):
    """A whole query document, which a lookup may return where operators on its field would not do."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup.

    Attributes:
        name: What follows `__` in a keyword.
        compile: Makes operators on the field (or the plain value, for equality) of a shape, a value and a place; or a
            whole query document, as a `Whole`.
        fits: Which fields have a use for it.
        takes: What the value is, for the reference.
        summary: What it matches, for the reference.
        top_level: Whether MongoDB takes it only outside `$or`, `$nor` and `$elemMatch`.
    """

    name: str
    compile: Compile
    fits: Fits = "any"
    takes: str = "a value"
    summary: str = ""
    top_level: bool = False

    def applies_to(self, shape: Shape) -> bool:
        """Return whether the lookup makes sense for a field of that shape."""
        return fits(self.fits, shape)


def fits(kind: Fits, shape: Shape) -> bool:
    """Return whether a field of that shape can hold what the lookups of a kind are about.

    A type that is not known to be unfit fits: it may be stored as anything.
    """
    if kind == "any" or shape.kind == "any":
        return True
    if shape.kind == "union":
        return any(fits(kind, member) for member in shape.members)
    if shape.kind == "array":
        if kind in ("list", "members") or shape.element is None:
            return True
        return fits(kind, shape.element) or (kind == "geo" and _is_pair(shape.element))
    if shape.kind == "model":
        return kind == "geo" and shape.model is not None and "coordinates" in shape.model.__pydantic_fields__
    if shape.kind == "mapping":
        return kind == "geo"
    annotation = shape.annotation
    if not isinstance(annotation, type):
        return True
    if kind == "time" and annotation is date:
        return False
    return not issubclass(annotation, _MISFITS[kind])


def _is_pair(element: Shape) -> bool:
    return isinstance(element.annotation, type) and issubclass(element.annotation, int | float)
