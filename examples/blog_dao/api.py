"""The routes: input is checked, answers are formed, and the data access objects do the rest."""

from __future__ import annotations

from typing import Annotated, TypeVar

import pydantic
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import ConfigDict, EmailStr, Field

from mongodb_orm.repository import Cache

from .dao import AuthorStats, CommentDAO, PostDAO, UserDAO, get_comment_dao, get_post_dao, get_user_dao
from .models import Comment, Post, PostStatus, User

T = TypeVar("T")


def get_cache(request: Request) -> Cache:
    cache: Cache = request.app.state.cache
    return cache


AppCache = Annotated[Cache, Depends(get_cache)]


def user_dao(cache: AppCache) -> UserDAO:
    return get_user_dao(cache)


def post_dao(cache: AppCache) -> PostDAO:
    return get_post_dao(cache)


Users = Annotated[UserDAO, Depends(user_dao)]
Posts = Annotated[PostDAO, Depends(post_dao)]
Comments = Annotated[CommentDAO, Depends(get_comment_dao)]
Skip = Annotated[int, Query(ge=0, le=100_000)]
Limit = Annotated[int, Query(ge=1, le=100)]


class Body(pydantic.BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewUser(Body):
    username: Annotated[str, Field(min_length=3, max_length=50)]
    email: EmailStr
    full_name: str = ""


class UserChanges(Body):
    username: Annotated[str, Field(min_length=3, max_length=50)] = ""
    email: EmailStr = ""
    full_name: str = ""
    is_active: bool = True


class NewPost(Body):
    title: str
    body: str = ""
    author_id: int


class PostChanges(Body):
    title: str = ""
    body: str = ""
    author_id: int = 0
    status: PostStatus = PostStatus.DRAFT


class NewComment(Body):
    text: str


def found(record: T | None) -> T:
    if record is None:
        raise HTTPException(404, "There is none.")
    return record


users = APIRouter(prefix="/users", tags=["users"])


@users.post("", status_code=201)
async def create_user(body: NewUser, dao: Users) -> User:
    return await dao.create(**body.model_dump())


@users.get("")
async def list_users(dao: Users, skip: Skip = 0, limit: Limit = 20, is_active: bool = True) -> list[User]:
    return await dao.get_all_cached(skip, limit, is_active=is_active)


@users.get("/count")
async def count_users(dao: Users) -> int:
    return await dao.count_active()


@users.get("/search")
async def search_users(dao: Users, text: Annotated[str, Query(min_length=1, max_length=50)]) -> list[User]:
    return await dao.search_users(text)


@users.get("/by-username/{username}")
async def get_by_username(username: str, dao: Users) -> User:
    return found(await dao.get_by_username(username))


@users.get("/{id}")
async def get_user(id: int, dao: Users) -> User:
    return found(await dao.get_by_id_cached(id))


@users.get("/{id}/posts")
async def get_posts(id: int, dao: Posts, skip: Skip = 0, limit: Limit = 20) -> list[Post]:
    return await dao.published_by(id, skip, limit)


@users.get("/{id}/stats")
async def get_stats(id: int, dao: Posts) -> AuthorStats:
    return await dao.get_author_stats(id)


@users.patch("/{id}")
async def update_user(id: int, body: UserChanges, dao: Users) -> User:
    return found(await dao.update(id, **body.model_dump(exclude_unset=True)))


@users.delete("/{id}", status_code=204)
async def delete_user(id: int, dao: Users) -> None:
    if not await dao.delete(id):
        raise HTTPException(404, "There is none.")


posts = APIRouter(prefix="/posts", tags=["posts"])


@posts.post("", status_code=201)
async def create_post(body: NewPost, dao: Posts, users: Users) -> Post:
    found(await users.get_by_id_cached(body.author_id))
    return await dao.create(**body.model_dump())


@posts.get("/{id}")
async def get_post(id: int, dao: Posts) -> Post:
    return found(await dao.get_by_id_cached(id))


@posts.patch("/{id}")
async def update_post(id: int, body: PostChanges, dao: Posts) -> Post:
    return found(await dao.update(id, **body.model_dump(exclude_unset=True)))


@posts.delete("/{id}", status_code=204)
async def delete_post(id: int, dao: Posts) -> None:
    if not await dao.delete(id):
        raise HTTPException(404, "There is none.")


@posts.post("/{id}/comments", status_code=201)
async def create_comment(id: int, body: NewComment, dao: Comments, posts: Posts) -> Comment:
    found(await posts.get_by_id_cached(id))
    return await dao.create(post_id=id, text=body.text)


@posts.get("/{id}/comments")
async def get_comments(id: int, dao: Comments) -> list[Comment]:
    return await dao.of_post(id)
