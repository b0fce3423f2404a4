"""The data access objects alone: what is read from the database, and what is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from examples.blog_dao.dao import PostDAO, UserDAO, get_comment_dao, get_post_dao, get_user_dao
from examples.blog_dao.models import Comment, Post, PostStatus, User
from mongodb_orm import DuplicateDocumentError, transaction
from mongodb_orm.repository import Cache, MemoryCache
from mongodb_orm.testing import assert_commands


@pytest.fixture
def users(cache: Cache) -> UserDAO:
    return get_user_dao(cache)


@pytest.fixture
def posts(cache: Cache) -> PostDAO:
    return get_post_dao(cache)


def test_factories() -> None:
    cache = MemoryCache()
    dao = get_user_dao(cache)
    assert isinstance(dao, UserDAO)
    assert dao.model is User
    assert dao.cache is cache
    assert get_comment_dao().model is Comment


READS: dict[str, Callable[[UserDAO], Awaitable[Any]]] = {
    "by id": lambda users: users.get_by_id_cached(1),
    "by username": lambda users: users.get_by_username("ann"),
    "by e-mail": lambda users: users.get_by_email("ann@example.com"),
    "all": lambda users: users.get_all_cached(),
    "search": lambda users: users.search_users("AN"),
    "count": lambda users: users.count_active(),
}


@pytest.mark.parametrize("name", READS)
async def test_a_second_read_asks_nothing(name: str, users: UserDAO) -> None:
    await users.create(username="ann", email="ann@example.com")
    read = READS[name]
    first = await read(users)
    with assert_commands(0):
        assert await read(users) == first
    await users.update(1, full_name="Ann Lee")
    again = await read(users)
    assert again == first if name == "count" else again != first


async def test_an_update_is_seen_under_the_old_and_the_new_name(users: UserDAO) -> None:
    ann = await users.create(username="ann", email="ann@example.com")
    await users.get_by_username("ann")
    assert await users.get_by_username("anna") is None
    await users.update(ann.id, username="anna")
    assert await users.get_by_username("ann") is None
    anna = await users.get_by_username("anna")
    assert anna is not None
    anna.full_name = "Anna"
    await anna.save()
    assert await users.count() == 1, "what came from the cache is saved as an update"
    await users.delete(ann.id)
    assert await users.get_by_username("anna") is None
    assert await users.search_users("an") == []


async def test_writes_beside_the_dao_are_seen(users: UserDAO) -> None:
    await users.create(username="ann", email="ann@example.com")
    for read in READS.values():
        await read(users)
    await User.all().update(is_active=False)
    assert await users.count_active() == 0
    assert await users.search_users("an") == []
    found = await users.get_by_username("ann")
    assert found is not None
    assert not found.is_active


async def test_keys_of_ones_own(posts: PostDAO) -> None:
    post = await posts.create(title="Coffee", author_id=1)
    assert await posts.get_author_stats(1) == {"published": 0, "drafts": 1, "latest": None}
    with assert_commands(0):
        await posts.get_author_stats(1)
    await posts.update(post.id, status=PostStatus.PUBLISHED)
    assert await posts.get_author_stats(1) == {"published": 1, "drafts": 0, "latest": "Coffee"}
    assert await posts.get_author_stats(2) == {"published": 0, "drafts": 0, "latest": None}
    await posts.update(post.id, author_id=2)
    assert (await posts.get_author_stats(1))["published"] == 0, "of the author who had it"
    assert (await posts.get_author_stats(2))["published"] == 1, "of the author who has it"
    await Post.filter(author_id=2).update(status=PostStatus.DRAFT)
    assert (await posts.get_author_stats(2))["drafts"] == 1


async def test_what_is_rolled_back_was_never_cached(users: UserDAO) -> None:
    await users.create(username="ann", email="ann@example.com")
    with pytest.raises(DuplicateDocumentError):
        async with transaction():
            await users.update(1, full_name="Nobody")
            found = await users.get_by_id_cached(1)
            assert found is not None
            assert found.full_name == "Nobody"
            await users.create(username="ann", email="other@example.com")
    found = await users.get_by_id_cached(1)
    assert found is not None
    assert found.full_name == ""
