"""Commands of one bulk write that do not wait for each other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from .. import monitoring
from ..connections.units import current_unit

AT_ONCE = 4
"""Commands of one bulk write that are under way at the same time, each on a connection of its own.

One connection is served by one thread of the server; more of them gained nothing where it was measured.
"""

Job = Callable[[], Awaitable[None]]


async def run_jobs(jobs: Iterable[Job], *, in_turn: bool = False) -> None:
    """Run functions that send a command each, some of them side by side where that is possible.

    A session takes one command at a time, so inside a transaction or a causal session they run in turn. After an error
    no further one begins; those that are under way end first, so that it is known what became of them.

    Args:
        jobs: The functions.
        in_turn: Whether each waits for the one before it.

    Raises:
        BaseException: What the first that failed raised; errors of others are in its notes.
    """
    waiting = deque(jobs)

    async def work() -> None:
        while waiting:
            job = waiting.popleft()
            try:
                await job()
            except BaseException:
                waiting.clear()
                raise

    # In a new task the stack does not show any more who asked for the write.
    if in_turn or len(waiting) < 2 or current_unit() is not None or monitoring.callers.are_noted:
        await work()
        return
    workers = [asyncio.create_task(work()) for _ in range(min(AT_ONCE, len(waiting)))]
    results = await asyncio.gather(*workers, return_exceptions=True)
    errors = [result for result in results if result is not None]
    if errors:
        for other in errors[1:]:
            errors[0].add_note(f"Another command of the same bulk write failed too: {type(other).__name__}: {other}")
        raise errors[0]
