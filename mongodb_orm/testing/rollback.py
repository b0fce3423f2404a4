"""Tests that leave nothing behind, because what they write is rolled back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ..connections.attempts import transaction
from ..schema import MappedModel


class _Rollback(Exception):  # noqa: N818 - it is no error
    """Ends the transaction."""


@asynccontextmanager
async def rolled_back(model: type[MappedModel] | None = None) -> AsyncIterator[Any]:
    """Undo at the end of the block everything that was written in it.

    The block is one transaction: the code inside sees its own writes, and its own transactions take part. What was
    given to `on_commit` never runs, for nothing is committed.

    Args:
        model: Whose connection; needed when models are registered with several.

    Yields:
        The driver's session.

    Raises:
        NotSupportedError: When the server has no transactions.

    Example:
        >>> async with rolled_back():
        ...     await User.create(username="ann")
        >>> await User.count()
        0
    """
    try:
        async with transaction(model) as session:
            yield session
            raise _Rollback
    except _Rollback:
        pass
