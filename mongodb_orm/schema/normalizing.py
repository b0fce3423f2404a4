"""What validation does to a value so that it equals what will be stored."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

import pydantic
from pydantic_core import core_schema

from ..timestamps import in_utc

_NOT_SCHEMAS = frozenset({"metadata", "serialization", "cls", "function", "ref", "default"})


def with_utc_datetimes(schema: Any) -> Any:
    """Return a core schema whose datetimes come out aware, in UTC and in whole milliseconds.

    Naive datetimes are taken as UTC, as PyMongo takes them when it encodes.
    """
    if isinstance(schema, dict):
        result = {key: value if key in _NOT_SCHEMAS else with_utc_datetimes(value) for key, value in schema.items()}
        if schema.get("type") == "datetime" and schema.get("tz_constraint") != "naive":
            node: Any = result
            return core_schema.no_info_after_validator_function(in_utc, node)
        return result
    if isinstance(schema, list):
        return [with_utc_datetimes(item) for item in schema]
    return schema


def trim_nested_datetimes(value: Any) -> None:
    """Make the datetimes inside nested models what will be stored, in place.

    A nested model's own validation knows nothing of MongoDB, so it keeps naive values and microseconds.
    """
    if isinstance(value, pydantic.BaseModel):
        _trim_items(vars(value))
    elif isinstance(value, dict):
        _trim_items(value)
    elif isinstance(value, list):
        _trim_items(dict(enumerate(value)), value)


def _trim_items(items: dict[Any, Any], target: Any = None) -> None:
    container = items if target is None else target
    for key, item in items.items():
        if type(item) is datetime:
            with suppress(ValueError):  # whoever encodes it tells
                container[key] = in_utc(item)
        else:
            trim_nested_datetimes(item)
