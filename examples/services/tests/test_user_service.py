"""The rules for accounts."""

from __future__ import annotations

import asyncio

import pytest

from examples.services.models import Mail, Post, User
from examples.services.repositories import UserCriteria, UserRepository
from examples.services.services import AlreadyTakenError, SignUp, UnknownUserError, UserChange, UserService
from mongodb_orm import ConnectionError, ValidationError, register_models
from mongodb_orm.commands import FindOne
from mongodb_orm.testing import RecordingDriver


async def test_signing_up_stores_a_hash_and_queues_a_mail(service: UserService, ann: SignUp) -> None:
    user = await service.create_user(ann)
    assert "correct horse" not in user.password_hash
    assert [mail.to for mail in await Mail.filter()] == ["ann@example.com"]
    assert await service.authenticate("ann", "correct horse battery") == user
    assert await service.authenticate("ann", "wrong horse battery") is None
    assert await service.authenticate("bob", "correct horse battery") is None


@pytest.mark.parametrize("change, field", [({"email": "x@example.com"}, "username"), ({"username": "xyz"}, "email")])
async def test_what_is_taken(service: UserService, ann: SignUp, change: dict[str, str], field: str) -> None:
    await service.create_user(ann)
    with pytest.raises(AlreadyTakenError) as caught:
        await service.create_user(ann.model_copy(update=change))
    assert caught.value.fields == (field,)
    assert (await User.count(), await Mail.count()) == (1, 1)


async def test_of_two_at_once_one_wins(service: UserService, ann: SignUp) -> None:
    results = await asyncio.gather(*[service.create_user(ann) for _ in range(4)], return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == [*["AlreadyTakenError"] * 3, "User"]
    assert (await User.count(), await Mail.count()) == (1, 1)


async def test_a_mail_that_cannot_be_queued_undoes_the_account(
    service: UserService, ann: SignUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(**values: object) -> Mail:
        raise OSError("no mail today")

    monkeypatch.setattr(Mail, "create", fail)
    with pytest.raises(OSError, match="no mail today"):
        await service.create_user(ann)
    assert await User.count() == 0


async def test_a_profile_counts_posts(service: UserService, ann: SignUp) -> None:
    user = await service.create_user(ann)
    assert (await service.get_user_profile(user.id)).last_activity is None
    posts = await Post.bulk_create([{"title": f"Post {n}", "author_id": user.id} for n in range(3)])
    profile = await service.get_user_profile(user.id)
    assert (profile.user, profile.post_count) == (user, 3)
    assert profile.last_activity == max(post.created_at for post in posts)
    with pytest.raises(UnknownUserError):
        await service.get_user_profile(99)


async def test_changing_an_account(service: UserService, ann: SignUp) -> None:
    user = await service.create_user(ann)
    await service.create_user(ann.model_copy(update={"username": "bob", "email": "bob@example.com"}))
    changed = await service.update_user(user.id, UserChange(bio="<b>Hello</b>"))
    assert (changed.bio, changed.first_name) == ("Hello", "Ann")
    assert changed.updated_at > user.updated_at
    with pytest.raises(AlreadyTakenError):
        await service.update_user(user.id, UserChange(email="bob@example.com"))
    with pytest.raises(ValidationError):
        await service.update_user(user.id, UserChange(email="nonsense"))
    with pytest.raises(UnknownUserError):
        await service.update_user(99, UserChange(bio="x"))


async def test_deleting_an_account_frees_its_name(service: UserService, ann: SignUp) -> None:
    user = await service.create_user(ann)
    await Post.bulk_create([{"title": "x", "author_id": user.id}, {"title": "y", "author_id": 7}])
    assert await service.delete_user(user.id) == 1
    assert await Post.count() == 1
    with pytest.raises(UnknownUserError):
        await service.delete_user(user.id)
    assert await Post.count() == 1
    assert (await service.create_user(ann)).id != user.id


async def test_pages(service: UserService, ann: SignUp) -> None:
    for name in ("ann", "bob", "bobby"):
        await service.create_user(ann.model_copy(update={"username": name, "email": f"{name}@example.com"}))
    page = await service.list_users(UserCriteria(username__startswith="b"), size=1)
    assert ([user.username for user in page.items], page.total, page.has_next) == (["bob"], 2, True)


async def test_reads_are_done_again_without_a_server() -> None:
    driver = RecordingDriver()
    stored = {"_id": 1, "username": "ann", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"}
    driver.answer(FindOne, ConnectionError("It broke."), {**stored, "password_hash": "x"})
    await register_models(User, client=driver, create_indexes=False)
    assert (await UserService(UserRepository()).get_user(1)).username == "ann"
    assert len(driver.commands) == 2
