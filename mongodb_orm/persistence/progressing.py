"""Telling a caller how far a write of many has come."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

from ..exceptions import ConfigurationError

Progress = Callable[[int, int | None], object]
"""Takes how many are done, and how many there are, None when that is not known; a function that is plain or async."""


class Steps:
    """How far one write of many has come, and who is told."""

    def __init__(self, progress: Progress | None = None, total: int | None = None) -> None:
        """Begin with nothing done.

        Raises:
            ConfigurationError: When `progress` is neither None nor callable.
        """
        if progress is not None and not callable(progress):
            raise ConfigurationError(f"progress is a function of two numbers, not {progress!r}.")
        self._progress = progress
        self._total = total
        self._done = 0
        self._turn = asyncio.Lock()

    async def add(self, count: int) -> None:
        """Count what was done since the last time, and tell of it, one after the other and in order."""
        self._done += count
        if count and self._progress is not None:
            done = self._done
            async with self._turn:  # several commands may end while an async function is under way
                answer = self._progress(done, self._total)
                if inspect.isawaitable(answer):
                    await answer
