"""The cache on a real Redis: shared, forgetful, killed and frozen."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import redis.asyncio

from mongodb_orm import BaseModel, DatabaseConfig, close_all_connections, register_model
from mongodb_orm.repository import CachedRepository, RedisCache


class Reader(BaseModel):
    email: str
    age: int = 0


class ReaderRepository(CachedRepository[Reader]):
    pass


@pytest.fixture(params=[False, True], ids=["bytes", "decoded"])
async def client(request: Any, redis_server: Any) -> AsyncIterator[Any]:
    client = redis.asyncio.Redis(port=redis_server.port, decode_responses=request.param)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def plain(redis_server: Any) -> AsyncIterator[Any]:
    client = redis.asyncio.Redis(port=redis_server.port)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def readers(register: Any, plain: Any) -> ReaderRepository:
    await register(Reader)
    return ReaderRepository(cache=RedisCache(plain, timeout=0.3))


VALUES: list[Any] = [
    1,
    "é",
    b"\x00\xff",
    datetime(2026, 1, 1, tzinfo=UTC),
    Decimal("1.10"),
    {"a": [1, None, {"b": True}]},
]


async def test_values(client: Any) -> None:
    cache = RedisCache(client)
    for value in VALUES:
        await cache.set("user:id:1", value, expire=50)
        assert await cache.get("user:id:1") == value
    assert 40 < await client.ttl("user:id:1") <= 50
    await cache.set("forever", 1)
    assert await client.ttl("forever") == -1
    await cache.set("user:id:1", 2, expire=0.05)
    await asyncio.sleep(0.1)
    assert await cache.get("user:id:1") is None
    await cache.set("user:id:1", 2, expire=0)
    assert await cache.get("user:id:1") is None


async def test_forgetting(client: Any) -> None:
    cache = RedisCache(client)
    keys = ["user:id:1", "user:id:10", "user:email:a", "users:skip=0:1", "usher*", "ushers"]
    for key in keys:
        await cache.set(key, 1, expire=50)

    async def left() -> list[str]:
        return [key for key in keys if await cache.get(key) is not None]

    await cache.delete("user:id:1", "nobody")
    assert await client.exists("user:id:1") == 0
    assert await left() == keys[1:]
    await cache.delete_prefix("user:id:")
    assert await left() == keys[2:]
    await cache.delete_prefix("user:")
    assert await left() == keys[3:]
    await cache.delete_prefix("usher*")
    assert await left() == ["users:skip=0:1", "ushers"]
    await cache.set("user:id:1", 3, expire=50)
    assert await cache.get("user:id:1") == 3
    await cache.delete_prefix("")
    assert await left() == []
    await cache.delete()


async def test_a_lease_ends_with_its_key(client: Any) -> None:
    cache = RedisCache(client)
    lease = await cache.lease("user:id:1")
    await cache.delete("user:id:1")
    await cache.set_leased("user:id:1", "old", 50, lease)
    assert await cache.get("user:id:1") is None
    lease = await cache.lease("user:id:1")
    await cache.delete_prefix("user:")
    await cache.set_leased("user:id:1", "old", 50, lease)
    assert await cache.get("user:id:1") is None
    first, second = await cache.lease("user:id:1"), await cache.lease("user:id:1")
    await cache.set_leased("user:id:1", 1, 50, first)
    await cache.set_leased("user:id:1", 2, 50, second)
    assert await cache.get("user:id:1") == 2


async def test_what_others_wrote_is_a_miss(client: Any, plain: Any) -> None:
    cache = RedisCache(client)
    for raw in (b"", b"text", b"\x05\0\0\0\0", b"\xff" * 40, b"{}"):
        await plain.set("user:id:1", raw)
        assert await cache.get("user:id:1") is None
    await cache.set("user:id:1", 1, expire=50)
    await plain.flushall()
    assert await cache.get("user:id:1") is None


async def test_a_repository_on_redis(readers: ReaderRepository, plain: Any) -> None:
    ann = await readers.create(email="ann@example.com")
    for _ in range(2):
        assert await readers.get_by_id_cached(1) == ann
        assert await readers.get_by_cached(email="ann@example.com") == ann
        assert await readers.get_all_cached(age=0) == [ann]
        assert await readers.count_cached(age=0) == 1
    assert await plain.exists("user:id:1") == 0
    assert await plain.exists("reader:id:1", "reader:email:ann@example.com") == 2
    assert 200 < await plain.ttl("reader:id:1") <= 300
    await plain.set("reader:id:1", b"foreign")
    assert await readers.get_by_id_cached(1) == ann
    ann.email = "anne@example.com"
    await ann.save()
    assert await plain.exists("reader:id:1", "reader:email:ann@example.com") == 0
    assert await readers.get_by_cached(email="ann@example.com") is None
    assert await readers.get_by_cached(email="anne@example.com") == ann
    assert await readers.get_all_cached(age=0) == [ann]


async def test_another_process_sees_a_write(readers: ReaderRepository, config: Any, redis_server: Any) -> None:
    ann = await readers.create(email="ann@example.com")
    await readers.get_by_id_cached(1)
    await readers.get_all_cached()
    script = f"""
        import asyncio
        import redis.asyncio
        from mongodb_orm import BaseModel, DatabaseConfig, register_model
        from mongodb_orm.repository import CachedRepository, RedisCache

        class Reader(BaseModel):
            email: str
            age: int = 0

        async def main():
            await register_model(Reader, DatabaseConfig(
                mongo_uri={config.mongo_uri!r}, database_name={config.database_name!r}
            ))
            readers = CachedRepository[Reader](cache=RedisCache(redis.asyncio.Redis(port={redis_server.port})))
            print((await readers.get_all_cached())[0].email)
            await Reader.all().update(age=50)

        asyncio.run(main())
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(script), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, errors = await child.communicate()
    assert out.decode().strip() == "ann@example.com", errors.decode()
    found = await readers.get_by_id_cached(1)
    assert found is not None
    assert (found.age, ann.age) == (50, 0)
    assert (await readers.get_all_cached())[0].age == 50


async def test_a_slow_reader_in_another_process_leaves_nothing_stale(
    readers: ReaderRepository, plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two caches on one Redis stand for two processes, which know nothing of each other's loads."""
    await readers.create(email="ann@example.com")
    other = ReaderRepository(cache=RedisCache(plain))
    real, has_read, go_on = Reader.get_by_id, asyncio.Event(), asyncio.Event()

    async def slow(id_: Any) -> Any:
        found = await real(id_)
        has_read.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(Reader, "get_by_id", slow)
    task = asyncio.create_task(other.get_by_id_cached(1))
    await has_read.wait()
    monkeypatch.setattr(Reader, "get_by_id", real)
    other.aside.subscriptions.popitem()[1]()  # the other process does not hear of the write itself
    await Reader.all().update(age=50)
    go_on.set()
    await task
    found = await readers.get_by_id_cached(1)
    assert found is not None
    assert found.age == 50


async def test_a_killed_redis_makes_reads_slower_not_broken(
    readers: ReaderRepository, redis_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ann = await readers.create(email="ann@example.com")
    await readers.get_by_id_cached(1)
    redis_server.kill()
    try:
        with caplog.at_level(logging.INFO, "mongodb_orm.cache"):
            for age in range(1, 4):
                found = await readers.get_by_id_cached(1)
                assert found is not None
                assert len(await readers.get_all_cached()) == 1
                assert await readers.count_cached() == 1
                assert await readers.update(1, age=age) is not None
        assert len(caplog.records) == 1
    finally:
        redis_server.start()
    readers.aside._asked_again_at = 0.0
    with caplog.at_level(logging.INFO, "mongodb_orm.cache"):
        for _ in range(2):
            found = await readers.get_by_id_cached(1)
            assert found is not None
            assert found.age == 3
    assert caplog.records[-1].message == "The cache answers again."
    assert await readers.cache.get("reader:id:1") is not None
    assert ann.age == 0


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="there is no SIGSTOP on this platform")
async def test_a_frozen_redis_costs_its_timeout_and_no_more(readers: ReaderRepository, redis_server: Any) -> None:
    ann = await readers.create(email="ann@example.com")
    await readers.get_by_id_cached(1)
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        for _ in range(50):
            assert await readers.get_by_id_cached(1) == ann
        assert await readers.update(1, age=5) is not None
        assert time.monotonic() - begun < 10, "not 0.3 seconds for each"
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)
    readers.aside._asked_again_at = 0.0
    found = await readers.get_by_id_cached(1)
    assert found is not None
    assert found.age == 5


def test_a_second_event_loop(server_uri: str, redis_server: Any, admin: Any) -> None:
    client = redis.asyncio.Redis(port=redis_server.port)
    cache = RedisCache(client)
    config = DatabaseConfig(mongo_uri=server_uri, database_name=f"test_loops_{os.getpid()}")

    async def run(age: int) -> tuple[int, int]:
        await register_model(Reader, config)
        readers = ReaderRepository(cache=cache)
        reader = await readers.get_by_id_cached(1) or await readers.create(email="a")
        before = reader.age
        await readers.update(1, age=age)
        after = await readers.get_by_id_cached(1)
        await client.aclose()
        await close_all_connections()
        return before, after.age if after else -1

    try:
        assert asyncio.run(run(1)) == (0, 1)
        assert asyncio.run(run(2)) == (1, 2)
    finally:
        admin.drop_database(config.database_name)
