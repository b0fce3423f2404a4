"""Transactions that are done again when they fail for a passing reason."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, overload

from ..drivers.base import TransactionOptions
from ..exceptions import ConfigurationError, MongoDBORMError
from ..schema import MappedModel
from ..schema.mementos import touch
from .transactions import ReadConcern, Transaction
from .units import TRANSIENT, transaction_unit

P = ParamSpec("P")
T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])

_SECONDS = 120.0
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.5


class Attempt:
    """One attempt at a transaction, as a block; a passing failure ends it quietly, and the next attempt follows."""

    def __init__(self, block: Transaction, is_last: Callable[[], bool]) -> None:
        self._block = block
        self._is_last = is_last
        self.is_done: bool = False

    async def __aenter__(self) -> Any:
        """Begin, and return the driver's session."""
        return await self._block.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Commit; return whether the error is one that another attempt may cure."""
        try:
            await self._block.__aexit__(kind, error, trace)
        except MongoDBORMError as failure:
            # Of what was committed, or may be, a function that was called afterwards can fail for a passing reason.
            if self._block.outcome == "aborted" and is_transient(failure) and not self._is_last():
                return True
            self.is_done = True
            raise
        if error is not None and is_transient(error) and not self._is_last():
            return True
        self.is_done = True
        return False


class TransactionMaker:
    """What `transaction` is: call it for a block, ask it for `attempts`."""

    def __call__(
        self,
        model: type[MappedModel] | None = None,
        *,
        read_concern: ReadConcern = "snapshot",
        write_concern: str | int = "majority",
        max_commit_time: float | None = None,
    ) -> Transaction:
        """Return a transaction as a block: everything inside is stored, or nothing.

        Every operation below takes part without being told. When the block raises, the transaction is aborted and the
        objects that it touched are what they were. A failure that another attempt may cure is a
        `TransientTransactionError`; the block cannot run itself again, `attempts`, `run_transaction` and
        `@transactional` do.

        Args:
            model: Whose connection; needed when models are registered with several.
            read_concern: `"snapshot"`, `"majority"` or `"local"`.
            write_concern: `"majority"`, or a number of members.
            max_commit_time: Seconds that the server may take to commit.

        Raises:
            NotSupportedError: When the server has no transactions: a standalone server, or `memory://`.

        Example:
            >>> async with transaction():
            ...     await account.update(balance__inc=-10)
            ...     await other.update(balance__inc=10)
        """
        return Transaction(model, _options(read_concern, write_concern, max_commit_time))

    async def attempts(
        self,
        model: type[MappedModel] | None = None,
        *,
        max_attempts: int | None = None,
        timeout: float = _SECONDS,
        **options: Any,
    ) -> AsyncIterator[Attempt]:
        """Yield attempts until one is committed, or fails for good.

        Args:
            model: As for a block.
            max_attempts: How many attempts at most; None for as many as `timeout` allows.
            timeout: Seconds in which attempts are begun.
            options: As for a block.

        Example:
            >>> async for attempt in transaction.attempts():
            ...     async with attempt:
            ...         await transfer(ann, bob, 10)
        """
        _check(max_attempts, timeout)
        deadline, made, pause = time.monotonic() + timeout, 0, _FIRST_PAUSE
        while True:
            made += 1
            count = made

            def is_last(count: int = count) -> bool:
                is_inner = transaction_unit() is not None  # the outer transaction is done again, with this inside
                return is_inner or count == max_attempts or time.monotonic() >= deadline

            attempt = Attempt(self(model, **options), is_last)
            yield attempt
            if attempt.is_done:
                return
            await asyncio.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - a pause is no secret
            pause = min(pause * 2, _LONGEST_PAUSE)


transaction: TransactionMaker = TransactionMaker()
"""Begin a transaction: `async with transaction(): ...`."""


async def run_transaction(
    function: Callable[P, Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run an async function in a transaction, again as long as it fails for a passing reason.

    The function runs once for each attempt, so what it does beside the database belongs into `on_commit`. For a
    model's connection, attempts and other options, see `transactional` and `transaction.attempts`.

    Args:
        function: The function.
        args: Its arguments.
        kwargs: Its keyword arguments.

    Returns:
        What it returns in the attempt that is committed.

    Example:
        >>> await run_transaction(transfer, ann, bob, amount=10)
    """
    return await _run(function, args, kwargs, {})


@overload
def transactional(function: Function, /) -> Function: ...


@overload
def transactional(
    *,
    model: type[MappedModel] | None = None,
    max_attempts: int | None = None,
    timeout: float = _SECONDS,
    read_concern: ReadConcern = "snapshot",
    write_concern: str | int = "majority",
    max_commit_time: float | None = None,
) -> Callable[[Function], Function]: ...


def transactional(function: Any = None, /, **options: Any) -> Any:
    """Let an async function run in a transaction, again as long as it fails for a passing reason.

    Inside another transaction it takes part in that one.

    Args:
        function: The function, for `@transactional` without parentheses.
        options: `model`, `max_attempts`, `timeout` in seconds, `read_concern`, `write_concern`, `max_commit_time`.

    Example:
        >>> @transactional
        ... async def transfer(source: Account, target: Account, amount: int) -> None: ...
    """

    def decorate(inner: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @functools.wraps(inner)
        async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            return await _run(inner, args, kwargs, options)

        return wrapper

    return decorate if function is None else decorate(function)


async def _run(
    function: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any], options: dict[str, Any]
) -> T:
    results: list[T] = []
    async for attempt in transaction.attempts(**options):
        results.clear()
        async with attempt:
            for document in _documents((*args, *kwargs.values(), *_known_to(function))):
                touch(document)  # so that a list or dict of it that the function changes in place is put back too
            results.append(await function(*args, **kwargs))
    return results[0]


def _known_to(function: Any) -> Iterator[Any]:
    """Yield what a function uses from outside: the object that it is a method of, variables of a function around it."""
    if isinstance(function, functools.partial):
        yield from (*function.args, *function.keywords.values())
        function = function.func
    yield getattr(function, "__self__", None)
    for cell in getattr(function, "__closure__", None) or ():
        with suppress(ValueError):  # a variable that has no value yet
            yield cell.cell_contents


def _documents(values: Iterable[Any]) -> Iterator[MappedModel]:
    """Yield the objects among values, and in those that are lists, dicts and the like, at any depth."""
    waiting, seen = [*values], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, MappedModel):
            yield value
        elif isinstance(value, dict | list | tuple | set | frozenset) and id(value) not in seen:
            seen.add(id(value))  # one may contain itself
            waiting += value.values() if isinstance(value, dict) else value


def is_transient(error: BaseException | None) -> bool:
    """Return whether an error, or one that it was raised from, may be cured by another attempt."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, BaseExceptionGroup) and all(map(is_transient, error.exceptions)):
            return True
        if isinstance(error, MongoDBORMError) and error.has_label(TRANSIENT):
            return True
        seen.add(id(error))
        error = error.__cause__
    return False


def _options(read_concern: str, write_concern: str | int, max_commit_time: float | None) -> TransactionOptions:
    if read_concern not in ("snapshot", "majority", "local"):
        raise ConfigurationError(
            f"{read_concern!r} is no read concern of a transaction.", hint='Use "snapshot", "majority" or "local".'
        )
    is_number = isinstance(write_concern, int) and not isinstance(write_concern, bool) and write_concern >= 1
    if not (is_number or (isinstance(write_concern, str) and write_concern)):
        raise ConfigurationError(
            f"{write_concern!r} is no write concern of a transaction.", hint='Use "majority", or a number from 1.'
        )
    is_number = isinstance(max_commit_time, int | float) and not isinstance(max_commit_time, bool)
    if max_commit_time is not None and not (is_number and max_commit_time > 0):
        raise ConfigurationError(f"max_commit_time is a positive number of seconds, not {max_commit_time!r}.")
    return TransactionOptions(read_concern, write_concern, max_commit_time)


def _check(max_attempts: int | None, timeout: float) -> None:
    is_count = isinstance(max_attempts, int) and not isinstance(max_attempts, bool) and max_attempts >= 1
    if max_attempts is not None and not is_count:
        raise ConfigurationError(f"max_attempts is a whole number from 1, not {max_attempts!r}.")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise ConfigurationError(f"timeout is a positive number of seconds, not {timeout!r}.")
