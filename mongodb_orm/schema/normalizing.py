"""What validation does to a value so that it equals what will be stored."""

from __future__ import annotations

from typing import Any

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
