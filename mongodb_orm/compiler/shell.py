"""Values and commands as one types them in mongosh."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import bson
import pydantic
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, Regex, Timestamp

from ..codec import CODEC_OPTIONS

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_SAFE_INTEGER = 2**53
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
_WIDTH = 100


def shell_text(value: Any, *, indent: int = 0) -> str:
    """Return a value as a mongosh literal, on several lines where one would be long.

    Example:
        >>> shell_text({"_id": ObjectId("65f0c0ffee0123456789abcd"), "age": {"$gte": 18}})
        '{_id: ObjectId("65f0c0ffee0123456789abcd"), age: {$gte: 18}}'
    """
    flat = _flat(_as_bson(value))
    if len(flat) + indent <= _WIDTH:
        return flat
    return _spread(_as_bson(value), indent)


def hidden(filter: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
    """Return a query document with stars in place of its secrets, for logs and tracebacks."""
    return {key: _hidden(value) for key, value in filter.items()}


def _hidden(value: Any) -> Any:
    if isinstance(value, pydantic.SecretStr | pydantic.SecretBytes):
        return str(value)
    if isinstance(value, pydantic.BaseModel):
        return _hidden(value.model_dump(by_alias=True))
    if isinstance(value, Mapping):
        return hidden(value)
    return [_hidden(item) for item in value] if isinstance(value, list | tuple) else value


def find_text(
    collection: str,
    filter: Mapping[str, Any],  # noqa: A002
    projection: Mapping[str, Any] | None,
    steps: Mapping[str, Any],
) -> str:
    """Return a find with its cursor methods; `steps` are methods and their arguments."""
    arguments = shell_text(dict(filter))
    if projection is not None:
        arguments += f", {shell_text(dict(projection))}"
    calls = "".join(f".{method}({shell_text(argument)})" for method, argument in steps.items())
    return f"{_collection(collection)}.find({arguments}){calls}"


def aggregate_text(collection: str, pipeline: Any, options: Mapping[str, Any] | None = None) -> str:
    """Return an aggregation, a stage on each line."""
    stages = "".join(f"  {shell_text(stage, indent=2)},\n" for stage in pipeline)
    tail = f", {shell_text(dict(options))}" if options else ""
    return (
        f"{_collection(collection)}.aggregate([\n{stages}]{tail})"
        if stages
        else f"{_collection(collection)}.aggregate([]{tail})"
    )


def _collection(name: str) -> str:
    return f"db.{name}" if _PLAIN_KEY.match(name) else f"db.getCollection({json.dumps(name)})"


def _as_bson(value: Any) -> Any:
    """Return a value as the server will see it, so that what is printed is what is sent."""
    return bson.decode(bson.encode({"value": value}, codec_options=CODEC_OPTIONS), CODEC_OPTIONS)["value"]


def _spread(value: Any, indent: int) -> str:
    inner = " " * (indent + 2)
    if isinstance(value, Mapping) and value:
        lines = [f"{inner}{_key(key)}: {_fitting(item, indent + 2)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{' ' * indent}}}"
    if isinstance(value, list) and value:
        lines = [f"{inner}{_fitting(item, indent + 2)}" for item in value]
        return "[\n" + ",\n".join(lines) + f"\n{' ' * indent}]"
    return _flat(value)


def _fitting(value: Any, indent: int) -> str:
    flat = _flat(value)
    return flat if len(flat) + indent <= _WIDTH else _spread(value, indent)


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {_flat(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    return _scalar(value)


def _key(key: str) -> str:
    return key if _PLAIN_KEY.match(key) else json.dumps(key, ensure_ascii=False)


def _scalar(value: Any) -> str:
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: int) -> str:
    return str(int(value)) if abs(value) < _SAFE_INTEGER else f'NumberLong("{int(value)}")'


def _float(value: float) -> str:
    special = {float("inf"): "Infinity", float("-inf"): "-Infinity"}
    return "NaN" if math.isnan(value) else special.get(value, repr(value))


def _regex(value: Any) -> str:
    flags = "".join(letter for letter, flag in _FLAGS.items() if value.flags & flag)
    pattern = str(value.pattern).replace("/", "\\/")
    return f"/{pattern}/{flags}"


_WRITERS: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (bool, lambda value: "true" if value else "false"),
    (type(None), lambda value: "null"),
    (Int64, _number),
    (int, _number),
    (float, _float),
    (bson.ObjectId, lambda value: f'ObjectId("{value}")'),
    (datetime, lambda value: f'ISODate("{value.isoformat(timespec="milliseconds").replace("+00:00", "Z")}")'),
    (Decimal | Decimal128, lambda value: f'NumberDecimal("{value}")'),
    (UUID, lambda value: f'UUID("{value}")'),
    (Binary, lambda value: f'BinData({value.subtype}, "{_base64(value)}")'),
    (bytes, lambda value: f'BinData(0, "{_base64(value)}")'),
    (Regex | re.Pattern, _regex),
    (Timestamp, lambda value: f"Timestamp({{t: {value.time}, i: {value.inc}}})"),
    (MinKey, lambda value: "MinKey()"),
    (MaxKey, lambda value: "MaxKey()"),
)


def _base64(value: bytes) -> str:
    return base64.b64encode(bytes(value)).decode()
