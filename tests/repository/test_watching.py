"""A change stream tells a cache of what others write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mongodb_orm import BaseModel, DatabaseConfig, NotSupportedError, RegistrationError
from mongodb_orm.repository import CachedRepository, MemoryCache, get_dao


class Viewer(BaseModel):
    email: str
    age: int = 0


class ViewerRepository(CachedRepository[Viewer]):
    async def invalidate(self, record: Viewer) -> None:
        await self.cache.delete(f"viewer:profile:{record.id}")


async def eventually(holds: Callable[[], Any]) -> None:
    for _ in range(1000):
        if await holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never held")


async def test_writes_of_other_programs_are_seen(register: Any, raw: Any) -> None:
    await register(Viewer)
    cache = MemoryCache()
    viewers = ViewerRepository(cache=cache)
    await Viewer.create(email="a@b.c")

    async def cached_age() -> int | None:
        found = await viewers.get_by_id_cached(1)
        return None if found is None else found.age

    async with viewers.watch_changes():
        assert await cached_age() == 0
        assert await viewers.get_by_cached(email="a@b.c") is not None
        assert await viewers.count_cached() == 1
        await cache.set("viewer:profile:1", {"n": 1})

        raw.viewer.update_one({"_id": 1}, {"$set": {"age": 5, "email": "new"}})
        await eventually(lambda: _is(cached_age(), 5))
        await eventually(lambda: _is(cache.get("viewer:profile:1"), None))  # invalidate() comes after the records
        assert await viewers.get_by_cached(email="a@b.c") is None
        assert await viewers.get_by_cached(email="new") is not None

        document = raw.viewer.find_one({"_id": 1})
        raw.viewer.insert_one({**document, "_id": 2})
        await eventually(lambda: _is(viewers.count_cached(), 2))
        raw.viewer.delete_one({"_id": 1})
        await eventually(lambda: _is(cached_age(), None))
        raw.viewer.replace_one({"_id": 2}, {**document, "_id": 2, "age": 9})
        await eventually(lambda: _is(viewers.count_cached(age=9), 1))
        raw.viewer.drop()
        await eventually(lambda: _is(viewers.count_cached(), 0))
        raw.viewer.insert_one(document)
        await eventually(lambda: _is(viewers.count_cached(), 1))
    assert await viewers.count_cached() == 1
    raw.viewer.delete_many({})
    assert await viewers.count_cached() == 1, "nobody follows any more"


async def _is(answer: Any, expected: Any) -> bool:
    return bool(await answer == expected)


async def test_a_quiet_collection_outlasts_the_deadline_of_operations(register: Any, config: Any, raw: Any) -> None:
    hasty = config.model_copy(update={"timeout_ms": 1500})
    await Viewer.__initialize__(db_config=hasty)
    viewers = ViewerRepository(cache=MemoryCache())
    await Viewer.create(email="a")
    async with viewers.watch_changes():
        assert await viewers.count_cached() == 1
        await asyncio.sleep(2.5)
        raw.viewer.delete_many({})
        await eventually(lambda: _is(viewers.count_cached(), 0))


async def test_backends_without_change_streams_say_so() -> None:
    await Viewer.__initialize__(db_config=DatabaseConfig(mongo_uri="memory://watching"))
    with pytest.raises(NotSupportedError) as caught:
        async with get_dao(Viewer, cache=MemoryCache()).watch_changes():
            raise RegistrationError("never reached")
    assert "embedded://" in str(caught.value)
