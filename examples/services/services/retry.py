"""Doing it again, later each time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from mongodb_orm import ConnectionError, TimeoutError

T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """How long to wait before each further attempt: twice as long each time, with some chance in it.

    Attributes:
        attempts: How many in all.
        first: Seconds before the second one.
        longest: Seconds at most.
        chance: A number from 0 to 1; it keeps programs that failed together from coming back together.
    """

    attempts: int = 4
    first: float = 0.1
    longest: float = 30.0
    chance: Callable[[], float] = random.random

    def pause(self, failures: int) -> timedelta:
        """Return how long to wait after so many failures."""
        longest = min(self.longest, self.first * 2 ** (failures - 1))
        return timedelta(seconds=longest * (0.5 + self.chance() / 2))


async def retried(
    operation: Callable[[], Awaitable[T]],
    backoff: Backoff | None = None,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Return what an operation returns, doing it again while the database does not answer.

    It is for reads, and for writes that do no harm when done twice: after a lost connection nobody knows whether a
    write was stored. The driver itself tries reads and writes once more.
    """
    plan = backoff or Backoff()
    failures = 0
    while True:
        try:
            return await operation()
        except (ConnectionError, TimeoutError):
            failures += 1
            if failures >= plan.attempts:
                raise
            await sleep(plan.pause(failures).total_seconds())
