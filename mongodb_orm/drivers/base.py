"""The port: the little that a driver must be able to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple, Protocol, TypeVar

from ..commands import Aggregate, Command, Find, Watch
from ..types import Document, Target

R = TypeVar("R")

ALL_FEATURES = frozenset(
    {"transactions", "change_streams", "collation", "explain", "text_search", "array_filters", "bson_order"}
)


class ServerInfo(NamedTuple):
    """What a server says of itself."""

    version: str
    topology: str
    pool: dict[str, int]


class TransactionOptions(NamedTuple):
    """What a transaction is asked for.

    Attributes:
        read_concern: `"snapshot"`, `"majority"` or `"local"`.
        write_concern: `"majority"`, or a number of members.
        max_commit_time: Seconds that the server may take to commit.
    """

    read_concern: str
    write_concern: str | int
    max_commit_time: float | None


class Driver(Protocol):
    """A connection to one deployment.

    Attributes:
        name: `"motor"`, `"pymongo"` or `"memory"`.
        features: What it can do beyond the commands.
        client: The client library's own object.
    """

    name: str
    features: frozenset[str]
    client: Any

    def stream(self, target: Target, command: Find | Aggregate, session: Any = None) -> AsyncIterator[Any]:
        """Yield the results as concatenated BSON, a chunk for each batch; as lists of dicts when they are decoded."""
        ...

    def watch(self, target: Target, command: Watch) -> AsyncIterator[Document]:
        """Yield the changes of a collection, without end."""
        ...

    async def execute(self, target: Target, command: Command[R], session: Any = None) -> R:
        """Run a command that has one answer."""
        ...

    async def writes_across(self) -> bool:
        """Return whether one command may write to several collections: whether it takes a `BulkWriteAcross`."""
        ...

    async def start_session(self, *, causal: bool) -> Any:
        """Begin a session; a transaction needs one."""
        ...

    async def start_transaction(self, session: Any, options: TransactionOptions) -> None:
        """Begin a transaction in a session; the server hears of it with the first command."""
        ...

    async def commit(self, session: Any) -> None:
        """Commit a session's transaction; again, when it was tried before."""
        ...

    async def abort(self, session: Any) -> None:
        """Abort a session's transaction."""
        ...

    async def end_session(self, session: Any) -> None:
        """End a session."""
        ...

    async def ping(self, timeout: float) -> None:
        """Ask for a sign of life within `timeout` seconds, threads and sockets included."""
        ...

    async def server_info(self, timeout: float) -> ServerInfo:
        """Ask for version and topology within `timeout` seconds."""
        ...

    async def close(self) -> None:
        """Close every socket; on the event loop that opened them, where the library needs that."""
        ...
