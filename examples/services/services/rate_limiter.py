"""How often somebody may ask, counted for all processes together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from mongodb_orm import current_datetime

from ..models import RateWindow


class RateLimiter:
    """Allows a number of requests in each window of time.

    Each request is one atomic update, so two that come together are both counted. The server removes old windows.

    Attributes:
        limit: How many are allowed.
        window: In which time.
    """

    def __init__(self, limit: int, window: timedelta, *, clock: Callable[[], datetime] = current_datetime) -> None:
        self.limit = limit
        self.window = window
        self._clock = clock

    async def wait_for(self, who: str) -> timedelta:
        """Count a request; return zero when it is allowed, else how long to wait."""
        now = self._clock()
        number = int(now.timestamp() // self.window.total_seconds())
        ends_at = datetime.fromtimestamp((number + 1) * self.window.total_seconds(), UTC)
        counted, _ = await RateWindow.upsert({"key": f"{who}:{number}"}, requests__inc=1, ends_at=ends_at)
        return timedelta(0) if counted.requests <= self.limit else ends_at - now
