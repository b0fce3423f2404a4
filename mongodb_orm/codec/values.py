"""How single Python values become BSON: one table for what BSON lacks, one set of codec options for everybody."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, Inexact, InvalidOperation, localcontext
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import pydantic
from bson import Decimal128, Int64
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.decimal128 import create_decimal128_context
from pydantic import AnyUrl, SecretBytes, SecretStr
from pydantic_core import MultiHostUrl, Url

from ..exceptions import UnencodableValueError

_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_INT64 = 2**63
_DECIMAL_CONTEXT = create_decimal128_context()
_DECIMAL_CONTEXT.traps[Inexact] = True


def encode_decimal(value: Decimal) -> Decimal128:
    """Return a Decimal as Decimal128.

    Raises:
        UnencodableValueError: When it has more than 34 digits or an exponent out of range, so that it would be rounded.
    """
    if value.is_nan():
        return Decimal128(value)
    try:
        with localcontext(_DECIMAL_CONTEXT):
            return Decimal128(value)
    except (Inexact, InvalidOperation) as error:
        raise UnencodableValueError(
            "A Decimal128 holds 34 digits and an exponent from -6176 to 6111; this Decimal would be rounded.",
            hint="Quantize it first, or store it as a string.",
            value=value,
        ) from error


def encode_date(value: date) -> datetime:
    """Return a date as midnight UTC: BSON has no dates without a time."""
    return datetime(value.year, value.month, value.day, tzinfo=UTC)


def encode_time(value: time) -> str:
    """Return a time as ISO text of constant width, so that it sorts."""
    return value.isoformat(timespec="microseconds")


def encode_timedelta(value: timedelta) -> Int64:
    """Return a duration as whole microseconds, which is exact and can be summed by the server."""
    microseconds = value // _MICROSECOND
    if not -_INT64 <= microseconds < _INT64:
        raise UnencodableValueError("A stored duration is at most 292,271 years.", value=value)
    return Int64(microseconds)


def encode_array(value: Any) -> list[Any]:
    """Return a deque or other collection as a list."""
    return list(value)


_ORDERED = (str, int, bytes, date, UUID)


def encode_set(value: Any) -> list[Any]:
    """Return a set as a list in an order that depends on its elements alone, so that equal sets are stored equally."""
    kinds = set(map(type, value))
    if len(kinds) == 1 and kinds.pop() in _ORDERED:
        return sorted(value)
    return sorted(value, key=lambda item: (type(item).__name__, repr(item)))


_ENCODERS: dict[type, Callable[[Any], Any]] = {
    Decimal: encode_decimal,
    date: encode_date,
    time: encode_time,
    timedelta: encode_timedelta,
    Enum: lambda value: value.value,
    set: encode_set,
    frozenset: encode_set,
    deque: encode_array,
    PurePath: str,
    AnyUrl: str,
    Url: str,
    MultiHostUrl: str,
    SecretStr: lambda value: value.get_secret_value(),
    SecretBytes: lambda value: value.get_secret_value(),
    ipaddress.IPv4Address: str,
    ipaddress.IPv6Address: str,
    ipaddress.IPv4Interface: str,
    ipaddress.IPv6Interface: str,
    ipaddress.IPv4Network: str,
    ipaddress.IPv6Network: str,
    complex: str,
    Mapping: dict,
}
if hasattr(pydantic.networks, "_BaseUrl"):
    _ENCODERS[pydantic.networks._BaseUrl] = str
if hasattr(pydantic.networks, "_BaseMultiHostUrl"):
    _ENCODERS[pydantic.networks._BaseMultiHostUrl] = str


def _encode_dataclass(value: Any) -> dict[str, Any]:
    """Return a dataclass that stands alone, in a filter, as it is stored inside a document."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


_RESOLVED: dict[type, Callable[[Any], Any] | None] = {}


def register_encoder(python_type: type, encode: Callable[[Any], Any]) -> None:
    """Teach the codec a type that BSON does not have; its subclasses follow.

    Args:
        python_type: The class.
        encode: Returns what is stored; reading it back is the field's validator's part.

    Example:
        >>> register_encoder(Money, lambda money: {"amount": money.amount, "currency": money.currency})
    """
    _ENCODERS[python_type] = encode
    _RESOLVED.clear()


def encode_value(value: Any) -> Any:
    """Return a value of a type that BSON lacks as one that it has.

    Raises:
        UnencodableValueError: When nobody knows how.
    """
    kind = type(value)
    if kind not in _RESOLVED:
        _RESOLVED[kind] = next((_ENCODERS[base] for base in kind.__mro__ if base in _ENCODERS), None) or next(
            (encode for base, encode in _ENCODERS.items() if isinstance(value, base)), None
        )
        if _RESOLVED[kind] is None and is_dataclass(value):
            _RESOLVED[kind] = _encode_dataclass
    encode = _RESOLVED[kind]
    if encode is not None:
        return encode(value)
    if kind is int:
        raise UnencodableValueError(
            "MongoDB's integers have at most 64 bits.", hint="Use Decimal or str for larger numbers.", value=value
        )
    raise UnencodableValueError(
        f"MongoDB cannot hold a {kind.__module__}.{kind.__qualname__}.",
        hint="Give the field a type that BSON knows, or call register_encoder(type, function).",
        value=value,
    )


class _DecimalDecoder(TypeDecoder):
    """Reads Decimal128 as Python's Decimal."""

    bson_type: Any = Decimal128  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]

    def transform_bson(self, value: Any) -> Decimal:
        """Return the exact decimal."""
        decimal: Decimal = value.to_decimal()
        return decimal


_REGISTRY = TypeRegistry([_DecimalDecoder()], fallback_encoder=encode_value)

CODEC_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True, tzinfo=UTC, uuid_representation=UuidRepresentation.STANDARD, type_registry=_REGISTRY
)
"""How everything is encoded, and how documents become dicts: aware UTC datetimes, UUID subtype 4, Decimal."""

WIRE_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    tzinfo=UTC,
    uuid_representation=UuidRepresentation.STANDARD,
    type_registry=TypeRegistry(fallback_encoder=encode_value),
)
"""How commands are encoded and their answers decoded.

With a type decoder in the options, PyMongo takes the answer of every command apart twice.
"""

PLAIN_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
"""What decodes fastest, naive datetimes and Decimal128; for callers that finish these themselves."""

DRIVER_OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    type_registry=TypeRegistry(fallback_encoder=encode_value),
)
"""The driver's own values, datetimes aware in UTC: for raw reads, at less than half the cost of `CODEC_OPTIONS`."""
