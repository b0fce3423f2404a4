"""Saves that take over what others saved meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mongodb_orm import BaseModel, ConfigurationError, StaleDocumentError, VersionedMixin, retry_on_conflict


class Sheet(BaseModel, VersionedMixin):
    title: str = ""
    rows: int = 0
    cells: dict[str, int] = {}


async def test_an_object_that_was_loaded_in_part(register_any: Any) -> None:
    await register_any(Sheet)
    whole = await Sheet.create(title="first", cells={"a": 1})
    part = await Sheet.filter(id=whole.id).only("rows").one()
    whole.title = "second"
    await whole.save()
    part.rows = 5
    await part.save(merge=True)
    stored = await Sheet.filter(id=whole.id).one()
    assert (stored.title, stored.rows, stored.cells, stored.version) == ("second", 5, {"a": 1}, 3)
    assert (part.rows, part.version, part.is_changed) == (5, 3, False)
    assert {"title", "cells"} <= part.get_deferred_fields()
    await Sheet.filter(id=whole.id).update(rows=6)
    part.rows = 7
    with pytest.raises(StaleDocumentError) as caught:
        await part.save(merge=True)
    assert caught.value.paths == ("rows",)


async def test_many_that_change_something_else_each(register_any: Any) -> None:
    await register_any(Sheet)
    sheet = await Sheet.create()

    async def fill(name: str) -> None:
        mine = await Sheet.filter(id=sheet.id).one()
        await asyncio.sleep(0)
        mine.cells[name] = 1
        await mine.save(merge=True)

    names = [f"cell{number}" for number in range(20)]
    await asyncio.gather(*(fill(name) for name in names))
    stored = await Sheet.filter(id=sheet.id).one()
    assert (stored.cells, stored.version) == (dict.fromkeys(names, 1), 21)


@pytest.mark.parametrize("attempts", [0, True, 1.5, "3", None])
def test_attempts_that_make_no_sense(attempts: Any) -> None:
    with pytest.raises(ConfigurationError, match="attempts is a whole number"):
        retry_on_conflict(attempts=attempts)
