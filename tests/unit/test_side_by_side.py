"""Functions that run side by side: how many, what an error of one does to the others, and a cancellation."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from mongodb_orm.persistence.side_by_side import AT_ONCE, run_jobs


class Jobs:
    """Functions that note when they run."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.done: list[int] = []

    async def run(self, number: int, error: type[Exception] | None = None) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(0 if error else 0.01)
            if error:
                raise error(number)
            self.done.append(number)
        finally:
            self.running -= 1


async def test_a_few_run_at_once() -> None:
    jobs = Jobs()
    await run_jobs([partial(jobs.run, number) for number in range(10)])
    assert sorted(jobs.done) == list(range(10))
    assert jobs.most == AT_ONCE


async def test_in_turn() -> None:
    jobs = Jobs()
    await run_jobs([partial(jobs.run, number) for number in range(5)], in_turn=True)
    assert jobs.done == list(range(5))
    assert jobs.most == 1
    await run_jobs([])


async def test_after_an_error_those_under_way_end_and_no_other_begins() -> None:
    jobs = Jobs()
    errors = {1: ValueError, 2: KeyError}
    with pytest.raises(ValueError, match="1") as caught:
        await run_jobs([partial(jobs.run, number, errors.get(number)) for number in range(10)])
    assert jobs.done == [0, 3]
    assert caught.value.__notes__ == ["Another command of the same bulk write failed too: KeyError: 2"]


async def test_a_cancellation_reaches_all_and_waits_for_them() -> None:
    jobs = Jobs()
    task = asyncio.create_task(run_jobs([partial(jobs.run, number) for number in range(10)]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert jobs.running == AT_ONCE
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert jobs.running == 0
    assert jobs.done == []
