"""Documents that are inserted as they come, a chunk at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sized
from typing import Any

from ..connections.units import in_transaction
from ..exceptions import BulkError, BulkFailure, ConfigurationError, ValidationError, shifted
from ..schema import MappedModel
from .bulk import Items, bulk_create, bulk_error, each
from .progressing import Progress, Steps


async def bulk_insert(
    model: type[MappedModel],
    items: Items,
    *,
    chunk_size: int = 1000,
    ordered: bool = True,
    progress: Progress | None = None,
) -> int:
    """Insert documents as they come, a chunk at a time, and keep none; return how many were inserted.

    Positions in errors are those in the stream.

    Raises:
        ValidationError: When an item does not fit; its chunk is not stored, those before it are, as a note says.
        BulkError: When the server refuses some: at once when ordered, otherwise when the stream has ended.
    """
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, int) or chunk_size < 1:
        raise ConfigurationError(f"chunk_size is a whole number from 1, not {chunk_size!r}.")
    steps = Steps(progress, len(items) if isinstance(items, Sized) else None)
    done = 0
    failures: list[BulkFailure] = []
    try:
        async for chunk in _chunks(model, items, chunk_size):
            try:
                await bulk_create(model, chunk, ordered=ordered)
            except BulkError as error:
                refused = [BulkFailure(done + failure.index, failure.error) for failure in error.failures]
                failures += refused
                is_over = in_transaction()  # and nothing of it is stored
                if ordered or is_over:
                    written = [] if is_over else [*range(done), *(done + index for index in error.written)]
                    raise bulk_error(model, failures, written) from failures[0].error
            except ValidationError as error:
                raise shifted(error, done) from None
            done += len(chunk)
            await steps.add(len(chunk))
    except BulkError:
        raise
    except BaseException as error:
        error.add_note(_so_far(done, failures))
        raise
    if failures:
        failed = {failure.index for failure in failures}
        written = [position for position in range(done) if position not in failed]
        raise bulk_error(model, failures, written) from failures[0].error
    return done


def _so_far(done: int, failures: list[BulkFailure]) -> str:
    stored = f"{done - len(failures)} documents of the chunks before were stored."
    if not failures:
        return stored
    first = failures[0]
    reason = str(first.error).partition("\n")[0]
    return f"{stored} {len(failures)} were refused; the first was item {first.index}: {reason}"


async def _chunks(model: type[MappedModel], items: Items, size: int) -> AsyncIterator[list[Any]]:
    chunk: list[Any] = []
    async for item in each(model, items):
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
