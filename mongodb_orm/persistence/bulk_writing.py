"""Writes of several models gathered and sent together: bulk writers and units of work."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, TypeVar

from ..connections.attempts import run_transaction
from ..exceptions import ConfigurationError, InvalidValueError
from ..schema import MappedModel
from . import bulk_deleting, bulk_saving
from .progressing import Progress, check_progress, report

D = TypeVar("D", bound=MappedModel)

_SIZE = 1000


class BulkWriter:
    """Gathers writes of any models and sends them in a few commands: when there are many, and at the end of the block.

    Writes of one model go out together: inserts and changes, then deletions; models in the order in which they came.
    When the block raises, what was not sent yet is not sent.

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
        check_progress(progress)
        self._size = size
        self._ordered = ordered
        self._progress = progress
        self._pending = _Gathered()
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
            BulkError: When some could not be written.
        """
        gathered, self._pending = self._pending, _Gathered()
        saved, deleted = await gathered.write(self._ordered)
        self.saved += saved
        self.deleted += deleted
        if saved or deleted:
            await report(self._progress, self.saved + self.deleted, None)

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
        self._gathered = _Gathered()

    def add(self, *documents: MappedModel) -> None:
        """Gather objects to insert, or to update where they changed by the end of the block."""
        for document in documents:
            self._gathered.save(document)

    def delete(self, *documents: MappedModel) -> None:
        """Gather objects to delete, by their model's policy."""
        for document in documents:
            self._gathered.delete(document)

    async def __aenter__(self) -> Self:
        """Return the unit of work."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write everything, or nothing; when the block raised, nothing."""
        if error is None and len(self._gathered):
            await run_transaction(self._gathered.write, True)


def unit_of_work() -> UnitOfWork:
    """Return a unit of work as a block: what it gathers is written at the end, in one transaction and a few commands.

    The transaction is done again when it fails for a passing reason. Inside another transaction it takes part in that
    one.

    Raises:
        BulkError: At the end, when some could not be written; nothing is stored then.
        NotSupportedError: At the end, when the server has no transactions.
    """
    return UnitOfWork()


class _Gathered:
    """Objects by model, in the order in which they came."""

    def __init__(self) -> None:
        self._saved: dict[type[MappedModel], dict[int, MappedModel]] = {}
        self._deleted: dict[type[MappedModel], dict[int, MappedModel]] = {}

    def __len__(self) -> int:
        return sum(map(len, (*self._saved.values(), *self._deleted.values())))

    def save(self, document: MappedModel) -> None:
        self._deleted.get(_model(document), {}).pop(id(document), None)
        self._saved.setdefault(_model(document), {})[id(document)] = document

    def delete(self, document: MappedModel) -> None:
        self._saved.get(_model(document), {}).pop(id(document), None)
        self._deleted.setdefault(_model(document), {})[id(document)] = document

    async def write(self, ordered: bool) -> tuple[int, int]:
        saved = deleted = 0
        for model, documents in self._saved.items():
            result = await bulk_saving.bulk_save(model, documents.values(), ordered=ordered)
            saved += result.created + result.updated
        for model, documents in self._deleted.items():
            deleted += await bulk_deleting.bulk_delete(model, documents.values())
        return saved, deleted


def _model(document: Any) -> type[MappedModel]:
    if not isinstance(document, MappedModel):
        raise InvalidValueError(f"An object of a model is needed, not {type(document).__name__}.", value=document)
    return type(document)
