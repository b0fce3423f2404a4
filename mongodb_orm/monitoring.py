"""What is sent to the database, for those who want to watch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from .commands import Command

C = TypeVar("C", bound=Command[Any])

_PACKAGE = str(Path(__file__).parent)
_FOREIGN = (_PACKAGE, "<frozen", "/asyncio/", "/pydantic/")

OPERATIONS: Mapping[str, str] = {
    "Find": "filter",
    "FindOne": "get_by_id",
    "InsertOne": "create",
    "InsertMany": "bulk_create",
    "BulkWrite": "bulk_write",
    "BulkWriteAcross": "bulk_write",
    "FindAndDelete": "find_one_and_delete",
    "FindAndUpdate": "find_one_and_update",
    "EstimatedCount": "estimated_count",
    "CreateIndex": "create_index",
    "DropIndex": "drop_index",
    "ListIndexes": "list_indexes",
    "RunCommand": "command",
}
"""The verb that stands for a command, where it is not the command's own name in small letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEvent:
    """A command that ended.

    Attributes:
        model: The model's name; of a command for several, as `BulkWriter` sends it, the names with commas between.
        operation: The verb: `"filter"`, `"create"`, `"update"`, ...
        database: The database's name, or names.
        collection: The collection's name, or names.
        command: What was sent, under stored names and with its values.
        shape: Its filter or pipeline with every value replaced by `?`: safe for a log.
        started_at: When it was sent, in seconds since the epoch.
        seconds: How long it took; a stream until its end, with what the reader did in between.
        error: What ended it, None when it succeeded.
    """

    model: str
    operation: str
    database: str
    collection: str
    command: Command[Any]
    started_at: float
    seconds: float
    error: BaseException | None = None

    @property
    def shape(self) -> Any:
        """The filter or pipeline without values."""
        command = self.command
        return shape_of_values(getattr(command, "filter", None) or getattr(command, "pipeline", None) or {})


Listener = Callable[[CommandEvent], object]

listeners: list[Listener] = []
"""Who is told of every command; empty costs nothing."""


def add_command_listener(listener: Listener) -> Callable[[], None]:
    """Call a function after every command; return a function that ends this.

    Args:
        listener: Takes a `CommandEvent`. It runs between the answer and the caller, so it must be quick, and it must
            not raise: an error of its own would look like an error of the command.

    Example:
        >>> stop = add_command_listener(lambda event: print(event.model, event.operation, event.seconds))
        >>> stop()
    """
    listeners.append(listener)

    def remove() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return remove


def operation_of(command: Command[Any]) -> str:
    """Return the verb that a command stands for."""
    name = type(command).__name__
    return OPERATIONS.get(name, name.lower())


def shape_of_values(value: Any) -> Any:
    """Return a filter or pipeline with every value replaced by `?`, for logs."""
    if isinstance(value, Mapping):
        return {key: shape_of_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        if value and all(isinstance(inner, Mapping) for inner in value):
            return [shape_of_values(inner) for inner in value]
        return ["?"] if value else []
    return "?"


class _Callers:
    __slots__ = ("are_noted",)

    def __init__(self) -> None:
        self.are_noted: bool = False


callers: _Callers = _Callers()
"""Whether commands carry the place in the program that sent them."""


def comment_with_caller(enabled: bool = True) -> None:
    """Let every command carry the function, file and line that sent it, as its comment.

    The server's log, its profiler and `currentOp` show the comment. A comment of your own stays. It walks the stack on
    every command, so it is meant for the hunt after a slow query.

    Example:
        >>> comment_with_caller()
    """
    callers.are_noted = enabled


def with_caller(command: C) -> C:
    """Return a command with the place that sent it as its comment, unless it has one."""
    if command.comment is not None:
        return command
    frame = sys._getframe(1)
    while frame.f_back is not None and any(part in frame.f_code.co_filename for part in _FOREIGN):
        frame = frame.f_back
    place = f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"
    return replace(command, comment=place)
