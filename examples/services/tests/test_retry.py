"""Doing it again, later each time; no test waits."""

from __future__ import annotations

import pytest

from examples.services.services import Backoff, retried
from mongodb_orm import ConnectionError, DuplicateDocumentError


class Flaky:
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.slept: list[float] = []

    async def __call__(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


PLAN = Backoff(attempts=4, first=0.1, longest=0.3, chance=lambda: 1.0)


async def test_it_waits_twice_as_long_each_time_up_to_a_bound() -> None:
    flaky = Flaky(*[ConnectionError("It broke.")] * 3)
    assert await retried(flaky, PLAN, sleep=flaky.sleep) == "done"
    assert flaky.slept == [0.1, 0.2, 0.3]


async def test_it_gives_up() -> None:
    flaky = Flaky(*[ConnectionError("It broke.")] * 4)
    with pytest.raises(ConnectionError):
        await retried(flaky, PLAN, sleep=flaky.sleep)
    assert len(flaky.slept) == 3


async def test_what_would_fail_again_is_not_done_again() -> None:
    flaky = Flaky(DuplicateDocumentError("It is there."))
    with pytest.raises(DuplicateDocumentError):
        await retried(flaky, PLAN, sleep=flaky.sleep)
    assert flaky.slept == []


def test_chance_takes_half_of_the_pause_at_most() -> None:
    assert Backoff(first=1, chance=lambda: 0.0).pause(1).total_seconds() == 0.5
