"""What every backend gives: the contract of the documentation, on Motor, PyMongo Async and memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest
from pydantic import EmailStr, Field

from mongodb_orm import (
    BaseModel,
    BulkError,
    DocumentNotFoundError,
    DuplicateDocumentError,
    IndexConflictError,
    InvalidValueError,
    Q,
    SoftDeleteMixin,
    ValidationError,
    close_all_connections,
    create_test_data,
    health_check,
    health_report,
)


class Color(str, Enum):  # noqa: UP042 - the form that users write
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    class Meta:
        abstract = True

    city: str
    zip_code: str = Field(default="0000", alias="zip")


class User(BaseModel):
    username: str = Field(min_length=3)
    email: EmailStr
    age: int | None = None
    is_active: bool = True
    color: Color = Color.RED
    tags: list[str] = Field(default_factory=list)
    settings: dict[str, Any] = Field(default_factory=dict)


class Note(BaseModel, SoftDeleteMixin):
    text: str
    limit: int = 0


@pytest.fixture
async def users(register_any: Any) -> list[User]:
    await register_any(User)
    return await User.bulk_create(
        [
            {"username": "ann", "email": "ann@example.com", "age": 31, "tags": ["a", "b"]},
            {"username": "bob", "email": "bob@example.com", "age": 17, "color": "blue"},
            {"username": "cecil", "email": "cecil@example.com", "is_active": False},
        ]
    )


async def test_create_gives_an_int_id_and_timestamps(register_any: Any) -> None:
    await register_any(User)
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    user = await User.create(username="ann", email="ann@example.com")
    assert type(user.id) is int
    assert before <= user.created_at == user.updated_at
    assert user.created_at.tzinfo is UTC
    assert user.created_at.microsecond % 1000 == 0
    assert repr(user) == f"<User(id={user.id})>"


async def test_what_is_read_equals_what_was_created(users: list[User]) -> None:
    for user in users:
        assert await User.get_by_id(user.id) == user
    assert await User.all() == users


async def test_get_finds_one_or_none(users: list[User]) -> None:
    assert await User.get(email="bob@example.com") == users[1]
    assert await User.get(email="nobody") is None
    assert await User.get_by_id(999) is None
    assert await User.get_by_id(str(users[0].id)) == users[0]
    assert await User.get_by_id(None) is None


async def test_filter_sorts_skips_and_limits(users: list[User]) -> None:
    found = await User.filter(sort_by={"username": -1}, skip=1, limit=1)
    assert [user.username for user in found] == ["bob"]
    assert [user.username for user in await User.filter().order_by("-age", "username")] == ["ann", "bob", "cecil"]
    assert [user.username for user in await User.all().order_by("id")[1:3]] == ["bob", "cecil"]


@pytest.mark.parametrize(
    ("lookups", "names"),
    [
        ({"is_active": True}, "ann bob"),
        ({"age__gte": 18}, "ann"),
        ({"age__gt": 17, "age__lt": 40}, "ann"),
        ({"age__lte": "17"}, "bob"),
        ({"age__between": (10, 31)}, "ann bob"),
        ({"age": None}, "cecil"),
        ({"age__isnull": False}, "ann bob"),
        ({"age__ne": 31}, "bob cecil"),
        ({"username__in": ["ann", "bob"]}, "ann bob"),
        ({"username__in": []}, ""),
        ({"username__nin": ["ann"]}, "bob cecil"),
        ({"username__startswith": "c"}, "cecil"),
        ({"username__iendswith": "B"}, "bob"),
        ({"username__icontains": "EC"}, "cecil"),
        ({"email__contains": "."}, "ann bob cecil"),
        ({"username__contains": "."}, ""),
        ({"username__iexact": "ANN"}, "ann"),
        ({"username__regex": "^.{3}$"}, "ann bob"),
        ({"tags": "a"}, "ann"),
        ({"tags__contains": "b"}, "ann"),
        ({"tags": ["a", "b"]}, "ann"),
        ({"tags__all": ["b", "a"]}, "ann"),
        ({"tags__size": 0}, "bob cecil"),
        ({"tags__0": "a"}, "ann"),
        ({"color": Color.BLUE}, "bob"),
        ({"color": "blue"}, "bob"),
        ({"color__ne": "blue"}, "ann cecil"),
    ],
)
async def test_keyword_lookups(users: list[User], lookups: dict[str, Any], names: str) -> None:
    found = await User.filter(**lookups, sort_by="id")
    assert [user.username for user in found] == names.split()
    assert await User.count(**lookups) == len(names.split())
    assert await User.exists(**lookups) is bool(names)


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        (User.f.age >= 18, "ann"),
        ((User.f.age == 31) | (User.f.age == 17), "ann bob"),
        (~(User.f.username == "ann"), "bob cecil"),
        (Q(username="ann") | Q(username="cecil"), "ann cecil"),
        (Q(is_active=True) & ~Q(age=17), "ann"),
        ({"age": {"$gte": 18}}, "ann"),
        ({"id": {"$gte": 0}}, "ann bob cecil"),
        (User.f.tags[0] == "a", "ann"),
        (User.f.username.in_(["bob"]), "bob"),
        (Q(), "ann bob cecil"),
    ],
)
async def test_conditions(users: list[User], condition: Any, names: str) -> None:
    assert [user.username for user in await User.filter(condition, sort_by="id")] == names.split()


async def test_queries_are_values(users: list[User]) -> None:
    active = User.filter(is_active=True)
    assert await active.filter(age__lt=18).count() == 1
    assert await active.exclude(age__lt=18).count() == 1
    assert await active.count() == 2
    assert await active.order_by("id").first() == users[0]


async def test_streaming_gives_the_same_as_a_list(users: list[User]) -> None:
    assert [user async for user in User.filter(sort_by="id")] == users


async def test_projection_gives_dicts_in_model_names(users: list[User]) -> None:
    rows = await User.filter(username="ann", projection={"id": 1, "email": 1})
    assert rows == [{"id": users[0].id, "email": "ann@example.com"}]
    assert await User.filter(username="ann", projection={"email": 1, "id": 0}) == [{"email": "ann@example.com"}]


async def test_save_sends_changes_and_moves_updated_at(users: list[User]) -> None:
    ann = users[0]
    before = ann.updated_at
    ann.age = 32
    ann.tags.append("c")
    assert await ann.save() is ann
    assert ann.updated_at > before
    stored = await User.get_by_id(ann.id)
    assert stored == ann
    assert stored is not None
    assert stored.tags == ["a", "b", "c"]


async def test_saving_unchanged_does_nothing(users: list[User]) -> None:
    before = users[0].updated_at
    await users[0].save()
    assert users[0].updated_at == before


async def test_two_savers_of_different_fields_keep_both(users: list[User]) -> None:
    one, two = await User.get_by_id(users[0].id), await User.get_by_id(users[0].id)
    assert one is not None
    assert two is not None
    one.age = 50
    two.username = "anna"
    await one.save()
    await two.save()
    stored = await User.get_by_id(users[0].id)
    assert stored is not None
    assert (stored.age, stored.username) == (50, "anna")


async def test_dict_edits_round_trip(users: list[User]) -> None:
    ann = users[0]
    for settings in ({"a": 1, "b": {"c": 2}}, {"b": {"c": 3}}, {"a.b": 1, "$x": 2}, {"": 1}, {}):
        ann.settings = dict(settings)
        await ann.save()
        stored = await User.get_by_id(ann.id)
        assert stored is not None
        assert stored.settings == settings


async def test_a_bad_change_is_refused_and_nothing_is_stored(users: list[User]) -> None:
    users[0].username = "x"
    with pytest.raises(ValidationError):
        await users[0].save()
    assert await User.get_by_id(users[0].id) != users[0]
    assert await User.count(username="ann") == 1


async def test_vanished_documents_are_never_made_again(users: list[User]) -> None:
    twin = await User.get_by_id(users[0].id)
    assert twin is not None
    assert await users[0].delete() is True
    twin.age = 1
    with pytest.raises(DocumentNotFoundError):
        await twin.save()
    with pytest.raises(DocumentNotFoundError):
        await users[0].save()
    with pytest.raises(DocumentNotFoundError):
        await twin.refresh_from_db()
    assert await twin.delete() is False
    assert await User.get_by_id(users[0].id) is None


async def test_only_update_refuses_new_objects(register_any: Any) -> None:
    await register_any(User)
    with pytest.raises(DocumentNotFoundError):
        await User(username="ann", email="a@example.com").save(only_update=True)
    assert await User.count() == 0


async def test_save_inserts_new_objects(register_any: Any) -> None:
    await register_any(User)
    user = User(username="ann", email="a@example.com")
    assert user.id is None
    await user.save()
    assert await User.get_by_id(user.id) == user


async def test_refresh_reads_again(users: list[User]) -> None:
    await User.update_many({"username": "ann"}, {"$set": {"age": 99}})
    await users[0].refresh_from_db()
    assert users[0].age == 99


async def test_update_many_moves_updated_at(users: list[User]) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    await User.update_many(None, {"$set": {"updated_at": past}})
    assert await User.update_many(User.f.is_active == True, age=5) == 2  # noqa: E712
    assert await User.update_many({"is_active": True}, age__inc=1) == 2
    assert {user.age for user in await User.filter(is_active=True)} == {6}
    stored = await User.get_by_id(users[0].id)
    assert stored is not None
    assert stored.updated_at > past


async def test_delete_many_counts(users: list[User]) -> None:
    assert await User.delete_many(is_active=False, created_at__lt=datetime.now(UTC) + timedelta(days=1)) == 1
    assert await User.delete_many() == 2
    assert await User.delete_many() == 0


async def test_bulk_create_of_nothing(register_any: Any) -> None:
    await register_any(User)
    assert await User.bulk_create([]) == []


async def test_bulk_create_validates_everything_first(register_any: Any) -> None:
    await register_any(User)
    items = [{"username": "ann", "email": "a@example.com"}, {"username": "b", "email": "bad"}, {"nope": 1}]
    with pytest.raises(ValidationError) as caught:
        await User.bulk_create(items)
    assert {error["loc"][0] for error in caught.value.errors()} == {1, 2}
    assert await User.count() == 0


async def test_bulk_create_takes_objects(register_any: Any) -> None:
    await register_any(User)
    user = User(username="ann", email="a@example.com")
    assert (await User.bulk_create([user]))[0] is user
    assert await User.get_by_id(user.id) == user


async def test_duplicates_are_named_everywhere(users: list[User]) -> None:
    await User.create_index("email", unique=True)
    double = {"username": "imposter", "email": "ann@example.com"}

    async def by_save() -> None:
        users[1].email = "ann@example.com"
        await users[1].save()

    for attempt in (lambda: User.create(**double), by_save, lambda: User.bulk_create([double])):
        with pytest.raises(DuplicateDocumentError) as caught:
            await attempt()
        assert caught.value.model == "User"
    assert await User.count() == 3


async def test_bulk_errors_tell_what_was_written(users: list[User]) -> None:
    await User.create_index("email", unique=True)
    items = [{"username": "new", "email": f"{name}@example.com"} for name in ("x", "ann", "y", "bob")]
    with pytest.raises(BulkError) as caught:
        await User.bulk_create(items)
    assert [failure.index for failure in caught.value.failures] == [1]
    assert caught.value.written == (0,)
    with pytest.raises(BulkError) as caught:
        await User.bulk_create(items[1:], ordered=False)
    assert [failure.index for failure in caught.value.failures] == [0, 2]
    assert caught.value.written == (1,)
    assert await User.count(username="new") == 2


async def test_defaults_may_be_given_by_keyword(users: list[User]) -> None:
    made, is_new = await User.get_or_create(email="eve@example.com", defaults={"username": "evelyn"})
    assert (made.username, is_new) == ("evelyn", True)
    found, is_new = await User.update_or_create(email="eve@example.com", defaults={"username": "eva"})
    assert (found.id, found.username, is_new) == (made.id, "eva", False)
    with pytest.raises(InvalidValueError, match="mapping"):
        await User.get_or_create(email="eve@example.com", defaults=5)


async def test_get_or_create(users: list[User]) -> None:
    assert await User.get_or_create(email="ann@example.com") == (users[0], False)
    made, is_new = await User.get_or_create({"username": "dora"}, email="dora@example.com")
    assert is_new
    assert made.username == "dora"


async def test_update_or_create(users: list[User]) -> None:
    updated, is_new = await User.update_or_create({"age": 77}, email="ann@example.com")
    assert (updated.age, is_new) == (77, False)
    assert await User.count(age=77) == 1


async def test_distinct(users: list[User]) -> None:
    assert sorted(await User.distinct("username", is_active=True)) == ["ann", "bob"]
    assert set(await User.distinct("tags")) == {"a", "b"}


async def test_aggregate_in_model_names(users: list[User]) -> None:
    ids = [user.id for user in users[:2]]
    rows = await User.aggregate([{"$match": {"id": {"$in": ids}}}, {"$group": {"_id": None, "n": {"$sum": "$age"}}}])
    assert rows == [{"_id": None, "n": 48}]
    found = await User.aggregate([{"$match": {"id": ids[0]}}])
    assert User(**found[0]) == users[0]
    names = [row["username"] async for row in User.aggregate([{"$sort": {"id": -1}}, {"$project": {"username": 1}}])]
    assert names == ["cecil", "bob", "ann"]


async def test_indexes(users: list[User]) -> None:
    assert await User.create_index("email", unique=True) is True
    assert await User.create_index("email", unique=True) is False
    with pytest.raises(IndexConflictError) as caught:
        await User.create_index("email")
    assert caught.value.index == "email_1"
    assert await User.create_compound_index({"age": 1, "created_at": -1}) is True
    keys = [index["key"] for index in await User.list_indexes()]
    assert keys == [{"id": 1}, {"email": 1}, {"age": 1, "created_at": -1}]
    assert await User.drop_index("email") is True
    assert await User.drop_index("email") is False


async def test_soft_delete_hides_everywhere(register_any: Any) -> None:
    await register_any(Note)
    one, two = await Note.create(text="one"), await Note.create(text="two")
    assert await one.delete() is True
    assert one.is_deleted
    assert one.deleted_at is not None
    assert await Note.all() == [two]
    assert await Note.get_by_id(one.id) is None
    assert await Note.get(text="one") is None
    assert await Note.count() == 1
    assert await Note.exists(text="one") is False
    assert await Note.distinct("text") == ["two"]
    assert await Note.aggregate([{"$project": {"text": 1, "id": 0}}]) == [{"text": "two"}]
    assert await Note.update_many(None, text="changed") == 1
    assert [note.id for note in await Note.only_deleted()] == [one.id]
    assert await Note.with_deleted().count() == 2
    assert [note.id for note in await Note.filter(is_deleted=True)] == [one.id]
    assert await Note.get_active() == [await Note.get_by_id(two.id)]
    assert await one.delete() is False


async def test_soft_delete_restores_and_removes(register_any: Any) -> None:
    await register_any(Note)
    note = await Note.create(text="one")
    await note.soft_delete()
    assert await note.restore() is True
    assert (note.is_deleted, note.deleted_at) == (False, None)
    assert await Note.get_by_id(note.id) == note
    assert await Note.delete_many() == 1
    assert await Note.with_deleted().count() == 1
    assert await note.hard_delete() is True
    assert await Note.with_deleted().count() == 0


async def test_a_soft_delete_keeps_other_unsaved_changes_unsaved(register_any: Any) -> None:
    await register_any(Note)
    note = await Note.create(text="one")
    note.text = "two"
    await note.delete()
    assert [found.text for found in await Note.only_deleted()] == ["one"]
    await note.restore()
    await note.save()
    assert [found.text for found in await Note.all()] == ["two"]


async def test_fields_named_like_options_stay_reachable(register_any: Any) -> None:
    await register_any(Note)
    await Note.bulk_create([{"text": "a", "limit": 5}, {"text": "b", "limit": 6}])
    assert [note.text for note in await Note.filter(Q(limit=5))] == ["a"]
    assert [note.text for note in await Note.filter({"limit": 6}, limit=1)] == ["b"]


async def test_health_and_reopening(users: list[User], any_config: Any) -> None:
    assert await health_check(db_config=any_config) is True
    report = await health_report()
    assert report.healthy
    assert report.error is None
    await close_all_connections()
    await close_all_connections()
    if any_config.backend == "server":
        assert await User.count() == 3


async def test_create_test_data_fits_the_model(register_any: Any) -> None:
    await register_any(User)
    made = await create_test_data(User, 3, age=lambda n: n)
    assert len({user.email for user in made}) == 3
    assert await User.count() == 3
