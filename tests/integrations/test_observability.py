"""What is sent, watched: events, slow commands, comments with the caller, OpenTelemetry."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mongodb_orm import BaseModel, CommandEvent, DuplicateDocumentError, add_command_listener, comment_with_caller
from mongodb_orm.commands import Command
from mongodb_orm.integrations.opentelemetry import _SERVER_COMMANDS, instrument
from mongodb_orm.integrations.slow_queries import warn_of_slow_commands
from mongodb_orm.monitoring import OPERATIONS


class Track(BaseModel):
    class Meta:
        indexes = ({"keys": "title", "unique": True},)

    title: str
    plays: int = 0


async def test_a_listener_is_told_of_every_command(register: Any) -> None:
    await register(Track)
    events: list[CommandEvent] = []
    stop = add_command_listener(events.append)
    try:
        track = await Track.create(title="secret")
        await Track.filter(title="secret", plays__gte=1)
        track.plays = 2
        await track.save()
        await Track.aggregate([{"$match": {"title": "secret"}}])
        with pytest.raises(DuplicateDocumentError):
            await Track.create(title="secret")
    finally:
        stop()
    await Track.count()
    own = [event for event in events if event.collection == "track"]
    assert [event.operation for event in own] == ["filter", "create", "filter", "update", "aggregate", "create"]
    assert {event.model for event in events} == {"Track"}
    assert all(event.seconds > 0 and event.started_at > 1e9 for event in events)
    assert own[2].shape == {"title": "?", "plays": {"$gte": "?"}}
    assert [event.error is None for event in own] == [True] * 5 + [False]
    assert isinstance(own[-1].error, DuplicateDocumentError)
    assert own[-1].error.fields == ("title",)
    assert "secret" not in str([event.shape for event in events])


async def test_a_cancelled_command_is_told_of(register: Any, admin: Any) -> None:
    await register(Track)
    await Track.create(title="x")
    events: list[CommandEvent] = []
    stop = add_command_listener(events.append)
    admin.admin.command(
        {"configureFailPoint": "failCommand", "mode": {"times": 1},
         "data": {"failCommands": ["find"], "blockConnection": True, "blockTimeMS": 500}}
    )  # fmt: skip
    try:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Track.get_by_id(1), 0.05)
    finally:
        stop()
        admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert [type(event.error) for event in events] == [asyncio.CancelledError]


async def test_slow_commands_are_explained_once_for_a_shape(register: Any, caplog: pytest.LogCaptureFixture) -> None:
    await register(Track)
    await Track.bulk_create([{"title": f"t{n}", "plays": n} for n in range(50)])
    caplog.set_level(logging.WARNING, "mongodb_orm.slow")
    stop = warn_of_slow_commands(0)
    try:
        for plays in (3, 4):
            await Track.filter(plays=plays)
        for _ in range(200):
            await asyncio.sleep(0.01)
            if any("No index serves" in line for line in caplog.messages):
                break
    finally:
        stop()
    lines = [line for line in caplog.messages if line.startswith("Track.filter")]
    assert sum("filter took" in line and "'plays': '?'" in line for line in lines) == 2
    assert sum("No index serves this query: 50 documents read" in line for line in lines) == 1
    caplog.clear()
    await Track.filter(plays=5)
    assert caplog.messages == []


@pytest.mark.parametrize(
    "verb, ask",
    [
        ("aggregate", lambda: Track.aggregate([{"$match": {"plays": 3}}, {"$group": {"_id": "$title"}}])),
        ("aggregate", lambda: Track.aggregate([{"$match": {"plays": 3}}, {"$out": "elsewhere"}], allow_writes=True)),
        ("distinct", lambda: Track.filter(plays=3).distinct("title")),
        ("find_one_and_update", lambda: Track.filter(plays=3).find_one_and_update(plays=4)),
        ("update", lambda: Track.filter(plays=3).update(plays=4)),
        ("count", lambda: Track.count(plays=3)),
        ("aggregate", lambda: Track.aggregate([{"$match": {"plays": 3}}], let={"least": 3})),
    ],
    ids=["aggregate", "out", "distinct", "find_one_and_update", "update", "count", "let"],
)
async def test_every_kind_of_search_is_explained(
    register: Any, raw: Any, caplog: pytest.LogCaptureFixture, verb: str, ask: Callable[[], Awaitable[Any]]
) -> None:
    await register(Track)
    await Track.bulk_create([{"title": f"t{n}", "plays": n} for n in range(50)])
    caplog.set_level(logging.WARNING, "mongodb_orm.slow")
    stop = warn_of_slow_commands(0)
    try:
        await ask()
        for _ in range(500):
            await asyncio.sleep(0.01)
            if any("No index serves" in line for line in caplog.messages):
                break
    finally:
        stop()
    assert [line for line in caplog.messages if line.startswith(f"Track.{verb}") and "No index serves" in line]
    assert not any("could not be explained" in line for line in caplog.messages)


async def test_quick_commands_are_not_warned_of(register: Any, caplog: pytest.LogCaptureFixture) -> None:
    await register(Track)
    stop = warn_of_slow_commands(60)
    try:
        await Track.count()
    finally:
        stop()
    assert caplog.messages == []


async def test_comments_name_the_caller(register: Any, raw: Any, admin: Any) -> None:
    await register(Track)
    raw.command("profile", 2)
    comment_with_caller()
    try:
        await Track.filter(plays=1)
        await Track.filter(plays=2).comment("mine")
        await Track.create(title="x")
        async for _ in Track.all():
            pass
    finally:
        comment_with_caller(False)
        raw.command("profile", 0)
    comments = [entry["command"].get("comment") for entry in raw["system.profile"].find({"ns": f"{raw.name}.track"})]
    named = [comment for comment in comments if comment and "test_comments_name_the_caller" in comment]
    assert len(named) == 4  # the first create also asks for the highest id
    assert all("test_observability.py:" in comment for comment in named)
    assert "mine" in comments


async def test_open_telemetry(register: Any, raw: Any) -> None:
    await register(Track)
    spans, metrics = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    stop = instrument(tracers, MeterProvider([metrics]))
    try:
        with tracers.get_tracer("app").start_as_current_span("request") as request:
            await Track.create(title="a")
            with pytest.raises(DuplicateDocumentError):
                await Track.create(title="a")
            await Track.filter(title="a")
            await Track.bulk_create([{"title": "b"}, {"title": "c"}])
            await Track.count()
            await Track.filter(title="b").find_one_and_update(plays=2)
    finally:
        stop()
    assert {
        span.name: span.attributes["db.operation.name"] for span in spans.get_finished_spans() if span.attributes
    } == {
        "Track.find_one_and_update": "findAndModify",
        "Track.create": "insert",
        "Track.filter": "find",
        "Track.bulk_create": "insert",
        "Track.count": "aggregate",
    }
    made = {span.name: span for span in spans.get_finished_spans()}
    assert {"Track.create", "Track.filter", "request"} <= made.keys()
    span = made["Track.filter"]
    assert span.parent is not None
    assert span.parent.span_id == request.get_span_context().span_id
    assert span.attributes is not None
    assert span.attributes["db.system.name"] == "mongodb"
    assert span.attributes["db.collection.name"] == "track"
    assert span.attributes["db.operation.name"] == "find"
    assert span.attributes["db.query.summary"] == "find track"
    assert span.attributes["db.namespace"] == raw.name
    assert span.attributes["db.query.text"] == '{"title": "?"}'
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time <= span.end_time
    several = made["Track.bulk_create"].attributes
    assert several is not None
    assert several["db.operation.batch.size"] == 2
    assert "db.query.text" not in several
    failed = made["Track.create"]
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "DuplicateDocumentError"
    assert failed.attributes["db.response.status_code"] == "11000"
    data = metrics.get_metrics_data()
    assert data is not None
    names = {metric.name for r in data.resource_metrics for scope in r.scope_metrics for metric in scope.metrics}
    assert names == {"db.client.operation.duration"}
    points = [
        point
        for r in data.resource_metrics
        for scope in r.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    assert {point.attributes["db.operation.name"] for point in points} == {
        "find",
        "insert",
        "aggregate",
        "findAndModify",
    }
    assert all("db.query.text" not in point.attributes for point in points)


def test_every_command_has_a_name_of_mongodb_s() -> None:
    """A new command must be looked at: `lower()` is right for one word alone."""
    kinds = {kind.__name__ for kind in Command.__subclasses__()}
    assert kinds - _SERVER_COMMANDS.keys() == {"Aggregate", "Distinct", "Update", "Delete", "RunCommand"}
    assert {name for name in kinds if name != name.capitalize()} <= OPERATIONS.keys()
