"""The ambient session: what the operations of a task take part in."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from ..commands import Command, CreateIndex, DropIndex, EstimatedCount, ListIndexes, RunCommand
from ..drivers import Driver
from ..exceptions import ConfigurationError, MongoDBORMError, NotSupportedError, TransactionError

Callback = Callable[[], Awaitable[Any] | Any]
State = Literal["open", "failed", "ended"]

TRANSIENT = "TransientTransactionError"
UNKNOWN_OUTCOME = "UnknownTransactionCommitResult"

_OUTSIDE = (ListIndexes, RunCommand)
_REFUSED: dict[type[Command[Any]], tuple[str, str]] = {
    CreateIndex: ("make an index", "Make indexes before, or when the model is registered."),
    DropIndex: ("drop an index", "Drop it outside."),
    EstimatedCount: ("estimate a count", "Use count()."),
}


class Unit:
    """A session in use: of a transaction, or one that is only causally consistent.

    Attributes:
        driver: The driver that the session belongs to.
        session: The driver's session.
        is_transaction: Whether a transaction runs in it.
        state: `"open"`; `"failed"` when an operation failed, by which MongoDB ends a transaction; `"ended"`.
        failure: The error that made it fail.
        on_commit: What to call after the commit.
        on_rollback: What to call after an abort.
        on_unknown: What to call when it is not known whether the commit was done.
    """

    def __init__(self, driver: Driver, session: Any, *, is_transaction: bool) -> None:
        self.driver = driver
        self.session = session
        self.is_transaction = is_transaction
        self.state: State = "open"
        self.failure: BaseException | None = None
        self.on_commit: list[Callback] = []
        self.on_rollback: list[Callback] = []
        self.on_unknown: list[Callback] = []
        self._task = asyncio.current_task()

    def fail(self, error: BaseException) -> None:
        """Remember that nothing further can be done; the first failure is the reason."""
        if self.is_transaction and self.state == "open":
            self.state = "failed"
            self.failure = error

    @contextmanager
    def using(self) -> Iterator[Any]:
        """Yield the session for one trip.

        Raises:
            TransactionError: When the unit has ended or failed, or belongs to another task.
        """
        self.check()
        try:
            yield self.session
        except (MongoDBORMError, asyncio.CancelledError) as error:  # nobody knows what a cancelled trip has done
            self.fail(error)
            raise

    async def stream(self, chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Yield what a stream yields; other operations may run between two batches."""
        try:
            while True:
                with self.using():
                    try:
                        chunk = await anext(chunks)
                    except StopAsyncIteration:
                        return
                yield chunk
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]

    def check(self) -> None:
        """Raise when nothing can be done in the unit any more.

        Raises:
            TransactionError: When it has ended or failed.
        """
        if self.state == "ended":
            raise TransactionError(
                f"The {self._name} has ended, and this task was begun inside it.",
                hint="Begin the task after the block, or in on_commit().",
            )
        task = asyncio.current_task()
        if task is not self._task and self._task is not None and self._task.done():
            self._task = task  # a block that a fixture of a test began: its task is over, the test's goes on
        if task is not self._task:
            raise TransactionError(
                f"The {self._name} belongs to another task.",
                hint="MongoDB runs its operations one after the other: await them in turn, without gather() and new "
                "tasks. For a time limit use asyncio.timeout(); asyncio.wait_for() makes a task in Python 3.11.",
            )
        if self.state == "failed":
            raise TransactionError(
                f"The transaction is over: an operation in it failed ({type(self.failure).__name__}).",
                hint="MongoDB ends a transaction at the first error. Leave the block, and begin anew.",
                labels=getattr(self.failure, "labels", ()),
            ) from self.failure

    def admits(self, command: Command[Any]) -> bool:
        """Return whether a command takes part; some are run outside.

        Raises:
            NotSupportedError: When MongoDB refuses the command in a transaction.
        """
        if not self.is_transaction:
            return True
        refused = _REFUSED.get(type(command))
        if refused is not None:
            what, hint = refused
            raise NotSupportedError(f"MongoDB does not {what} inside a transaction.", hint=hint, feature=what)
        return not isinstance(command, _OUTSIDE)

    @property
    def _name(self) -> str:
        return "transaction" if self.is_transaction else "session"


_current: ContextVar[Unit | None] = ContextVar("mongodb_orm_unit", default=None)


def current_unit() -> Unit | None:
    """Return the unit that the running task takes part in, or None."""
    return _current.get()


@contextmanager
def taking_part(unit: Unit) -> Iterator[None]:
    """Let the operations of the block take part in a unit."""
    token = _current.set(unit)
    try:
        yield
    finally:
        _current.reset(token)


def unit_for(driver: Driver, command: Command[Any], model: str) -> Unit | None:
    """Return the unit that a command on a driver takes part in, or None.

    Raises:
        TransactionError: When a transaction of another connection is open.
        NotSupportedError: When MongoDB refuses the command in a transaction.
    """
    unit = _current.get()
    if unit is None:
        return None
    if unit.driver.client is not driver.client:
        if not unit.is_transaction:
            return None
        raise TransactionError(
            f"{model} lives on another connection than the transaction that is open.",
            hint="A transaction is of one connection. Register the models with equal configurations, "
            "or write outside of the block.",
        )
    return unit if unit.admits(command) else None


def transaction_unit() -> Unit | None:
    """Return the open transaction that the running task takes part in, or None."""
    unit = _current.get()
    return unit if unit is not None and unit.is_transaction and unit.state != "ended" else None


def in_transaction() -> bool:
    """Return whether the running task is inside a transaction.

    Example:
        >>> async with transaction():
        ...     in_transaction()
        True
    """
    return transaction_unit() is not None


def has_failed() -> bool:
    """Return whether the running task is inside a transaction that an error has ended, with all that it did."""
    unit = transaction_unit()
    return unit is not None and unit.state == "failed"


async def on_commit(callback: Callback) -> None:
    """Call a function after the transaction's commit; at once when there is none.

    It runs outside the transaction. An error of it reaches whoever ran the transaction, which is committed
    nevertheless; the other callbacks run all the same.

    Args:
        callback: A function without arguments, plain or async.

    Example:
        >>> async with transaction():
        ...     order = await Order.create(...)
        ...     await on_commit(lambda: mail.send(order))
    """
    _refuse_results(callback)
    unit = transaction_unit()
    if unit is None:
        await _call(callback)
    else:
        unit.on_commit.append(callback)


async def on_rollback(callback: Callback) -> None:
    """Call a function after the transaction was dropped; never when there is none.

    Args:
        callback: A function without arguments, plain or async.
    """
    _refuse_results(callback)
    unit = transaction_unit()
    if unit is not None:
        unit.on_rollback.append(callback)


async def on_outcome(committed: Callback, unknown: Callback) -> None:
    """Call one function after the transaction's commit, another one when nobody knows whether that was done.

    Without a transaction the first is called at once.
    """
    await on_commit(committed)
    unit = transaction_unit()
    if unit is not None:
        unit.on_unknown.append(unknown)


async def call_all(callbacks: list[Callback]) -> None:
    """Call functions in turn, the rest too when one raises; the last error is raised, the others are its context."""
    async with AsyncExitStack() as stack:
        for callback in reversed(callbacks):
            stack.push_async_callback(_call, callback)


async def _call(callback: Callback) -> None:
    answer = callback()
    if inspect.isawaitable(answer):
        await answer


def _refuse_results(callback: Any) -> None:
    """Raise at once what would show only after the commit: a call was written in place of the function."""
    if not callable(callback):
        raise ConfigurationError(
            f"A callback of a transaction is a function, not {type(callback).__name__}.",
            hint="Write on_commit(lambda: send(order)), without calling it.",
        )
