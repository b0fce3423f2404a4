"""Shapes that travel between the floors: small values without behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

import bson
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

Document: TypeAlias = dict[str, Any]
"""A decoded BSON document, under the names that the database uses."""

Filter: TypeAlias = Mapping[str, Any]
"""A MongoDB query document."""

Pipeline: TypeAlias = Sequence[Mapping[str, Any]]
"""The stages of an aggregation."""

Sort: TypeAlias = tuple[tuple[str, Any], ...]
"""Ordered pairs of a stored field path and a direction."""

DriverName: TypeAlias = Literal["motor", "pymongo"]
"""Which client library a server connection uses."""

ObjectId = bson.ObjectId


class Target(NamedTuple):
    """Where a command goes: a database, a collection and, for logs and errors, a model's name."""

    database: str
    collection: str
    model: str


class UpdateResult(NamedTuple):
    """What an update did.

    Attributes:
        matched: How many documents the filter selected.
        modified: How many of them really changed.
        upserted_id: The id of the document that an upsert made, otherwise None.
    """

    matched: int
    modified: int
    upserted_id: Any = None


@dataclass(frozen=True, slots=True)
class Collision:
    """Documents that share the key of a unique index.

    Attributes:
        value: What they share: the value, or a tuple for several fields.
        ids: Their ids as they are stored, at most ten.
        count: How many documents they are.
    """

    value: Any
    ids: tuple[Any, ...]
    count: int


class HealthReport(NamedTuple):
    """What `health_report` found.

    Attributes:
        healthy: Whether the server answered in time.
        latency_ms: Round trip of the ping in milliseconds, None when there was no answer.
        server_version: MongoDB's version, None when unknown.
        topology: `"standalone"`, `"replica_set"`, `"sharded"`, `"memory"` or `"unknown"`.
        pool: Connection pool figures, such as `max_size` and `in_use`.
        error: Why the server is not healthy, without credentials; None when it is.
        checked_at: When the check ended, UTC.
    """

    healthy: bool
    latency_ms: float | None
    server_version: str | None
    topology: str
    pool: dict[str, int]
    error: str | None
    checked_at: datetime


def _object_id(value: Any) -> bson.ObjectId:
    if isinstance(value, bson.ObjectId):
        return value
    if isinstance(value, str | bytes) and bson.ObjectId.is_valid(value):
        return bson.ObjectId(value)
    raise PydanticCustomError("object_id", "Input should be a 24 character hex string or an ObjectId")


def _object_id_schema(cls: type[bson.ObjectId], source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
    return core_schema.no_info_plain_validator_function(
        _object_id,
        serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json"),
    )


def _object_id_json_schema(
    cls: type[bson.ObjectId], schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
) -> JsonSchemaValue:
    return {"type": "string", "pattern": "^[0-9a-f]{24}$", "examples": ["65f0c0ffee0123456789abcd"]}


def teach_pydantic_object_ids() -> None:
    """Give `bson.ObjectId` the hooks by which Pydantic knows a type.

    Drivers return `bson.ObjectId`, so a subclass of our own would never be what a user reads back. The hooks
    are added to the class that everybody has, unless somebody already did.
    """
    if not hasattr(bson.ObjectId, "__get_pydantic_core_schema__"):
        bson.ObjectId.__get_pydantic_core_schema__ = classmethod(_object_id_schema)  # type: ignore[attr-defined]
        bson.ObjectId.__get_pydantic_json_schema__ = classmethod(_object_id_json_schema)  # type: ignore[attr-defined]
