"""OpenTelemetry: a span and a measurement for every command; the extra `opentelemetry`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from ..commands import BulkWrite, BulkWriteAcross, Command, InsertMany, RunCommand
from ..exceptions import MongoDBORMError
from ..monitoring import CommandEvent, add_command_listener

_NAME = "mongodb_orm"
_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
_NANOSECONDS = 1_000_000_000

_SERVER_COMMANDS: Mapping[str, str] = {
    "Find": "find",
    "FindOne": "find",
    "Count": "aggregate",
    "EstimatedCount": "count",
    "InsertOne": "insert",
    "InsertMany": "insert",
    "BulkWrite": "bulkWrite",
    "BulkWriteAcross": "bulkWrite",
    "FindAndUpdate": "findAndModify",
    "FindAndDelete": "findAndModify",
    "Watch": "aggregate",
    "CreateIndex": "createIndexes",
    "DropIndex": "dropIndexes",
    "ListIndexes": "listIndexes",
}
"""What MongoDB calls a command, where it is not the command's own name in small letters."""


def instrument(
    tracer_provider: trace.TracerProvider | None = None, meter_provider: metrics.MeterProvider | None = None
) -> Callable[[], None]:
    """Make a span and a measurement for every command; return a function that ends this.

    Spans are named like the verb, `User.filter`, and carry the attributes of OpenTelemetry's semantic conventions for
    databases: `db.system.name`, `db.namespace`, `db.collection.name`, `db.operation.name` (MongoDB's command, `find`),
    `db.query.summary` (`find user`), `db.query.text` (the shape of the filter, without values),
    `db.operation.batch.size`, `db.response.status_code` and `error.type`. Durations go into the histogram
    `db.client.operation.duration`, in seconds.

    Args:
        tracer_provider: Where spans go; default: the global one.
        meter_provider: Where measurements go; default: the global one.

    Example:
        >>> stop = instrument()
    """
    tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
    meter = metrics.get_meter(_NAME, meter_provider=meter_provider)
    durations = meter.create_histogram(
        "db.client.operation.duration",
        unit="s",
        description="Duration of database client operations.",
        explicit_bucket_boundaries_advisory=_BUCKETS,
    )

    def tell(event: CommandEvent) -> None:
        attributes = _attributes(event)
        durations.record(event.seconds, attributes)
        started = int(event.started_at * _NANOSECONDS)
        span = tracer.start_span(
            f"{event.model}.{event.operation}",
            kind=SpanKind.CLIENT,
            start_time=started,
            attributes={**attributes, **_details(event)},
        )
        if event.error is not None:
            # The error's own text may show values of documents.
            span.set_status(Status(StatusCode.ERROR, type(event.error).__name__))
        span.end(started + int(event.seconds * _NANOSECONDS))

    return add_command_listener(tell)


def _attributes(event: CommandEvent) -> dict[str, Any]:
    """Return what has few values, which metrics need."""
    name = _server_command(event.command)
    attributes: dict[str, Any] = {
        "db.system.name": "mongodb",
        "db.namespace": event.database,
        "db.operation.name": name,
        "db.query.summary": f"{name} {event.collection}",
    }
    if not _is_of_several(event.command):
        attributes["db.collection.name"] = event.collection
    if event.error is not None:
        attributes["error.type"] = type(event.error).__name__
        code = event.error.code if isinstance(event.error, MongoDBORMError) else None
        if code is not None:
            attributes["db.response.status_code"] = str(code)
    return attributes


def _details(event: CommandEvent) -> dict[str, Any]:
    """Return what spans alone carry."""
    details: dict[str, Any] = {}
    if shape := event.shape:
        details["db.query.text"] = json.dumps(shape, default=str)
    command = event.command
    written = command.documents if isinstance(command, InsertMany) else ()
    size = len(command.operations if isinstance(command, BulkWrite | BulkWriteAcross) else written)
    if size > 1:
        details["db.operation.batch.size"] = size
    return details


def _is_of_several(command: Command[Any]) -> bool:
    return isinstance(command, BulkWriteAcross) and len({placed.target for placed in command.operations}) > 1


def _server_command(command: Command[Any]) -> str:
    if isinstance(command, RunCommand):
        return next(iter(command.command))
    name = type(command).__name__
    return _SERVER_COMMANDS.get(name, name.lower())
