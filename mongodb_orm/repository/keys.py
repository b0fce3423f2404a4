"""The keys under which a model's records, lists and counts are cached, readable and the same in every process."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

import pydantic

from ..codec import decode, encode
from ..queryset.tokens import digest, digest_filter
from ..schema import MappedModel, Shape, fields_of, spec_of

_LONGEST = 120
_SHAPES: WeakKeyDictionary[type[MappedModel], bytes] = WeakKeyDictionary()


class Keys:
    """The keys of one model.

    Args:
        model: The model.
        namespace: What every key begins with, where several applications share a cache.
    """

    def __init__(self, model: type[MappedModel], namespace: str = "") -> None:
        self._spec = spec_of(model)
        before = f"{namespace}:" if namespace else ""
        self.records: str = f"{before}{self._spec.collection}:"
        self.lists: str = f"{before}{self._spec.collection}s:"
        self.counts: str = f"{self.lists}count:"
        self._has_mixed_ids = self._spec.fields[self._spec.id_field].shape.kind in ("union", "any")

    def record(self, field: str, value: Any) -> str:
        """Return the key of the record with a value, in its stored form, in a field."""
        text = text_of(value, self._spec.name)
        if field != self._spec.id_field:
            return f"{self.records}{field}:{text}"
        if self._has_mixed_ids and isinstance(value, str):  # "5" is another record than 5
            text = f"'{text}'"
        return f"{self.records}id:{text}"

    def list(self, filter: Mapping[str, Any], skip: int, limit: int) -> str:  # noqa: A002
        """Return the key of a list."""
        return f"{self.lists}skip={skip}:limit={limit}:{self._digest(filter)}"

    def count(self, filter: Mapping[str, Any]) -> str:  # noqa: A002
        """Return the key of a count."""
        return f"{self.counts}{self._digest(filter)}"

    def of_record(self, document: Mapping[str, Any]) -> set[str]:
        """Return every key under which a stored document may be cached."""
        found: set[str] = set()
        for field in self._spec.fields.values():
            value = document.get(field.stored)
            found.add(self.record(field.name, value))
            if isinstance(value, list):
                found.update(self.record(field.name, element) for element in value)
        return found

    def _digest(self, filter: Mapping[str, Any]) -> str:  # noqa: A002
        return digest_filter(filter, self._spec.name).hex()[:32]


def text_of(value: Any, model: str) -> str:
    """Return a stored value as a part of a key; values that MongoDB takes for equal give the same.

    Raises:
        UnencodableValueError: When BSON cannot hold the value.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        text = _quoted(value) if len(value) <= _LONGEST else value
    elif value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, int | float | Decimal):
        text = _number(value)
    elif isinstance(value, datetime):
        text = value.isoformat().replace(":", "")
    elif isinstance(value, dict | list | bytes):
        text = "~" + digest(value, model).hex()[:32]
    else:
        text = _quoted(str(value))
    return text if len(text) <= _LONGEST else "~" + digest(text, model).hex()[:32]


def stored_form(value: Any, model: str) -> Any:
    """Return a value as it would be read back from the database."""
    return decode(encode({"": value}, model=model))[""]


def shape_of_model(model: type[MappedModel]) -> bytes:
    """Return what tells a model's stored shape from others, and from what it was before its fields changed."""
    found = _SHAPES.get(model)
    if found is None:
        lines = "\n".join([spec_of(model).name, spec_of(model).collection, *_lines(model, set())])
        found = _SHAPES[model] = hashlib.sha256(lines.encode()).digest()[:16]
    return found


def _quoted(text: str) -> str:
    """Return a text as it is, but for what would divide a key, cannot be seen, or looks like a digest."""
    quoted = "".join(one if one.isprintable() and one not in ":%" else quote(one) for one in text)
    return f"%7E{quoted[1:]}" if quoted.startswith("~") else quoted


def _number(value: float | Decimal) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return str(value).lower()
    if value == int(value):
        return str(int(value))
    return format(value.normalize(), "f") if isinstance(value, Decimal) else repr(value)


def _lines(model: type[pydantic.BaseModel], seen: set[type]) -> list[str]:
    seen.add(model)
    lines: list[str] = []
    for field in fields_of(model).values():
        lines.append(f"{model.__qualname__}.{field.name}:{field.stored}:{field.shape.annotation!r}")
        for inner in _inside(field.shape):
            if isinstance(inner, type) and issubclass(inner, Enum):
                lines.append(f"{inner.__qualname__}:{[member.value for member in inner]!r}")
            elif isinstance(inner, type) and issubclass(inner, pydantic.BaseModel) and inner not in seen:
                lines += _lines(inner, seen)
    return lines


def _inside(shape: Shape) -> list[Any]:
    parts = [*shape.members, *([shape.element] if shape.element is not None else [])]
    return [shape.model or shape.annotation, *(inner for part in parts for inner in _inside(part))]
