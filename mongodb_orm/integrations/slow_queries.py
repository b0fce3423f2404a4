"""Warnings of slow commands, with the server's explanation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from ..commands import (
    Aggregate,
    Command,
    Count,
    Delete,
    Distinct,
    Find,
    FindAndDelete,
    FindAndUpdate,
    RunCommand,
    Update,
)
from ..connections import connections
from ..exceptions import MongoDBORMError
from ..executor import run
from ..explaining import explanation_of
from ..monitoring import CommandEvent, add_command_listener
from ..schema import MappedModel, spec_of

logger: logging.Logger = logging.getLogger("mongodb_orm.slow")

_EXPLAINED = (Find, Count, Distinct, Update, Delete, FindAndUpdate, FindAndDelete, Aggregate)
_WRITING = frozenset({"$out", "$merge"})


def warn_of_slow_commands(seconds: float = 0.1, *, explain: bool = True) -> Callable[[], None]:
    """Log a warning for every command that takes long, and say which index serves it; return what ends this.

    The warning shows the shape of the filter, never its values. The explanation is asked for in the background, once
    for each shape, and only for commands with a filter.

    Args:
        seconds: From when on a command is slow.
        explain: Whether to ask the server which index serves it; that runs the filter once more.

    Example:
        >>> stop = warn_of_slow_commands(0.2)
    """
    explained: set[tuple[str, str]] = set()
    tasks: set[asyncio.Task[None]] = set()

    def watch(event: CommandEvent) -> None:
        if event.seconds < seconds or isinstance(event.command, RunCommand):
            return
        logger.warning("%s.%s took %.0f ms: %s", event.model, event.operation, event.seconds * 1000, event.shape)
        seen = (event.model, str(event.shape))
        if explain and isinstance(event.command, _EXPLAINED) and seen not in explained:
            explained.add(seen)
            task = asyncio.get_running_loop().create_task(_explain(event))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    return add_command_listener(watch)


async def _explain(event: CommandEvent) -> None:
    model = connections.model_named(event.model, event.collection)
    if model is None:
        return
    try:
        words = await _words(model, event.command, event.database)
    except MongoDBORMError as error:
        words = f"It could not be explained: {type(error).__name__}."
    logger.warning("%s.%s %s: %s", event.model, event.operation, event.shape, words)


async def _words(model: type[MappedModel], command: Command[Any], database: str) -> str:
    asked, verbosity = _asked(spec_of(model).collection, command), "executionStats"
    if isinstance(command, Aggregate) and any(_WRITING & stage.keys() for stage in command.pipeline):
        verbosity = "queryPlanner"  # it must not write once more
    answer = await run(model, RunCommand(command={"explain": asked, "verbosity": verbosity}), database=database)
    return str(explanation_of(answer))


def _asked(collection: str, command: Command[Any]) -> dict[str, Any]:
    """Return the command to explain; of a write, the search for what it writes."""
    options = {name: value for name in ("hint", "collation", "let") if (value := getattr(command, name, None))}
    if isinstance(command, Aggregate):
        return {"aggregate": collection, "pipeline": list(command.pipeline), "cursor": {}, **options}
    find: dict[str, Any] = {"find": collection, "filter": getattr(command, "filter", {}), **options}
    if sort := dict(getattr(command, "sort", ())):
        find["sort"] = sort
    if limit := getattr(command, "limit", 0):
        find["limit"] = limit
    return find
