"""The application: a database, a cache, routes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio
from fastapi import FastAPI

from mongodb_orm import DatabaseConfig
from mongodb_orm.integrations.fastapi import HealthRouter, add_exception_handlers, lifespan
from mongodb_orm.repository import MemoryCache, RedisCache

from . import api, models


def create_app(config: DatabaseConfig, redis_url: str | None = None) -> FastAPI:
    """Return the application; without a Redis, what is cached is cached in this process."""

    @asynccontextmanager
    async def with_cache(app: FastAPI) -> AsyncIterator[None]:
        if redis_url is None:
            app.state.cache = MemoryCache()
            yield
        else:
            async with redis.asyncio.Redis.from_url(redis_url) as client:
                app.state.cache = RedisCache(client)
                yield

    app = FastAPI(title="A blog with a cache", lifespan=lifespan(models, config, wait=10, inner=with_cache))
    add_exception_handlers(app)
    app.include_router(HealthRouter(config))
    app.include_router(api.users)
    app.include_router(api.posts)
    return app


app = create_app(DatabaseConfig(os.environ.get("MONGO_URI", "embedded://")), os.environ.get("REDIS_URL"))
