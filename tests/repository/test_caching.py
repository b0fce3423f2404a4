"""Cache-aside: what is served from the cache, what every write drops, and what happens when the cache fails."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from unittest.mock import AsyncMock
from uuid import UUID, uuid4

import pydantic
import pytest

from mongodb_orm import (
    BaseModel,
    BulkWriter,
    ConfigurationError,
    Indexed,
    InvalidValueError,
    ObjectId,
    SoftDeleteMixin,
    UnknownFieldError,
    ValidationError,
    add_command_listener,
    on_rollback,
    register_model,
    transaction,
    unit_of_work,
    updates,
)
from mongodb_orm.persistence.notices import observers
from mongodb_orm.repository import CachedRepository, MemoryCache, NullCache, RedisCache, get_dao
from mongodb_orm.repository import keys as keys_module


class Role(StrEnum):
    USER = "user"
    ADMIN = "admin"


class Address(pydantic.BaseModel):
    city: str
    since: date


class User(BaseModel):
    email: Annotated[str, Indexed(unique=True)]
    username: str = ""
    age: int = 0
    role: Role = Role.USER
    tags: list[str] = pydantic.Field(default_factory=list)
    balance: Decimal = Decimal("0")
    address: Address | None = None
    seen: datetime | None = None
    key: UUID = pydantic.Field(default_factory=uuid4)
    data: dict[str, Any] = pydantic.Field(default_factory=dict)


class UserRepository(CachedRepository[User]):
    pass


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> MemoryCache:
    return MemoryCache(clock=clock)


@pytest.fixture
async def users(register_any: Any, cache: MemoryCache) -> UserRepository:
    await register_any(User)
    return UserRepository(cache=cache)


@pytest.fixture
def trips() -> Any:
    events: list[Any] = []
    stop = add_command_listener(events.append)
    yield events
    stop()


async def rich(users: UserRepository) -> User:
    return await users.create(
        email="ann@example.com",
        username="ann",
        age=31,
        role=Role.ADMIN,
        tags=["a", "b"],
        balance=Decimal("1.50"),
        address={"city": "Oslo", "since": date(2020, 1, 1)},
        seen=datetime(2026, 1, 1, tzinfo=UTC),
        data={"n": 1, "deep": [1, {"x": None}]},
    )


async def test_a_cached_record_is_the_record(users: UserRepository, trips: list[Any]) -> None:
    ann = await rich(users)
    for read in (
        lambda: users.get_by_id_cached(ann.id),
        lambda: users.get_by_cached(email="ann@example.com"),
        lambda: users.get_by_cached(role="admin"),
        lambda: users.get_by_cached(tags="b"),
        lambda: users.get_by_cached(balance="1.50"),
        lambda: users.get_by_cached(seen=ann.seen),
        lambda: users.get_by_cached(key=ann.key),
        lambda: users.get_by_cached(data=ann.data),
        lambda: users.get_by_cached(id=str(ann.id)),
        lambda: users.get_by_cached(_id=ann.id),
    ):
        assert await read() == ann
        trips.clear()
        again = await read()
        assert trips == []
        assert again == ann
        assert again is not ann
        assert type(again.balance) is Decimal
        assert type(again.role) is Role
        assert not again.is_changed
    assert {"user:id:1", "user:email:ann@example.com", "user:tags:b"} <= set(users.cache._entries)  # type: ignore[attr-defined]


async def test_lists_and_counts(users: UserRepository, trips: list[Any]) -> None:
    ann = await rich(users)
    await users.create(email="bob@example.com", age=5)
    lists: list[Callable[[], Any]] = [
        lambda: users.get_all_cached(),
        lambda: users.get_all_cached(skip=1, limit=5, age__gte=1),
        lambda: users.get_all_cached(email__in={"ann@example.com", "bob@example.com"}, age__lt=50),
        lambda: users.count_cached(),
        lambda: users.count_cached(age__gt=100),
    ]
    expected = [[1, 2], [2], [1, 2], 2, 0]
    for read, ids in zip(lists, expected, strict=True):
        for _ in range(2):
            found = await read()
            assert (found if isinstance(found, int) else [user.id for user in found]) == ids
            if trips:
                trips.clear()
            else:
                break
        trips.clear()
        await read()
        assert trips == []
    (first, _) = await users.get_all_cached()
    assert first == ann
    await users.get_all_cached(age__lt=50, email__in={"bob@example.com", "ann@example.com"})
    assert trips == [], "the order of arguments does not matter"
    keys = set(users.cache._entries)  # type: ignore[attr-defined]
    assert all(key.startswith(("users:", "user:")) for key in keys)
    assert any(key.startswith("users:count:") for key in keys)


async def test_a_cached_object_saves_as_an_update(users: UserRepository) -> None:
    await rich(users)
    await users.get_by_id_cached(1)
    ann = await users.get_by_id_cached(1)
    assert ann is not None
    ann.age = 32
    await ann.save(only_update=True)
    assert await User.count() == 1
    stored = await User.get_by_id(1)
    assert stored is not None
    assert stored.age == 32
    assert await users.get_by_id_cached(1) == stored


async def test_a_miss_is_not_cached(users: UserRepository) -> None:
    assert await users.get_by_id_cached(1) is None
    assert await users.get_by_cached(email="ann@example.com") is None
    assert await users.get_all_cached() == []
    assert len(users.cache) == 0  # type: ignore[arg-type]
    await User(email="ann@example.com").save()
    assert await users.get_by_id_cached(1) is not None
    assert await users.get_by_cached(email="ann@example.com") is not None
    assert len(await users.get_all_cached()) == 1


async def test_what_is_cached_ends(users: UserRepository, clock: Clock, trips: list[Any]) -> None:
    await rich(users)
    reads: list[tuple[Callable[[], Any], float]] = [
        (lambda: users.get_by_id_cached(1), 300),
        (lambda: users.get_all_cached(), 120),
        (lambda: users.count_cached(), 60),
    ]
    for read, seconds in reads:
        await read()
        clock.now += seconds - 1
        trips.clear()
        await read()
        assert trips == []
        clock.now += 2
        await read()
        assert len(trips) == 1


class Brief(CachedRepository[User]):
    record_ttl = 5
    namespace = "app"


async def test_times_and_namespace_of_ones_own(
    register_any: Any, cache: MemoryCache, clock: Clock, trips: list[Any]
) -> None:
    await register_any(User)
    users = Brief(cache=cache)
    await users.create(email="a")
    await users.get_by_id_cached(1)
    assert await cache.get("app:user:id:1") is not None
    clock.now += 6
    trips.clear()
    await users.get_by_id_cached(1)
    assert len(trips) == 1
    await User.filter(id=1).update(age=2)
    assert await cache.get("app:user:id:1") is None


WRITES: dict[str, Callable[[User], Any]] = {
    "save": lambda ann: ann.save(),
    "update": lambda ann: ann.update(username="x"),
    "patch": lambda ann: ann.patch({"username": "x"}),
    "delete": lambda ann: ann.delete(),
    "query update": lambda ann: User.filter(age__lt=99).update(username="x"),
    "update_many": lambda ann: User.update_many({"age": {"$lt": 99}}, username="x"),
    "update_one": lambda ann: User.filter(id=ann.id).update_one(username="x"),
    "find_one_and_update": lambda ann: User.filter(id=ann.id).find_one_and_update(username="x"),
    "find_one_and_update, old": lambda ann: User.filter(id=ann.id).find_one_and_update(username="x", return_old=True),
    "find_one_and_delete": lambda ann: User.filter(id=ann.id).find_one_and_delete(),
    "replace": lambda ann: User.filter(id=ann.id).replace({"email": "other@example.com"}),
    "upsert": lambda ann: User.upsert({"email": ann.email}, username="x"),
    "update_or_create": lambda ann: User.update_or_create({"username": "x"}, email="ann@example.com"),
    "query delete": lambda ann: User.filter(age__lt=99).delete(),
    "delete_many": lambda ann: User.delete_many(),
    "bulk_save": lambda ann: User.bulk_save([ann]),
    "bulk_update": lambda ann: User.bulk_update({ann.id: {"username": "x"}}),
    "bulk_delete": lambda ann: User.bulk_delete([ann]),
    "bulk_delete by id": lambda ann: User.bulk_delete([ann.id]),
    "bulk writer": lambda ann: _by_writer(ann),
    "repository update": lambda ann: UserRepository(cache=NullCache()).update(ann.id, username="x"),
    "repository delete": lambda ann: UserRepository(cache=NullCache()).delete(ann.id),
    "operators": lambda ann: User.filter(id=ann.id).update(updates.push(User.f.tags, "new")),
}


async def _by_writer(ann: User) -> None:
    async with BulkWriter() as writer:
        await writer.save(ann)


@pytest.mark.parametrize("name", WRITES)
async def test_no_write_leaves_anything_stale(name: str, register: Any, cache: MemoryCache) -> None:
    await register(User)
    users = UserRepository(cache=cache)
    ann = await rich(users)
    reads: list[Callable[[], Any]] = [
        lambda: users.get_by_id_cached(ann.id),
        lambda: users.get_by_cached(email="ann@example.com"),
        lambda: users.get_by_cached(tags="a"),
        lambda: users.get_by_cached(username="ann"),
        lambda: users.get_all_cached(),
        lambda: users.get_all_cached(username="ann"),
        lambda: users.count_cached(username="ann"),
    ]
    fresh: list[Callable[[], Any]] = [
        lambda: User.get_by_id(ann.id),
        lambda: User.get(email="ann@example.com"),
        lambda: User.get(tags="a"),
        lambda: User.get(username="ann"),
        lambda: User.all(),
        lambda: User.filter(username="ann"),
        lambda: User.count(username="ann"),
    ]
    before = [await read() for read in reads]
    ann.username, ann.email = "anne", "anne@example.com"
    await WRITES[name](ann)
    after = [await read() for read in reads]
    assert after == [await read() for read in fresh]
    assert after != before
    assert await users.get_by_cached(email="anne@example.com") == await User.get(email="anne@example.com")


@pytest.mark.parametrize("name", [name for name in WRITES if name != "upsert"])  # which creates another record here
async def test_a_write_drops_the_keys_of_old_values(name: str, register: Any, cache: MemoryCache) -> None:
    await register(User)
    users = UserRepository(cache=cache)
    ann = await rich(users)
    await users.create(email="other")
    for read in ({"email": "ann@example.com"}, {"username": "ann"}, {"tags": "a"}):
        await users.get_by_cached(**read)
    await users.get_all_cached()
    ann.username, ann.email = "anne", "anne@example.com"
    await WRITES[name](ann)
    assert list(cache._entries) == []


class Mixed(BaseModel):
    id: int | str = 0
    name: str = ""


async def test_documents_differ_by_the_order_of_their_keys(register: Any, cache: MemoryCache) -> None:
    await register(User)
    users = UserRepository(cache=cache)
    await users.create(email="a", data={"a": 1, "b": {"c": 1, "d": 2}})
    there, other = {"a": 1, "b": {"c": 1, "d": 2}}, {"a": 1, "b": {"d": 2, "c": 1}}
    for search in ({"data": there}, {"data": other}, {"data__in": [there]}, {"data__in": [other]}, {"data__ne": other}):
        assert await users.get_all_cached(**search) == await users.get_all(**search)
        assert await users.count_cached(**search) == await users.count(**search)
    assert await users.get_by_cached(data=there) is not None
    assert await users.get_by_cached(data=other) is None


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"age__gte": 1, "age__lt": 9, "email": "a"}, {"email": "a", "age__lt": 9, "age__gte": 1}),
        ({"email__startswith": "a", "email__endswith": "b"}, {"email__endswith": "b", "email__startswith": "a"}),
        ({"email__ne": "a", "email__in": ["b", "c"]}, {"email__in": {"c", "b"}, "email__ne": "a"}),
        ({"role": "admin", "tags__all": ["x", "y"]}, {"tags__all": ["y", "x"], "role": Role.ADMIN}),
    ],
)
async def test_the_order_of_arguments_does_not_matter(
    one: dict[str, Any], same: dict[str, Any], users: UserRepository, trips: list[Any]
) -> None:
    await users.count_cached(**one)
    trips.clear()
    await users.count_cached(**same)
    assert trips == []
    await users.count_cached(**{**one, "username": "ann"})
    assert trips != []


async def test_ids_of_several_types(register_any: Any, cache: MemoryCache) -> None:
    await register_any(Mixed)
    records = get_dao(Mixed, cache=cache)
    for id_, name in ((5, "number"), ("5", "text")):
        await records.create(id=id_, name=name)
    for _ in range(2):
        found = [await records.get_by_id_cached(id_) for id_ in (5, "5")]
        assert [record and record.name for record in found] == ["number", "text"]
    await records.update("5", name="changed")
    assert await records.get_by_id_cached("5") == await records.get_by_id("5")


async def test_creations_drop_lists_counts_and_new_values(users: UserRepository) -> None:
    creations: list[Callable[[], Any]] = [
        lambda: users.create(email="1"),
        lambda: User.create(email="2"),
        lambda: User(email="3").save(),
        lambda: User.bulk_create([{"email": "4"}]),
        lambda: User.get_or_create(email="5"),
        lambda: User.bulk_insert([{"email": "6"}]),
        lambda: User.bulk_save([User(email="7")]),
    ]
    for number, create in enumerate(creations):
        assert len(await users.get_all_cached()) == number
        assert await users.count_cached() == number
        await create()
        assert len(await users.get_all_cached()) == number + 1
        assert await users.count_cached() == number + 1


async def test_an_object_that_is_behind_leaves_nothing_stale(users: UserRepository) -> None:
    await rich(users)
    behind = await User.get_by_id(1)
    assert behind is not None
    await User.filter(id=1).update(email="new@example.com")
    assert await users.get_by_cached(email="new@example.com") is not None
    behind.age = 77
    await behind.save()
    found = await users.get_by_cached(email="new@example.com")
    assert found is not None
    assert found.age == 77
    assert await users.get_by_cached(email="ann@example.com") is None


class Deletable(BaseModel, SoftDeleteMixin):
    name: str = ""


async def test_soft_deletion_and_its_end(register_any: Any, cache: MemoryCache) -> None:
    await register_any(Deletable)
    records = get_dao(Deletable, cache=cache)
    one = await records.create(name="a")
    assert await records.get_by_id_cached(1) == one
    await one.soft_delete()
    assert await records.get_by_id_cached(1) is None
    assert await records.get_all_cached() == []
    await one.restore()
    assert await records.get_by_id_cached(1) is not None
    assert len(await records.get_all_cached()) == 1
    await Deletable.all().delete()
    assert await records.count_cached() == 0
    await Deletable.all().with_deleted().restore()
    assert await records.count_cached() == 1
    await one.hard_delete()
    assert await records.get_by_id_cached(1) is None


class Renamed(BaseModel):
    email: str

    class Meta:
        collection_name = "user"


async def test_a_write_by_another_class_of_the_collection_counts(users: UserRepository, register_any: Any) -> None:
    await register_any(Renamed)
    await rich(users)
    await users.get_by_id_cached(1)
    await Renamed.filter(id=1).update(email="by@another")
    found = await users.get_by_id_cached(1)
    assert found is not None
    assert found.email == "by@another"


class Animal(BaseModel):
    name: str

    class Meta:
        discriminator = "kind"


class Cat(Animal):
    lives: int = 9


async def test_classes_that_share_a_collection(register_any: Any, cache: MemoryCache) -> None:
    await register_any(Animal, Cat)
    animals, cats = get_dao(Animal, cache=cache), get_dao(Cat, cache=cache)
    await Cat.create(name="Tom")
    for _ in range(2):
        tom = await animals.get_by_id_cached(1)
        assert type(tom) is Cat
        assert type(await cats.get_by_id_cached(1)) is Cat
    await Animal.filter(id=1).update(name="Tim")
    for records in (animals, cats):
        found = await records.get_by_id_cached(1)
        assert found is not None
        assert found.name == "Tim"


class Extended(CachedRepository[User]):
    async def get_profile(self, id_: int) -> Any:
        key = f"user:profile:{id_}"
        profile = await self.cache.get(key)
        if profile is None:
            user = await self.get_by_id(id_)
            profile = {"name": user.username if user else "?"}
            await self.cache.set(key, profile, expire=300)
        return profile

    async def invalidate(self, record: User) -> None:
        await self.cache.delete(f"user:profile:{record.id}", f"feed:{record.username}")


async def test_keys_of_ones_own(register_any: Any, cache: MemoryCache) -> None:
    await register_any(User)
    users = Extended(cache=cache)
    ann = await users.create(email="a", username="ann")
    for name in ("ann", "anne"):
        await cache.set(f"feed:{name}", [1])
    assert await users.get_profile(1) == {"name": "ann"}
    assert await users.get_profile(1) == {"name": "ann"}
    ann.username = "anne"
    await ann.save()
    assert await users.get_profile(1) == {"name": "anne"}
    assert await cache.get("feed:ann") is None, "the old record's"
    assert await cache.get("feed:anne") is None, "the new record's"
    await User.all().update(username="x")
    assert await users.get_profile(1) == {"name": "x"}, "a write by query drops all below user:"


class Counting(CachedRepository[User]):
    def __init__(self, cache: Any) -> None:
        super().__init__(cache=cache)
        self.names: list[str] = []
        self.calls = 0

    async def invalidate(self, record: User) -> None:
        self.names.append(record.username)
        self.calls += 1
        await self.cache.delete(f"feed:{record.username}")


async def test_invalidate_shares_the_attributes_of_its_repository(register_any: Any, cache: MemoryCache) -> None:
    await register_any(User)
    users = Counting(cache)
    await users.create(email="a", username="ann")
    await users.update(1, username="anne")
    await users.delete(1)
    assert users.names == ["ann", "ann", "anne", "anne"]
    assert users.calls == 4
    assert users.cache is cache


async def test_a_mistake_in_invalidate_is_logged_not_raised(
    register_any: Any, cache: MemoryCache, caplog: pytest.LogCaptureFixture
) -> None:
    class Mistaken(CachedRepository[User]):
        async def invalidate(self, record: User) -> None:
            raise AttributeError("no such thing")

    await register_any(User)
    with caplog.at_level(logging.WARNING, "mongodb_orm.cache"):
        ann = await Mistaken(cache=cache).create(email="a")
    assert ann.id == 1
    assert "no such thing" in caplog.text


async def test_transactions_neither_read_nor_fill_the_cache(register: Any, cache: MemoryCache) -> None:
    await register(User)
    users = UserRepository(cache=cache)
    ann = await rich(users)
    await users.get_by_id_cached(1)
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            await users.update(1, username="dropped")
            inside = await users.get_by_id_cached(1)
            assert inside is not None
            assert inside.username == "dropped"
            assert len(await users.get_all_cached(username="dropped")) == 1
            assert await cache.get("user:id:1") is not None
            await on_rollback(lambda: None)
            raise ZeroDivisionError
    assert await users.get_by_id_cached(1) == ann
    async with transaction():
        await users.update(1, username="kept")
        assert await cache.get("user:id:1") is not None, "others see what was committed"
    kept = await users.get_by_id_cached(1)
    assert kept is not None
    assert kept.username == "kept"
    async with unit_of_work() as work:
        kept.username = "at work"
        work.add(kept)
    assert (await users.get_by_id_cached(1) or ann).username == "at work"


async def test_one_load_for_each_key(users: UserRepository, any_config: Any, trips: list[Any]) -> None:
    ann = await rich(users)
    is_memory = any_config.mongo_uri.startswith("memory")
    reads: list[tuple[Callable[[], Any], int]] = [
        (lambda: users.get_by_id_cached(1), 1),
        (lambda: users.get_by_cached(email="ann@example.com"), 1),
        (lambda: users.get_all_cached(), 1),
        (lambda: users.count_cached(), 1),
        (lambda: users.get_by_id_cached(99), 50 if is_memory else 1),  # it answers before anybody else can ask
    ]
    for read, most in reads:
        trips.clear()
        found = await asyncio.gather(*(read() for _ in range(50)))
        assert len(trips) <= most
        assert all(one == found[0] for one in found)
    first, second = (await asyncio.gather(users.get_by_id_cached(1), users.get_by_id_cached(1)))[:2]
    assert first == second == ann
    assert first is not second


async def test_a_load_that_fails_or_is_cancelled_harms_nobody_else(
    users: UserRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await rich(users)
    real, gate = User.get_by_id, asyncio.Event()
    calls = 0

    async def slow(id_: Any) -> Any:
        nonlocal calls
        calls += 1
        await gate.wait()
        return await real(id_)

    monkeypatch.setattr(User, "get_by_id", slow)
    leader = asyncio.create_task(users.get_by_id_cached(1))
    await asyncio.sleep(0)
    followers = [asyncio.create_task(users.get_by_id_cached(1)) for _ in range(3)]
    await asyncio.sleep(0.01)
    followers[0].cancel()
    leader.cancel()
    await asyncio.sleep(0.01)
    gate.set()
    results = await asyncio.gather(leader, *followers, return_exceptions=True)
    assert [type(result) for result in results[:2]] == [asyncio.CancelledError] * 2
    assert results[2:] == [ann, ann]
    assert calls == 2

    async def broken(id_: Any) -> Any:
        await asyncio.sleep(0)
        raise OSError("gone")

    monkeypatch.setattr(User, "get_by_id", broken)
    await users.cache.delete("user:id:1")
    results = await asyncio.gather(*(users.get_by_id_cached(1) for _ in range(3)), return_exceptions=True)
    assert [str(result) for result in results] == ["gone"] * 3
    monkeypatch.setattr(User, "get_by_id", real)
    assert await users.get_by_id_cached(1) == ann


async def test_what_was_read_before_a_write_is_not_kept_after_it(
    users: UserRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rich(users)
    real = User.get_by_id
    read, go_on = asyncio.Event(), asyncio.Event()

    async def slow(id_: Any) -> Any:
        found = await real(id_)
        read.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(User, "get_by_id", slow)
    task = asyncio.create_task(users.get_by_id_cached(1))
    await read.wait()
    await User.filter(id=1).update(username="newer")
    monkeypatch.setattr(User, "get_by_id", real)
    late = await users.get_by_id_cached(1)
    go_on.set()
    await task
    again = await users.get_by_id_cached(1)
    assert late is not None
    assert again is not None
    assert (late.username, again.username) == ("newer", "newer")


async def test_foreign_entries_are_misses(users: UserRepository, cache: MemoryCache) -> None:
    ann = await rich(users)
    await users.get_by_id_cached(1)
    good = await cache.get("user:id:1")
    assert good is not None
    late = {**good, "until": datetime(2000, 1, 1, tzinfo=UTC)}
    broken = {**good, "data": good["data"][:-3], "sum": 0}
    other = {**good, "of": b"of another shape"}
    for entry in (5, "text", {}, {"foo": 1}, [1], late, broken, other, {**good, "data": 7, "sum": 0}):
        await cache.set("user:id:1", entry)
        assert await users.get_by_id_cached(1) == ann
        await cache.set("user:email:ann@example.com", entry)
        assert await users.get_by_cached(email="ann@example.com") == ann
    await users.get_by_cached(email="ann@example.com")
    pointer = await cache.get("user:email:ann@example.com")
    await cache.set("user:email:ann@example.com", {**pointer, "data": 99})
    assert await users.get_by_cached(email="ann@example.com") == ann, "it leads to nobody"
    bob = await users.create(email="bob@example.com")
    await cache.set("user:email:ann@example.com", {**pointer, "data": bob.id})
    assert await users.get_by_cached(email="ann@example.com") == ann, "it leads to somebody else"


async def test_a_changed_shape_is_never_served_from_an_old_entry(
    register_any: Any, any_config: Any, cache: MemoryCache, trips: list[Any]
) -> None:
    def version(annotation: Any) -> type[BaseModel]:
        members = {"__annotations__": {"n": annotation}, "__module__": __name__, "n": 1, "__qualname__": "Thing"}
        return type("Thing", (BaseModel,), members)

    old, new = version(int), version(str | int)
    await register_any(old)
    await get_dao(old, cache=cache).create(n=5)
    await get_dao(old, cache=cache).get_by_id_cached(1)
    await register_any(new)
    trips.clear()
    assert await get_dao(new, cache=cache).get_by_id_cached(1) is not None
    assert len(trips) == 1


async def test_another_database_is_another_record(
    register_any: Any, any_config: Any, cache: MemoryCache, admin: Any
) -> None:
    await register_any(User)
    users = UserRepository(cache=cache)
    await users.create(email="here")
    await users.get_by_id_cached(1)
    name = f"{any_config.database_name}_b"
    elsewhere = any_config.model_copy(update={"database_name": name})
    if any_config.mongo_uri.startswith("memory"):
        elsewhere = any_config.model_copy(update={"database_name": name, "mongo_uri": f"memory://{name}"})
    await register_model(User, db_config=elsewhere)
    assert await users.get_by_id_cached(1) is None
    admin.drop_database(name)


class Failing:
    """A cache that fails when it is told to, and counts."""

    def __init__(self) -> None:
        self.inner = MemoryCache()
        self.is_down = False
        self.calls = 0

    async def _ask(self, verb: str, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.is_down:
            raise RuntimeError("out of order")
        return await getattr(self.inner, verb)(*arguments, **options)

    async def get(self, key: str) -> Any:
        return await self._ask("get", key)

    async def set(self, key: str, value: Any, expire: float | None = None) -> None:
        await self._ask("set", key, value, expire=expire)

    async def delete(self, *keys: str) -> None:
        await self._ask("delete", *keys)

    async def delete_prefix(self, prefix: str) -> None:
        await self._ask("delete_prefix", prefix)


async def test_a_failing_cache_fails_no_operation_and_is_logged_once(
    register_any: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await register_any(User)
    backend = Failing()
    users = UserRepository(cache=backend)
    backend.is_down = True
    with caplog.at_level(logging.INFO, "mongodb_orm.cache"):
        ann = await rich(users)
        for _ in range(3):
            assert await users.get_by_id_cached(1) == ann
            assert await users.get_by_cached(email=ann.email) == ann
            assert await users.get_all_cached() == [ann]
            assert await users.count_cached() == 1
            ann = await users.update(1, age=ann.age + 1) or ann
        assert len(caplog.records) == 1
        assert "out of order" in caplog.text
        assert caplog.records[0].exc_info, "with the cause"
        backend.is_down = False
        users.aside._asked_again_at = 0.0
        await users.get_by_id_cached(1)
        assert caplog.records[-1].message == "The cache answers again."


class Plain:
    """A cache of four methods, which may take its time to keep a value."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.is_keeping = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def get(self, key: str) -> Any:
        return self.values.get(key)

    async def set(self, key: str, value: Any, expire: float | None) -> None:
        self.is_keeping.set()
        await self.gate.wait()
        self.values[key] = value

    async def delete(self, *keys: str) -> None:
        for key in keys:
            self.values.pop(key, None)

    async def delete_prefix(self, prefix: str) -> None:
        await self.delete(*[key for key in self.values if key.startswith(prefix)])


@pytest.mark.parametrize("verb", ["get", "set", "delete", "delete_prefix"])
async def test_a_method_that_raises_before_it_is_awaited_fails_no_operation(
    verb: str, register_any: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await register_any(User)
    cache = Plain()
    users = UserRepository(cache=cache)
    await users.create(email="a")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no coroutine")

    setattr(cache, verb, fail)
    with caplog.at_level(logging.WARNING, "mongodb_orm.cache"):
        assert await users.get_by_id_cached(1) is not None
        assert await users.update(1, username="ann") is not None
        found = await users.get_by_id_cached(1)
    assert found is not None
    assert found.username == "ann"
    assert "no coroutine" in caplog.text


async def test_a_write_that_overtakes_a_slow_cache_leaves_nothing_stale(register_any: Any) -> None:
    await register_any(User)
    cache = Plain()
    users = UserRepository(cache=cache)
    await users.create(email="a", username="ann")
    cache.gate.clear()
    reading = asyncio.create_task(users.get_by_id_cached(1))
    await cache.is_keeping.wait()
    await users.update(1, username="bob")
    cache.gate.set()
    await reading
    found = await users.get_by_id_cached(1)
    assert found is not None
    assert found.username == "bob"


async def test_a_mock_is_a_cache_of_four_methods(register_any: Any) -> None:
    await register_any(User)
    cache = AsyncMock()
    cache.get.return_value = None
    users = UserRepository(cache=cache)
    await users.create(email="a")
    assert await users.get_by_id_cached(1) is not None
    cache.set.assert_awaited_once()
    assert (cache.set.await_args.args[0], cache.set.await_args.kwargs) == ("user:id:1", {"expire": 300})


async def test_what_could_not_be_dropped_is_dropped_before_the_next_read(register_any: Any) -> None:
    await register_any(User)
    backend = Failing()
    users = UserRepository(cache=backend)
    ann = await rich(users)
    await users.get_by_id_cached(1)
    await users.get_all_cached()
    backend.is_down = True
    await users.update(1, age=99)
    backend.is_down = False
    users.aside._asked_again_at = 0.0
    found = await users.get_by_id_cached(1)
    assert found is not None
    assert found.age == 99
    assert (await users.get_all_cached())[0].age == 99
    assert ann.age != 99


async def test_a_cancelled_write_still_drops(register_any: Any) -> None:
    await register_any(User)
    backend = Failing()
    users = UserRepository(cache=backend)
    await rich(users)
    await users.get_by_id_cached(1)
    begun = asyncio.Event()
    real = backend.inner.delete

    async def hang(*keys: str) -> None:
        begun.set()
        await asyncio.Event().wait()

    backend.inner.delete = hang  # type: ignore[method-assign]
    task = asyncio.create_task(users.update(1, age=99))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    backend.inner.delete = real  # type: ignore[method-assign]
    found = await users.get_by_id_cached(1)
    assert found is not None
    assert found.age == 99


@pytest.mark.parametrize("by_query", [True, False])
async def test_a_write_of_unknown_outcome_drops_too(
    by_query: bool, config: Any, cache: MemoryCache, admin: Any
) -> None:
    await register_model(User, db_config=config.model_copy(update={"timeout_ms": 500}))
    users = UserRepository(cache=cache)
    ann = await rich(users)
    await users.get_by_id_cached(1)
    await users.get_all_cached()
    ann.age = 99
    lost = {"failCommands": ["update"], "closeConnection": True}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": lost})
    try:
        with pytest.raises((ConnectionError, TimeoutError)):
            await (User.filter(age__gte=1).update(age=99) if by_query else ann.save())
    finally:
        admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert len(cache) == 0


async def test_repositories_share_a_subscription_which_ends_with_the_cache(register_any: Any) -> None:
    await register_any(User)
    gc.collect()
    before = len(observers)
    cache = MemoryCache()
    for _ in range(5):
        UserRepository(cache=cache)
    assert len(observers) == before + 1
    ann = await User.create(email="a")
    await UserRepository(cache=cache).get_by_id_cached(1)
    gc.collect()
    await ann.update(age=5)  # no repository is alive, the cache is
    assert await cache.get("user:id:1") is None
    del cache
    gc.collect()
    assert len(observers) == before


async def test_null_cache(register_any: Any, trips: list[Any]) -> None:
    await register_any(User)
    users = UserRepository(cache=NullCache())
    ann = await rich(users)
    trips.clear()
    for _ in range(2):
        assert await users.get_by_id_cached(1) == ann
    assert len(trips) == 2


async def test_mistakes_are_typed(users: UserRepository) -> None:
    with pytest.raises(InvalidValueError, match="one field"):
        await users.get_by_cached(email="a", age=1)
    with pytest.raises(InvalidValueError, match="one field"):
        await users.get_by_cached()
    with pytest.raises(UnknownFieldError, match="email"):
        await users.get_by_cached(emial="a")
    with pytest.raises(InvalidValueError):
        await users.get_by_cached(age="old")
    with pytest.raises(UnknownFieldError):
        await users.get_all_cached(colour="red")
    with pytest.raises(ConfigurationError, match="delete_prefix"):
        UserRepository(cache=object())  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        await users.create(email=5)
    for bound in ({"max_entries": 0}, {"max_bytes": -1}, {"max_ttl": 0}):
        with pytest.raises(ConfigurationError, match="above 0"):
            MemoryCache(**bound)  # type: ignore[arg-type]


VALUES: list[Any] = [
    1,
    2**40,
    1.5,
    True,
    "text",
    "",
    b"bytes",
    datetime(2026, 1, 1, tzinfo=UTC),
    Decimal("1.10"),
    UUID(int=5),
    ObjectId("5f43a1b2c3d4e5f6a7b8c9d0"),
    [],
    {},
    [1, [2, {"a": None}]],
    {"json": {"list": [1, "x", None, True]}},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_a_memory_cache_keeps_copies_of_all_that_bson_holds(value: Any) -> None:
    cache = MemoryCache()
    await cache.set("k", value, expire=5)
    found = await cache.get("k")
    assert found == value
    assert isinstance(found, type(value))
    if isinstance(found, dict):
        found["changed"] = True
        assert await cache.get("k") == value


async def test_a_memory_cache_is_bounded() -> None:
    clock = Clock()
    cache = MemoryCache(max_entries=3, max_bytes=920, max_ttl=50, clock=clock)
    for number in range(5):
        await cache.set(f"k:{number}", number)
        await cache.get("k:2")
    assert [await cache.get(f"k:{number}") for number in range(5)] == [None, None, 2, 3, 4]
    await cache.set("k:9", "x" * 900)
    assert len(cache) == 1
    await cache.set("k:10", "x" * 2000)
    assert await cache.get("k:10") is None
    assert await cache.get("k:9") == "x" * 900
    clock.now += 51
    assert await cache.get("k:9") is None
    await cache.set("k:1", 1, expire=0)
    assert len(cache) == 0
    assert cache._keys == {}


async def test_prefixes_of_a_memory_cache() -> None:
    cache = MemoryCache()
    for key in ("user:id:1", "user:email:a", "users:1", "users:count:2", "usher", "user:id:10"):
        await cache.set(key, 1)
    await cache.delete_prefix("user:id:")
    assert [await cache.get(key) for key in ("user:id:1", "user:id:10", "user:email:a")] == [None, None, 1]
    await cache.delete_prefix("user:")
    assert [await cache.get(key) for key in ("user:email:a", "users:1", "usher")] == [None, 1, 1]
    await cache.delete_prefix("us")
    assert len(cache) == 0
    await cache.delete_prefix("")
    await cache.delete()
    await cache.delete("nobody")


TEXTS: list[tuple[Any, str]] = [
    ("ann@example.com", "ann@example.com"),
    ("Ann Lee", "Ann Lee"),
    ("", ""),
    ("Zoë/x", "Zoë/x"),
    ("a:b%", "a%3Ab%25"),
    ("a\nb", "a%0Ab"),
    ("~5", "%7E5"),
    (5, "5"),
    (5.0, "5"),
    (Decimal("5.00"), "5"),
    (Decimal("1.50"), "1.5"),
    (1.5, "1.5"),
    (True, "true"),
    (None, "null"),
    (Role.ADMIN, "admin"),
    (float("nan"), "nan"),
    (float("inf"), "inf"),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T030405+0000"),
    (ObjectId("5f43a1b2c3d4e5f6a7b8c9d0"), "5f43a1b2c3d4e5f6a7b8c9d0"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=[repr(value) for value, _ in TEXTS])
def test_values_in_keys(value: Any, text: str) -> None:
    assert keys_module.text_of(value, "User") == text


def test_long_and_compound_values_in_keys() -> None:
    long = keys_module.text_of("x" * 500, "User")
    assert len(long) < 40
    assert long != keys_module.text_of("x" * 501, "User")
    assert keys_module.text_of(long, "User") != long
    assert keys_module.text_of({"a": 1, "b": 2}, "User") == keys_module.text_of({"a": 1, "b": 2}, "User")
    assert keys_module.text_of({"a": 1, "b": 2}, "User") != keys_module.text_of({"b": 2, "a": 1}, "User")
    assert keys_module.text_of([1], "User") != keys_module.text_of(["1"], "User")


async def test_entries_end_each_at_its_own_time(users: UserRepository, cache: MemoryCache) -> None:
    await User.bulk_create([{"email": str(number)} for number in range(20)])
    for number in range(1, 21):
        await users.get_by_id_cached(number)
    now = datetime.now(UTC)
    left = [(await cache.get(f"user:id:{number}"))["until"] - now for number in range(1, 21)]  # type: ignore[index]
    assert all(timedelta(seconds=265) < time <= timedelta(seconds=300) for time in left)
    assert len(set(left)) > 5


def test_redis_cache_needs_no_library_before_it_is_used() -> None:
    assert RedisCache(object()) is not None
