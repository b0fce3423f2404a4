"""The one door to the drivers: finds the connection, runs the command, logs it."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from . import monitoring, sightings
from .commands import (
    Aggregate,
    BulkWriteAcross,
    Command,
    DeleteOne,
    Find,
    InsertDocument,
    Placed,
    UpdateOne,
    Watch,
)
from .connections import Connection, connections
from .connections.units import unit_for
from .exceptions import BulkError, DuplicateDocumentError, MongoDBORMError
from .schema import MappedModel, ModelSpec, spec_of
from .types import Document, Sort, Target

R = TypeVar("R")

logger: logging.Logger = logging.getLogger("mongodb_orm.commands")


async def connection_for(model: type[MappedModel]) -> Connection:
    """Return the model's connection on the running loop."""
    return connections.open_connection_of(model) or await connections.connection_for(model)


async def run(
    model: type[MappedModel],
    command: Command[R],
    *,
    collection: str | None = None,
    database: str | None = None,
    ambient: bool = True,
) -> R:
    """Run a command on a model's collection, or on another one, in its database or in another one.

    Args:
        model: The model class.
        command: The command.
        collection: Another collection than the model's.
        database: Another database than the model's.
        ambient: Whether it takes part in the transaction that is open.

    Raises:
        MongoDBORMError: What the driver says, translated; names of fields are the model's.
    """
    spec = spec_of(model)
    connection = connections.open_connection_of(model) or await connections.connection_for(model)
    target = Target(database or connection.database, collection or spec.collection, spec.name)
    if monitoring.callers.are_noted:
        command = monitoring.with_caller(command)
    start = time.perf_counter()
    try:
        answer = await _execute(connection, target, command, ambient)
    except BaseException as error:
        _give_model_names(spec.names, error)
        raise
    filter_ = getattr(command, "filter", None)
    if filter_ and collection is None and getattr(command, "collation", None) is None:
        sightings.note(spec, filter_, getattr(command, "sort", ()), time.perf_counter() - start)
    return answer


class Write(NamedTuple):
    """One write of `run_across`: of a model, in its own database or in another one."""

    model: type[MappedModel]
    database: str | None
    operation: InsertDocument | UpdateOne | DeleteOne


async def writes_across(models: Sequence[type[MappedModel]]) -> bool:
    """Return whether one command may write to the collections of all these models."""
    drivers = [(await connection_for(model)).driver for model in models]
    return all(driver.client is drivers[0].client for driver in drivers) and await drivers[0].writes_across()


async def run_across(writes: Sequence[Write], *, ordered: bool) -> tuple[int, ...]:
    """Write to the collections of several models on one connection by one command.

    Args:
        writes: What to write, in this order.
        ordered: Whether to stop at the first that the server refuses.

    Returns:
        The positions of the writes that made or found a document.

    Raises:
        BulkError: When the server refuses some; `written` has the positions then.
        MongoDBORMError: What the driver says, translated; names of fields are the models'.
    """
    connection = await connection_for(writes[0].model)
    targets: dict[tuple[type[MappedModel], str | None], Target] = {}
    for model, database in {(write.model, write.database) for write in writes}:
        spec, own = spec_of(model), (await connection_for(model)).database
        targets[model, database] = Target(database or own, spec.collection, spec.name)
    placed = [Placed(targets[model, database], operation) for model, database, operation in writes]
    in_turn = dict.fromkeys(target for target, _ in placed)
    whole = Target(*(", ".join(dict.fromkeys(names)) for names in zip(*in_turn, strict=True)))
    command = BulkWriteAcross(operations=placed, ordered=ordered)
    if monitoring.callers.are_noted:
        command = monitoring.with_caller(command)
    try:
        return await _execute(connection, whole, command, ambient=True)
    except BulkError as error:
        for failure in error.failures:
            _give_model_names(spec_of(writes[failure.index].model).names, failure.error)
        raise


async def _execute(connection: Connection, target: Target, command: Command[R], ambient: bool) -> R:
    start = time.perf_counter()
    failure: BaseException | None = None
    unit = unit_for(connection.driver, command, target.model) if ambient else None
    try:
        if unit is None:
            return await connection.driver.execute(target, command)
        with unit.using() as session:
            return await connection.driver.execute(target, command, session)
    except BaseException as error:
        failure = error
        raise
    finally:
        _tell(target, command, start, failure)


async def stream(
    model: type[MappedModel],
    command: Find | Aggregate,
    *,
    collection: str | None = None,
    database: str | None = None,
    ambient: bool = True,
) -> AsyncIterator[Any]:
    """Yield the results of a read as concatenated BSON, a chunk for each batch; arguments as for `run`.

    Where a find says that they are decoded, a chunk is a list of dicts.
    """
    spec = spec_of(model)
    connection = connections.open_connection_of(model) or await connections.connection_for(model)
    target = Target(database or connection.database, collection or spec.collection, spec.name)
    if monitoring.callers.are_noted:
        command = monitoring.with_caller(command)
    start = time.perf_counter()
    failure: BaseException | None = None
    unit = unit_for(connection.driver, command, spec.name) if ambient else None
    chunks = connection.driver.stream(target, command, None if unit is None else unit.session)
    if unit is not None:
        chunks = unit.stream(chunks)
    is_noted = False
    try:
        async for chunk in chunks:
            if not is_noted and collection is None:
                is_noted = True
                _note_read(spec, command, start)
            yield chunk
        if not is_noted and collection is None:
            _note_read(spec, command, start)
    except MongoDBORMError as error:
        failure = error
        raise
    finally:
        await chunks.aclose()  # type: ignore[attr-defined]
        _tell(target, command, start, failure)


async def watch(model: type[MappedModel], command: Watch) -> AsyncIterator[Document]:
    """Yield the changes of a model's collection as they happen, without end.

    Raises:
        NotSupportedError: When the backend has no change streams.
        MongoDBORMError: When the stream is lost and cannot be resumed.
    """
    spec = spec_of(model)
    connection = await connection_for(model)
    target = Target(connection.database, spec.collection, spec.name)
    changes = connection.driver.watch(target, command)
    try:
        async for change in changes:
            yield change
    finally:
        await changes.aclose()  # type: ignore[attr-defined]


def _note_read(spec: ModelSpec, command: Find | Aggregate, start: float) -> None:
    if command.collation is not None:
        return
    filter_: Mapping[str, Any] = {}
    sort: Sort = ()
    if isinstance(command, Find):
        filter_, sort = command.filter, command.sort
    else:
        leading = iter(command.pipeline)
        stage: Mapping[str, Any] = next(leading, {})
        if "$match" in stage:
            filter_ = stage["$match"]
            stage = next(leading, {})
        if "$sort" in stage:
            sort = tuple(stage["$sort"].items())
    if filter_ or sort:
        sightings.note(spec, filter_, sort, time.perf_counter() - start)


def _tell(target: Target, command: Command[Any], start: float, error: BaseException | None) -> None:
    """Tell the log and the listeners of a command that ended."""
    is_logged = logger.isEnabledFor(logging.DEBUG)
    if not (is_logged or monitoring.listeners):
        return
    seconds = time.perf_counter() - start
    event = monitoring.CommandEvent(
        model=target.model,
        operation=monitoring.operation_of(command),
        database=target.database,
        collection=target.collection,
        command=command,
        started_at=time.time() - seconds,
        seconds=seconds,
        error=error,
    )
    if is_logged:
        outcome = "" if error is None else f" {type(error).__name__}"
        logger.debug("%s.%s %.2f ms %s%s", event.model, event.operation, seconds * 1000, event.shape, outcome)
    for listener in tuple(monitoring.listeners):
        listener(event)


def _give_model_names(names: Mapping[str, str], error: BaseException) -> None:
    if isinstance(error, BulkError):
        for failure in error.failures:
            _give_model_names(names, failure.error)
    if not isinstance(error, DuplicateDocumentError):
        return
    fields = tuple(names.get(field, field) for field in error.fields)
    error.facts = {**error.facts, "fields": fields}
    if fields != error.fields:
        error.problem = error.problem.replace(", ".join(error.fields), ", ".join(fields))
    error.fields = fields
