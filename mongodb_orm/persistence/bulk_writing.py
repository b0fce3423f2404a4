"""Writes of several models gathered and sent together: bulk writers and units of work."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from ..connections.attempts import run_transaction
from ..exceptions import ConfigurationError, TransactionError
from ..schema import MappedModel
from .gathering import Gathered
from .progressing import Progress, Steps

_SIZE = 1000


class BulkWriter:
    """Gathers writes of any models and sends them in a few commands: when there are many, and at the end of the block.

    From MongoDB 8.0 on everything goes out in one command, in the order in which it came. Before, and where the models
    are on several connections, each model has commands of its own: inserts and changes, then deletions; models in the
    order in which they came. When the block raises, what was not sent yet is not sent.

    Example:
        >>> async with BulkWriter() as writer:
        ...     async for row in rows:
        ...         await writer.save(Order(**row))
        >>> writer.saved, writer.deleted
    """

    def __init__(self, *, size: int = _SIZE, ordered: bool = False, progress: Progress | None = None) -> None:
        """Make a writer.

        Args:
            size: How many writes are gathered before they are sent.
            ordered: Whether to stop at the first that cannot be written.
            progress: Is told after each time how many were written.

        Raises:
            ConfigurationError: When `size` is below 1, or `progress` is no function.
        """
        if isinstance(size, bool) or size < 1:
            raise ConfigurationError(f"size is a whole number from 1, not {size!r}.")
        self._size = size
        self._ordered = ordered
        self._steps = Steps(progress)
        self._pending = Gathered()
        self.saved: int = 0
        self.deleted: int = 0

    async def save(self, *documents: MappedModel) -> None:
        """Gather objects to insert, or to update where they changed."""
        for document in documents:
            self._pending.save(document)
        await self._flush_full()

    async def delete(self, *documents: MappedModel) -> None:
        """Gather objects to delete, by their model's policy."""
        for document in documents:
            self._pending.delete(document)
        await self._flush_full()

    async def flush(self) -> None:
        """Send what was gathered.

        Raises:
            ValidationError: When a value does not fit.
            BulkError: When some could not be written; indexes count everything that the writer was given.
        """
        gathered, self._pending = self._pending, Gathered(self._pending.end)
        outcome = await gathered.write(self._ordered)
        self.saved += outcome.saved
        self.deleted += outcome.deleted
        await self._steps.add(outcome.saved + outcome.deleted)
        if outcome.failures:
            raise outcome.error() from outcome.failures[0].error

    async def __aenter__(self) -> Self:
        """Return the writer."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send what is left, unless the block raised."""
        if error is None:
            await self.flush()

    async def _flush_full(self) -> None:
        if len(self._pending) >= self._size:
            await self.flush()


class UnitOfWork:
    """Gathers new, changed and deleted objects of any models, and writes them in one transaction at the end.

    Example:
        >>> async with unit_of_work() as work:
        ...     work.add(order)
        ...     work.add(*lines)
        ...     work.delete(cart)
    """

    def __init__(self) -> None:
        self._gathered = Gathered()
        self._is_over = False

    def add(self, *documents: MappedModel) -> None:
        """Gather objects to insert, or to update where they changed by the end of the block.

        Raises:
            TransactionError: When the block has ended.
        """
        self._refuse_late()
        for document in documents:
            self._gathered.save(document)

    def delete(self, *documents: MappedModel) -> None:
        """Gather objects to delete, by their model's policy; one that was only added is forgotten.

        Raises:
            TransactionError: When the block has ended.
        """
        self._refuse_late()
        for document in documents:
            self._gathered.delete(document)

    async def __aenter__(self) -> Self:
        """Return the unit of work.

        Raises:
            TransactionError: When it was used before.
        """
        self._refuse_late()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write everything, or nothing; when the block raised, nothing."""
        self._is_over = True
        if error is None and len(self._gathered):
            await run_transaction(self._write)

    def _refuse_late(self) -> None:
        """Raise when nobody would write any more what is gathered."""
        if self._is_over:
            raise TransactionError("The unit of work has ended.", hint="Begin another one with unit_of_work().")

    async def _write(self) -> None:
        outcome = await self._gathered.write(ordered=True)
        if outcome.failures:
            outcome.written.clear()  # by the end of the transaction
            raise outcome.error() from outcome.failures[0].error


def unit_of_work() -> UnitOfWork:
    """Return a unit of work as a block: what it gathers is written at the end, in one transaction and a few commands.

    The transaction is done again when it fails for a passing reason. Inside another transaction it takes part in that
    one.

    Raises:
        BulkError: At the end, when some could not be written; nothing is stored then.
        NotSupportedError: At the end, when the server has no transactions.
    """
    return UnitOfWork()
