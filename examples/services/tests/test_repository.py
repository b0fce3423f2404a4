"""The questions about users, and what they cost."""

from __future__ import annotations

import pytest

from examples.services.models import User
from examples.services.repositories import UserCriteria, UserRepository, UserSummary
from mongodb_orm import DatabaseConfig, InvalidValueError
from mongodb_orm.testing import assert_commands
from mongodb_orm.testing.factories import DocumentFactory


class UserFactory(DocumentFactory[User]):
    first_name = "Ann"
    last_name = "Lee"
    bio = None
    is_active = True


@pytest.fixture
async def users(mongo: DatabaseConfig) -> UserRepository:
    for name in ("zoe", "bob", "bobby"):
        await UserFactory.create(username=name, email=f"{name}@example.com")
    await UserFactory.create(username="bobo", email="bobo@example.com", is_active=False)
    return UserRepository()


async def test_by_name_and_address(users: UserRepository) -> None:
    found = await users.get_by_username("zoe")
    assert found is not None
    assert found == await users.get_by_email("zoe@example.com")
    assert await users.get_by_username("nobody") is None


async def test_searching_reads_summaries_in_one_trip(users: UserRepository) -> None:
    with assert_commands(1):
        found = await users.search_users("BOB")
    assert [user.username for user in found] == ["bob", "bobby"]
    assert isinstance(found[0], UserSummary)
    assert [user.username for user in await users.search_users("example.com", limit=1)] == ["bob"]
    assert await users.search_users(".*") == []


async def test_criteria_and_sort_keys(users: UserRepository) -> None:
    assert [user.username for user in await users.find(UserCriteria(username__startswith="bob"), ["-name"])] == [
        "bobo",
        "bobby",
        "bob",
    ]
    assert len(await users.get_active_users()) == 3
    with pytest.raises(InvalidValueError):
        await users.find(sort=["password_hash"])
