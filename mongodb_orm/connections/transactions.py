"""Transactions and causally consistent sessions as blocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Literal

from ..drivers import Driver
from ..drivers.base import TransactionOptions
from ..exceptions import ConfigurationError, MongoDBORMError, TransactionError, TransientTransactionError
from ..schema import STATE_SLOTS, MappedModel, doubt
from ..schema.mementos import Mementos, keeping
from .registry import connections
from .units import TRANSIENT, UNKNOWN_OUTCOME, Unit, call_all, current_unit, taking_part

ReadConcern = Literal["snapshot", "majority", "local"]
Outcome = Literal["committed", "aborted", "unknown"]

_COMMIT_SECONDS = 120.0
"""How long a commit is retried, as long as MongoDB's drivers do in their `with_transaction`."""
_COMMIT_PAUSE = 0.005
_LONGEST_PAUSE = 1.0
_ABORT_SECONDS = 5.0
_TOO_LATE = 50
"""The server's code for a commit that took longer than its `max_commit_time`."""


class Transaction:
    """One transaction as a block; `transaction()` makes it.

    On the way out it commits, or aborts when the block raises. Inside another transaction it takes part in that one.

    Attributes:
        outcome: What became of it, None before its end and for one that takes part in another.
    """

    def __init__(self, model: type[MappedModel] | None, options: TransactionOptions) -> None:
        self.outcome: Outcome | None = None
        self._model = model
        self._options = options
        self._unit: Unit | None = None
        self._outer: Unit | None = None
        self._mementos = Mementos(STATE_SLOTS)
        self._contexts = ExitStack()
        self._owns_session = True

    async def __aenter__(self) -> Any:
        """Begin, and return the driver's session.

        Raises:
            NotSupportedError: When the server has no transactions.
            TransactionError: When a transaction of another connection is open.
        """
        if self._unit is not None or self._outer is not None:
            raise TransactionError("A transaction is used once.", hint="Write transaction() for each block.")
        around = _open_unit()
        driver = await _driver_for(self._model, around)
        if around is not None and around.is_transaction:
            return self._join(around, driver)
        if around is not None and around.driver.client is driver.client:
            around.check()
            session, self._owns_session = around.session, False
        else:
            session = await driver.start_session(causal=True)
        try:
            await driver.start_transaction(session, self._options)
        except BaseException:
            if self._owns_session:
                await driver.end_session(session)
            raise
        self._unit = Unit(driver, session, is_transaction=True)
        self._contexts.enter_context(taking_part(self._unit))
        self._contexts.enter_context(keeping(self._mementos))
        return session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit, or abort.

        Raises:
            TransientTransactionError: When it could not be committed, and doing it all again is safe.
            TransactionError: When it could not be committed.
        """
        if self._outer is not None:
            if error is not None:
                self._outer.fail(error)
            return
        unit = self._unit
        if unit is None:
            return
        failure = error
        self.outcome = "aborted"
        try:
            if failure is None:
                try:
                    unit.check()
                    self.outcome = "unknown"
                    await self._commit(unit)
                    self.outcome = "committed"
                except BaseException as cause:  # noqa: BLE001 - raised below, when all is told and closed
                    failure = cause
                    if isinstance(cause, MongoDBORMError) and not _is_unknown(cause):
                        self.outcome = "aborted"
            if self.outcome == "aborted":
                await self._abort(unit)
        finally:
            unit.state = "ended"
            self._contexts.close()
            if self.outcome == "aborted":
                self._mementos.restore()
            elif self.outcome == "unknown":
                for document in self._mementos.documents():
                    doubt(document)
            try:
                if self._owns_session:
                    await unit.driver.end_session(unit.session)
            finally:  # a task that is cancelled meanwhile does not change what became of the transaction
                await self._tell(unit, self.outcome)
        if failure is not None and failure is not error:
            raise failure
        if (
            isinstance(error, MongoDBORMError)
            and error.has_label(TRANSIENT)
            and not isinstance(error, TransactionError)
        ):
            raise _transient(error) from error

    def _join(self, outer: Unit, driver: Driver) -> Any:
        _refuse_elsewhere(outer, driver)
        outer.check()
        self._outer = outer
        return outer.session

    async def _commit(self, unit: Unit) -> None:
        deadline, pause = time.monotonic() + _COMMIT_SECONDS, _COMMIT_PAUSE
        while True:
            try:
                with unit.using() as session:
                    await unit.driver.commit(session)
            except MongoDBORMError as error:
                is_retried = error.has_label(UNKNOWN_OUTCOME) and error.code != _TOO_LATE
                if not is_retried or time.monotonic() >= deadline:
                    raise _commit_error(error) from error
                unit.state = "open"
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return

    async def _abort(self, unit: Unit) -> None:
        """Abort; a server that cannot be told ends the transaction by itself, so its silence is no error."""
        try:
            async with asyncio.timeout(_ABORT_SECONDS):
                await asyncio.shield(asyncio.ensure_future(unit.driver.abort(unit.session)))
        except (MongoDBORMError, TimeoutError):
            pass

    async def _tell(self, unit: Unit, outcome: Outcome) -> None:
        with ExitStack() as stack:
            if outcome == "committed":
                stack.push(_note_commit)
            callbacks = {"committed": unit.on_commit, "aborted": unit.on_rollback, "unknown": unit.on_unknown}
            await call_all(callbacks[outcome])


def _note_commit(kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
    if error is not None:
        error.add_note("The transaction was committed; a function that on_commit() was given failed.")
    return False


def _commit_error(error: MongoDBORMError) -> MongoDBORMError:
    if error.has_label(TRANSIENT):
        return _transient(error)
    if error.has_label(UNKNOWN_OUTCOME) or error.is_outcome_unknown:
        return TransactionError(
            "It is not known whether the transaction was committed.",
            hint="Look at what it should have written before you do it again.",
            code=error.code,
            labels=tuple(dict.fromkeys((*error.labels, UNKNOWN_OUTCOME))),
            is_outcome_unknown=True,
        )
    return TransactionError(
        f"The transaction could not be committed: {error.problem}", code=error.code, labels=error.labels
    )


def _transient(error: MongoDBORMError) -> TransientTransactionError:
    is_said = isinstance(error, TransientTransactionError)
    return TransientTransactionError(
        error.problem if is_said else f"The transaction was dropped for a passing reason: {error.problem}",
        hint="Do all of it again; run_transaction(), @transactional and transaction.attempts() do so.",
        code=error.code,
        labels=error.labels,
    )


def _is_unknown(error: BaseException) -> bool:
    return isinstance(error, MongoDBORMError) and error.has_label(UNKNOWN_OUTCOME) and not error.has_label(TRANSIENT)


def _open_unit() -> Unit | None:
    """Return the unit that the task is in, unless that is over: a task may outlive the block that it was begun in."""
    unit = current_unit()
    return None if unit is None or unit.state == "ended" else unit


def _refuse_elsewhere(around: Unit, driver: Driver) -> None:
    if around.is_transaction and around.driver.client is not driver.client:
        raise TransactionError(
            "A transaction of another connection is open.",
            hint="A transaction is of one connection; begin the other one outside of the block.",
        )


async def _driver_for(model: type[MappedModel] | None, around: Unit | None) -> Driver:
    if model is not None:
        return (await connections.connection_for(model)).driver
    if around is not None:
        return around.driver
    found = connections.handed_over()
    configs = connections.configs()
    if len(found) + len(configs) > 1:
        raise ConfigurationError(
            "Models are registered with several connections, and a transaction is of one.",
            hint="Name a model of it: transaction(User).",
        )
    if found:
        return found[0]
    if not configs:
        raise ConfigurationError("No model is registered, so there is nothing to begin a transaction on.")
    return await connections.driver_for(configs[0])


@asynccontextmanager
async def causal(model: type[MappedModel] | None = None) -> AsyncIterator[Any]:
    """Let the block's operations share a causally consistent session: reads see the writes before them.

    It matters where reads go to secondaries. Operations take part without being told, one after the other.

    Args:
        model: Whose connection; needed when models are registered with several.

    Yields:
        The driver's session.

    Raises:
        TransactionError: When a transaction of another connection is open, or the block around it is another task's.

    Example:
        >>> async with causal():
        ...     await User.create(username="ann")
        ...     await User.filter(username="ann").read_preference("secondary")
    """
    around = _open_unit()
    driver = await _driver_for(model, around)
    if around is not None:
        _refuse_elsewhere(around, driver)
    if around is not None and around.driver.client is driver.client:
        around.check()
        yield around.session
        return
    session = await driver.start_session(causal=True)
    unit = Unit(driver, session, is_transaction=False)
    context: AbstractContextManager[None] = taking_part(unit)
    try:
        with context:
            yield session
    finally:
        unit.state = "ended"
        await driver.end_session(session)
