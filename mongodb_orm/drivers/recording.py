"""A driver without a server: it records what is sent, and answers what it was told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from ..codec import decode_raw, encode
from ..commands import (
    Aggregate,
    BulkAnswer,
    BulkWrite,
    Command,
    Count,
    CreateIndex,
    Delete,
    Distinct,
    DropIndex,
    EstimatedCount,
    Find,
    FindAndDelete,
    FindAndUpdate,
    FindOne,
    InsertMany,
    InsertOne,
    ListIndexes,
    Update,
    Watch,
)
from ..exceptions import NotSupportedError
from ..types import Document, Target, UpdateResult
from .base import ServerInfo, TransactionOptions

R = TypeVar("R")

_COUNTERS = "counters"

_DEFAULTS: Mapping[type[Command[Any]], Any] = {
    Find: [],
    Aggregate: [],
    Watch: [],
    FindOne: None,
    FindAndDelete: None,
    FindAndUpdate: None,
    Count: 0,
    EstimatedCount: 0,
    Distinct: [],
    InsertOne: None,
    InsertMany: None,
    BulkWrite: BulkAnswer(0, 0),
    Update: UpdateResult(1, 1),
    Delete: 1,
    CreateIndex: "index",
    DropIndex: None,
    ListIndexes: [],
}


class RecordingDriver:
    """Stands for a client in tests of code that should need no server.

    Counters of ids work by themselves. Without an answer of yours reads find nothing, and writes succeed.

    Attributes:
        commands: What was sent, but for counters of ids.

    Example:
        >>> driver = RecordingDriver()
        >>> driver.answer(Find, [{"_id": 1, "username": "ann"}])
        >>> await register_model(User, client=driver)
        >>> await User.filter(age__gte=18)
        [<User(id=1)>]
        >>> driver.commands[-1].filter
        {'age': {'$gte': 18}}
    """

    name = "recording"
    features: frozenset[str] = frozenset({"collation", "explain", "text_search", "array_filters", "bson_order"})

    def __init__(self) -> None:
        self.client = self
        self.commands: list[Command[Any]] = []
        self._answers: dict[type[Command[Any]], list[Any]] = {}
        self._ids: dict[str, int] = {}

    def answer(self, command: type[Command[Any]], *answers: Any) -> None:
        """Say what a kind of command is answered; an exception is raised.

        Args:
            command: The command's class, such as `mongodb_orm.commands.Find`.
            answers: One for each time, the last for all that follow: a list of stored documents for `Find` and
                `Aggregate`, a stored document or None for `FindOne`, `FindAndUpdate` and
                `FindAndDelete`, a number for counts.
        """
        self._answers[command] = list(answers)

    async def stream(self, target: Target, command: Find | Aggregate, session: Any = None) -> AsyncIterator[Any]:
        """Yield the answer as concatenated BSON, or as dicts when they are decoded."""
        documents: Sequence[Mapping[str, Any]] = self._next(target, command)
        if documents:
            chunk = b"".join(encode(document, model=target.model) for document in documents)
            yield decode_raw(chunk) if isinstance(command, Find) and command.decoded else chunk

    async def watch(self, target: Target, command: Watch) -> AsyncIterator[Document]:
        """Yield the events that are the answer, and end."""
        for change in self._next(target, command):
            yield change

    async def execute(self, target: Target, command: Command[R], session: Any = None) -> R:
        """Return the answer."""
        answer = self._next(target, command)
        if isinstance(answer, Mapping) and isinstance(command, FindOne | FindAndUpdate | FindAndDelete):
            answer = encode(answer, model=target.model)
        return cast(R, answer)

    async def writes_across(self) -> bool:
        """Say no: each collection has commands of its own."""
        return False

    async def start_session(self, *, causal: bool) -> Any:
        """Begin a session that records nothing."""
        return self

    async def start_transaction(self, session: Any, options: TransactionOptions) -> None:
        """Begin a transaction that records nothing."""

    async def commit(self, session: Any) -> None:
        """Commit nothing."""

    async def abort(self, session: Any) -> None:
        """Abort nothing: what was recorded stays."""

    async def end_session(self, session: Any) -> None:
        """End a session."""

    async def ping(self, timeout: float) -> None:
        """Answer at once."""

    async def server_info(self, timeout: float) -> ServerInfo:
        """Say that there is no server."""
        return ServerInfo("none", "recording", {})

    async def close(self) -> None:
        """Keep what was recorded."""

    def _next(self, target: Target, command: Command[Any]) -> Any:
        if target.collection == _COUNTERS and isinstance(command, FindAndUpdate):
            update = cast("Mapping[str, Any]", command.update)
            return self._counted(str(command.filter["_id"]), int(update["$inc"]["last"]))
        self.commands.append(command)
        kind = type(command)
        answers = self._answers.get(kind)
        if answers:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        elif kind in _DEFAULTS:
            answer = _DEFAULTS[kind]
        else:
            raise NotSupportedError(
                f"The recording driver has no answer for {kind.__name__}.",
                hint=f"Write driver.answer({kind.__name__}, ...).",
                feature=kind.__name__,
            )
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _counted(self, collection: str, count: int) -> Mapping[str, Any]:
        self._ids[collection] = self._ids.get(collection, 0) + count
        return {"_id": collection, "last": self._ids[collection]}
