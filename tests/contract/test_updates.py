"""Updates by query: every operator in both forms, on every backend that has it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    InvalidValueError,
    NotSupportedError,
    UnknownFieldError,
    UnsafeQueryError,
    ValidationError,
    updates,
)


class Player(BaseModel):
    class Meta:
        indexes = [{"fields": "name", "unique": True}]

    name: str
    age: int = Field(default=6, ge=0)
    nick: str | None = None
    motto: str | None = None
    tags: list[str] = Field(default_factory=lambda: ["b", "c"])
    bags: list[dict[str, Any]] = Field(default_factory=list)
    seen: datetime | None = None
    data: dict[str, int] = Field(default_factory=dict)


F = Player.f

CASES: list[tuple[Any, dict[str, Any], str, Any]] = [
    (updates.set_(F.age, 9), {"age": 9}, "age", 9),
    (updates.unset(F.motto), {"motto__unset": True}, "motto", None),
    (updates.inc(F.age, 2), {"age__inc": 2}, "age", 8),
    (updates.min_(F.age, 5), {"age__min": 5}, "age", 5),
    (updates.max_(F.age, 5), {"age__max": 5}, "age", 6),
    (updates.push(F.tags, "a"), {"tags__push": "a"}, "tags", ["b", "c", "a"]),
    (updates.push(F.tags, "a", each=["d"]), {"tags__push_all": ["a", "d"]}, "tags", ["b", "c", "a", "d"]),
    (updates.add_to_set(F.tags, "b"), {"tags__add_to_set": "b"}, "tags", ["b", "c"]),
    (updates.pull(F.tags, "b"), {"tags__pull": "b"}, "tags", ["c"]),
    (updates.pull_all(F.tags, ["b", "c"]), {"tags__pull_all": ["b", "c"]}, "tags", []),
    (updates.pop(F.tags), {"tags__pop": 1}, "tags", ["b"]),
    (updates.pop(F.tags, -1), {"tags__pop": -1}, "tags", ["c"]),
]
SERVER_CASES: list[tuple[Any, dict[str, Any], str, Any]] = [
    (updates.mul(F.age, 2), {"age__mul": 2}, "age", 12),
    (updates.bit(F.age, or_=1), {"age__bit": {"or": 1}}, "age", 7),
]


async def _check(case: tuple[Any, dict[str, Any], str, Any]) -> None:
    typed, keywords, field, expected = case
    for name, changes, values in (("typed", (typed,), {}), ("keyword", (), keywords)):
        player = await Player.create(name=name, motto="up")
        assert await Player.filter(name=name).update(*changes, **values) == 1
        stored = await Player.filter(name=name).get()
        assert getattr(stored, field) == expected
        assert stored.updated_at >= player.updated_at


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case[1]))
async def test_operators(case: Any, register_any: Any) -> None:
    await register_any(Player)
    await _check(case)


@pytest.mark.parametrize("case", SERVER_CASES, ids=lambda case: str(case[1]))
async def test_operators_of_the_server(case: Any, register: Any) -> None:
    await register(Player)
    await _check(case)


async def test_push_modifiers_rename_and_time(register: Any) -> None:
    await register(Player)
    await Player.create(name="ann", motto="up")
    change = updates.push(F.tags, "a", "d", slice=3, sort=-1, position=0)
    assert (
        await Player.filter(name="ann").update(
            change, updates.rename(F.motto, F.nick), updates.current_date(F.seen), age__inc=1
        )
        == 1
    )
    ann = await Player.filter(name="ann").get()
    assert (ann.tags, ann.nick, ann.motto, ann.age) == (["d", "c", "b"], "up", None, 7)
    assert ann.seen is not None


async def test_update_one_updates_one(register_any: Any) -> None:
    await register_any(Player)
    await Player.bulk_create([{"name": "ann"}, {"name": "bob"}])
    assert await Player.all().update_one(updates.inc(F.age)) is True
    assert await Player.filter(age=7).count() == 1
    assert await Player.filter(name="zoe").update_one(updates.inc(F.age)) is False


@pytest.mark.parametrize(
    ("changes", "values", "error"),
    [
        ((updates.inc(F.age), updates.inc(F.age)), {}, InvalidValueError),
        ((updates.inc(F.age),), {"age": 5}, InvalidValueError),
        ((updates.set_(F.data, {}), updates.inc("data.x")), {}, InvalidValueError),
        ((updates.rename(F.motto, F.nick),), {"nick": "x"}, InvalidValueError),
        ((updates.set_("id", 5),), {}, InvalidValueError),
        ((updates.set_(F.updated_at, None),), {}, InvalidValueError),
        ((updates.set_("agee", 5),), {}, UnknownFieldError),
        ((updates.set_(F.age, -1),), {}, ValidationError),
        ((updates.inc(F.age, "x"),), {}, InvalidValueError),
        ((updates.push(F.tags, "a", sort=5),), {}, InvalidValueError),
        ((updates.bit(F.age, nand=1),), {}, InvalidValueError),
        ((5,), {}, InvalidValueError),
        ((updates.push(F.name, "x"),), {}, InvalidValueError),
        ((), {"bags__push": {"$each": [{"a": 1}]}}, UnsafeQueryError),
        ((), {"bags__pull": {"$exists": True}}, UnsafeQueryError),
        ((), {"bags__push_all": [{"$each": []}]}, UnsafeQueryError),
    ],
)
async def test_refused_before_a_trip(changes: Any, values: Any, error: type[Exception]) -> None:
    with pytest.raises(error):  # no connection is registered, so nothing can have been sent
        await Player.all().update(*changes, **values)


async def test_memory_refuses_what_it_lacks(register_any: Any, any_config: Any) -> None:
    await register_any(Player)
    if any_config.mongo_uri.startswith("memory"):
        for change in (updates.mul(F.age, 2), updates.bit(F.age, or_=1)):
            with pytest.raises(NotSupportedError):
                await Player.all().update(change)


async def test_fifty_concurrent_calls_make_one_document(register: Any) -> None:
    await register(Player)
    results = await asyncio.gather(*(Player.get_or_create({"age": 1}, name="ann") for _ in range(50)))
    assert await Player.count() == 1
    assert sum(made for _, made in results) == 1
    results = await asyncio.gather(*(Player.update_or_create({"age": 2}, name="bob") for _ in range(50)))
    assert await Player.filter(name="bob").count() == 1
    assert sum(made for _, made in results) == 1
