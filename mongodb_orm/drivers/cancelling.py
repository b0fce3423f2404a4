"""Cancellations that asyncio loses below PyMongo.

Before Python 3.12 `asyncio.wait_for` may end the wait of a cancelled task as if nothing had happened
(https://github.com/python/cpython/issues/81839).
"""

from __future__ import annotations

import asyncio


def cancellations() -> int:
    """Return how often the running task was cancelled so far; take it before a wait, for `obey_cancellation`."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def obey_cancellation(before: int = 0) -> None:
    """Raise when the running task was cancelled during a wait that did not notice.

    Raises:
        CancelledError: When it was.
    """
    if cancellations() > before:
        raise asyncio.CancelledError
