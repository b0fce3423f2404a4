"""The application with a cache in memory, and with the Redis of `REDIS_URL` where there is one."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import redis.asyncio

from examples.blog_dao.main import create_app
from mongodb_orm import DatabaseConfig
from mongodb_orm.repository import Cache, MemoryCache, RedisCache

CACHES = ["memory", "redis"]


@pytest.fixture
def redis_url() -> str:
    url = os.environ.get("REDIS_URL")
    if url is None:
        pytest.skip("REDIS_URL names no Redis")
    return url


@pytest.fixture(params=CACHES)
async def client(request: pytest.FixtureRequest, mongo: DatabaseConfig) -> AsyncIterator[httpx.AsyncClient]:
    url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    app = create_app(mongo, url)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        await _empty(app.state.cache)
        yield client


@pytest.fixture(params=CACHES)
async def cache(request: pytest.FixtureRequest, mongo: DatabaseConfig) -> AsyncIterator[Cache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    async with redis.asyncio.Redis.from_url(request.getfixturevalue("redis_url")) as client:
        cache = RedisCache(client)
        await _empty(cache)
        yield cache


async def _empty(cache: Any) -> None:
    for prefix in ("user:", "users:", "post:", "posts:"):
        await cache.delete_prefix(prefix)
