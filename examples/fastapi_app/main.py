"""A FastAPI application: routes for users and posts, pages, errors, health.

Run it: `uvicorn examples.fastapi_app.main:app`, with `MONGO_URI` set or on the embedded server, and open /docs. What
that page loads comes from a CDN, or from here where `fastapi-offline` is installed.
"""

from __future__ import annotations

import os
from typing import Annotated

import fastapi
from fastapi import Query
from pydantic import EmailStr, Field

from mongodb_orm import BaseModel, DatabaseConfig, Indexed, KeysetPage, Page, SoftDeleteMixin, count
from mongodb_orm.integrations.fastapi import (
    HealthRouter,
    KeysetParams,
    PageParams,
    add_exception_handlers,
    crud_router,
    lifespan,
)

try:
    from fastapi_offline import FastAPIOffline as FastAPI
except ImportError:
    FastAPI = fastapi.FastAPI  # type: ignore[assignment]

config = DatabaseConfig(mongo_uri=os.environ.get("MONGO_URI", "embedded://"))


class User(BaseModel):
    """Somebody who writes."""

    username: Annotated[str, Field(min_length=3, max_length=50), Indexed(unique=True)]
    email: EmailStr
    city: str = "Oslo"


class Post(BaseModel, SoftDeleteMixin):
    """What somebody wrote."""

    class Meta:
        indexes = ({"keys": {"title": "text", "body": "text"}}, {"keys": {"author_id": 1, "created_at": -1}})

    title: Annotated[str, Field(min_length=1, max_length=200)]
    body: str = ""
    author_id: int


app = FastAPI(title="A blog", lifespan=lifespan([User, Post], config, wait=10))
add_exception_handlers(app)
app.include_router(HealthRouter(config))
app.include_router(crud_router(User, prefix="/users", sortable=("username", "created_at")))
app.include_router(crud_router(Post, prefix="/posts", sortable=("title", "created_at")))


@app.get("/users/{id}/posts", tags=["Post"])
async def posts_of(id: int, params: Annotated[PageParams, Query()]) -> Page[Post]:
    """A page of what a user wrote, the newest first."""
    return await params.page_of(Post.filter(author_id=id).order_by("-created_at"))


@app.get("/feed", tags=["Post"])
async def feed(params: Annotated[KeysetParams, Query()]) -> KeysetPage[Post]:
    """All posts from place to place, the newest first."""
    return await params.page_of(Post.all().order_by("-created_at"))


@app.get("/search", tags=["Post"])
async def search(words: Annotated[str, Query(min_length=1, max_length=100)]) -> list[Post]:
    """The posts with these words, the best match first."""
    return await Post.search(words).limit(20)


@app.get("/cities", tags=["User"])
async def cities() -> list[dict[str, str | int]]:
    """How many users live where."""
    return await User.pipeline().group(by="city", users=count()).sort("-users", "city")
