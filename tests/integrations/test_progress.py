"""Bars of tqdm and Rich, on the libraries themselves."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress as RichBars

from mongodb_orm import BaseModel, BulkWriter, ConfigurationError
from mongodb_orm.integrations.progress import RichProgress, TqdmProgress
from mongodb_orm.persistence import bulk, bulk_deleting


class Row(BaseModel):
    number: int


def rows(count: int, *, breaks_at: int | None = None) -> Iterator[dict[str, int]]:
    for number in range(count):
        if number == breaks_at:
            raise ZeroDivisionError
        yield {"number": number}


async def async_rows(count: int) -> AsyncIterator[dict[str, int]]:
    for row in rows(count):
        yield row


def shown(bars: RichBars) -> list[tuple[float, float | None, bool]]:
    return [(task.completed, task.total, task.finished) for task in bars.tasks]


async def test_tqdm(register: Any) -> None:
    await register(Row)
    file = io.StringIO()
    with TqdmProgress(desc="known", file=file) as bar:
        await Row.bulk_insert({1: {"number": 1}, 2: {"number": 2}}.values(), progress=bar)
    assert "known: 100%" in file.getvalue() and "2/2" in file.getvalue()
    with TqdmProgress(desc="counted", file=file) as bar:
        await Row.bulk_insert(async_rows(5), chunk_size=2, progress=bar)
    assert "counted: 5it" in file.getvalue()
    with TqdmProgress(desc="told", total=5, file=file) as bar:
        await Row.bulk_insert(rows(5), chunk_size=2, progress=bar)
    assert "told: 100%" in file.getvalue()
    with pytest.raises(ZeroDivisionError), TqdmProgress(desc="broken", file=file) as bar:
        await Row.bulk_insert(rows(5, breaks_at=3), chunk_size=2, progress=bar)
    assert "broken: 2it" in file.getvalue()
    assert bar.bar.disable  # closed


@pytest.mark.parametrize("is_terminal", [True, False])
async def test_rich(register: Any, is_terminal: bool) -> None:
    await register(Row)
    file = io.StringIO()
    console = Console(file=file, force_terminal=is_terminal, width=80)
    bars = RichBars(console=console)
    with RichProgress("known", bars) as bar:
        await Row.bulk_insert(list(rows(5)), chunk_size=2, progress=bar)
    with RichProgress("counted", bars) as bar:
        await Row.bulk_insert(async_rows(5), chunk_size=2, progress=bar)
    with RichProgress("told", bars, total=10) as bar:
        await Row.bulk_insert(rows(5), chunk_size=2, progress=bar)
    with pytest.raises(ZeroDivisionError), RichProgress("broken", bars) as bar:
        await Row.bulk_insert(rows(5, breaks_at=3), chunk_size=2, progress=bar)
    with RichProgress("nothing", bars) as bar:
        await Row.bulk_insert([], progress=bar)
    assert shown(bars) == [(5, 5, True), (5, 5, True), (5, 10, False), (2, None, False), (0, 0, True)]
    assert not bars.live.is_started
    assert "counted" in file.getvalue()


async def test_bars_that_are_shown_already_stay(register: Any) -> None:
    await register(Row)

    async def load(name: str, bars: RichBars) -> None:
        with RichProgress(name, bars) as bar:
            await Row.bulk_insert(async_rows(4), chunk_size=2, progress=bar)

    with RichBars(console=Console(file=io.StringIO())) as bars:
        await load("first", bars)
        assert bars.live.is_started
        await asyncio.gather(load("second", bars), load("third", bars))
        assert bars.live.is_started
        bars.remove_task(bars.tasks[0].id)
    assert shown(bars) == [(4, 4, True)] * 2


def test_what_stands_beside_a_bar_of_unknown_length() -> None:
    bar = RichProgress("users")
    bar.bars.live.console = Console(file=io.StringIO(), width=80)
    bar(3, None)
    drawn = Console(file=io.StringIO(), width=80, record=True)
    drawn.print(bar.bars.get_renderable())
    assert "3/?" in drawn.export_text()


async def test_async_functions_are_told_too(register: Any) -> None:
    await register(Row)
    told: list[tuple[int, int | None]] = []

    async def note(done: int, total: int | None) -> None:
        told.append((done, total))

    await Row.bulk_insert(rows(3), chunk_size=2, progress=note)
    async with BulkWriter(size=2, progress=note) as writer:
        await writer.save(*(Row(**row) for row in rows(3)))
    assert told == [(2, None), (3, None), (3, None)]


async def test_every_bulk_verb_tells(register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await register(Row)
    monkeypatch.setattr(bulk, "CHUNK", 2)
    monkeypatch.setattr(bulk_deleting, "CHUNK", 2)
    told: list[tuple[int, int | None]] = []

    def note(done: int, total: int | None) -> None:
        told.append((done, total))

    def forget() -> list[tuple[int, int | None]]:
        seen = told[:]
        told.clear()
        return seen

    made = await Row.bulk_create(rows(5), progress=note)
    assert forget() == [(2, 5), (4, 5), (5, 5)]
    for row in made[:3]:
        row.number += 10
    await Row.bulk_save([*made, Row(number=7)], ordered=True, progress=note)
    assert forget() == [(2, 6), (4, 6), (5, 6), (6, 6)]
    await Row.bulk_update({**{row.id: {"number": 1} for row in made[:3]}, made[4].id: {}}, progress=note)
    assert forget() == [(1, 4), (3, 4), (4, 4)]
    await Row.bulk_delete([*made[:3], made[3].id], progress=note)
    assert forget() == [(1, 4), (3, 4), (4, 4)]
    await Row.bulk_create([], progress=note)
    assert forget() == []


async def test_what_was_written_before_a_function_failed_is_known(
    register: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(Row)
    monkeypatch.setattr(bulk, "CHUNK", 2)
    made = await Row.bulk_create(rows(5))
    for row in made:
        row.number += 10

    def fail(done: int, total: int | None) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Row.bulk_save(made, ordered=True, progress=fail)
    assert [row.is_changed for row in made] == [False, False, True, True, True]
    assert await Row.count(number__gte=10) == 2


async def test_what_is_no_function_is_refused_before_anything_is_stored(register: Any) -> None:
    await register(Row)
    wrong: Any = 5
    with pytest.raises(ConfigurationError, match="progress"):
        await Row.bulk_insert(rows(3), progress=wrong)
    with pytest.raises(ConfigurationError, match="progress"):
        BulkWriter(progress=wrong)
    with pytest.raises(ConfigurationError, match="progress"):
        await Row.bulk_create(rows(3), progress=wrong)
    assert await Row.count() == 0
