"""So many in a window, for all processes together."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from examples.services.models import RateWindow
from examples.services.services import RateLimiter
from mongodb_orm import DatabaseConfig

NOON = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)


async def test_a_window_ends_and_another_begins(mongo: DatabaseConfig) -> None:
    now = NOON + timedelta(seconds=10)
    limiter = RateLimiter(2, timedelta(minutes=1), clock=lambda: now)
    assert [await limiter.wait_for("ann") for _ in range(3)] == [timedelta(0), timedelta(0), timedelta(seconds=50)]
    assert await limiter.wait_for("bob") == timedelta(0)
    now += timedelta(seconds=50)
    assert await limiter.wait_for("ann") == timedelta(0)


async def test_those_who_come_together_are_all_counted(mongo: DatabaseConfig) -> None:
    limiters = [RateLimiter(5, timedelta(minutes=1), clock=lambda: NOON) for _ in range(20)]
    waits = await asyncio.gather(*[limiter.wait_for("ann") for limiter in limiters])
    assert waits.count(timedelta(0)) == 5
    assert (await RateWindow.filter().one()).requests == 20
