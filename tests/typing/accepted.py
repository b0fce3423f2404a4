"""What type checkers accept, and what they infer; never run."""

# pyright: strict

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar, assert_type

import pydantic
from fastapi import APIRouter

from mongodb_orm import (
    ActorMixin,
    Aggregation,
    BaseModel,
    CommandEvent,
    F,
    HistoryMixin,
    KeysetPage,
    Nearby,
    Page,
    Pipeline,
    Point,
    Q,
    QuerySet,
    Scored,
    SoftDeleteMixin,
    VersionedMixin,
    count,
    create_test_data,
    expr,
    field,
    max_,
    sum_,
    transactional,
    updates,
)
from mongodb_orm.dao import get_dao
from mongodb_orm.integrations.fastapi import KeysetParams, PageParams, criteria_params, crud_router
from mongodb_orm.repository import CachedRepository, Criteria, MemoryCache, NullCache, Repository, RepositoryProtocol
from mongodb_orm.testing import assert_commands, rolled_back
from mongodb_orm.testing.factories import DocumentFactory


class Address(pydantic.BaseModel):
    city: str


class User(BaseModel, SoftDeleteMixin):
    username: str
    age: int | None = None
    tags: list[str] = []
    address: Address | None = None
    home: Point | None = None


class Contract(BaseModel, SoftDeleteMixin, VersionedMixin, HistoryMixin, ActorMixin):
    class Meta:
        collection_name = "contracts"

    text: str


class Summary(pydantic.BaseModel):
    username: str


async def reading() -> None:
    assert_type(User.filter(), QuerySet[User, User])
    query: QuerySet[User] = User.filter()
    assert_type(await query, list[User])
    assert_type(await User.filter(age__gte=18), list[User])
    assert_type(await User.filter(User.f.username == "ann"), list[User])
    assert_type(await User.filter({"age": 1}).order_by("-age")[:5], list[User])
    assert_type(await User.all().first(), User | None)
    assert_type(await User.filter(age=1).one(), User)
    assert_type(await User.get_by_id(1), User | None)
    assert_type(await User.get(username="ann"), User | None)
    assert_type(await User.count(), int)
    assert_type(await User.exists(username="ann"), bool)
    assert_type(await User.filter().only("username"), list[User])
    assert_type(await User.filter().project(Summary), list[Summary])
    assert_type(await User.filter(projection={"id": 1}), list[dict[str, Any]])
    assert_type(await User.filter().values("age"), list[dict[str, Any]])
    assert_type(await User.all().distinct("age"), list[Any])
    assert_type(await User.filter().raw().first(), dict[str, Any] | None)
    assert_type(await User.all().paginate(1, 20), Page[User])
    assert_type(await User.all().project(Summary).paginate(1, 20), Page[Summary])
    assert_type(await User.all().paginate_after(None, 20), KeysetPage[User])
    assert_type(await User.nearest("home", (1, 2)), list[Nearby[User]])
    assert_type(await User.search("words").with_scores(), list[Scored[User]])
    assert_type(await User.all().in_bulk([1]), dict[Any, User])
    assert_type(User.aggregate([]), Aggregation[dict[str, Any]])
    async for user in User.filter(username__startswith="a"):
        assert_type(user, User)
        assert_type(user.age, int | None)
    async for batch in User.all().batches(100):
        assert_type(batch, list[User])


async def aggregating() -> None:
    pipeline = (
        User.pipeline(max_time=5)
        .match(field(User.f.age) >= 18, Q(username="ann"))
        .group(by="username", n=count(field(User.f.age) > 20), total=sum_(field(User.f.age) * 2), top=max_("age"))
        .add_fields(share=F("n") / 3)
        .sort("-n", field(User.f.age).desc())
        .limit(5)
    )
    assert_type(pipeline, Pipeline)
    assert_type(await pipeline, list[dict[str, Any]])
    assert_type(await pipeline.first(), dict[str, Any] | None)
    assert_type(pipeline.into(Summary), Aggregation[Summary])
    assert_type(await pipeline.into(Summary), list[Summary])
    assert_type(await User.aggregate([], into=Summary, allow_disk_use=True), list[Summary])
    assert_type(await User.filter(age=1).aggregate([], into=User), list[User])
    assert_type(User.filter(age=1).pipeline(), Pipeline)
    async for row in pipeline.into(Summary):
        assert_type(row, Summary)


async def changing() -> None:
    assert_type(await User.filter(age=1).update(updates.inc(User.f.age), username="x"), int)
    assert_type(await User.filter(age=1).find_one_and_update(age__inc=1), User | None)
    assert_type(await User.find_one_and_update({"age": 1}, [{"$set": {"age": 2}}], return_old=True), User | None)
    assert_type(await User.filter(age=1).find_one_and_replace({"username": "x"}), User | None)
    assert_type(await User.find_one_and_delete(age=1), User | None)
    assert_type(await User.upsert({"username": "x"}, age=1), tuple[User, bool])
    user = await User.filter(age=1).one()
    assert_type(await user.update(age__inc=1), User)
    assert_type(await user.patch({"age": 1}), User)


async def writing() -> None:
    user = await User.create(username="ann")
    assert_type(user, User)
    assert_type(await user.save(), User)
    assert_type(await user.delete(), bool)
    assert_type(await user.refresh_from_db(), User)
    assert_type(await User.bulk_create([{"username": "a"}]), list[User])
    assert_type(await User.get_or_create({}, username="a"), tuple[User, bool])
    assert_type(await User.delete_many(age=1), int)


class UserCriteria(Criteria):
    age__gte: int | None = None


class Users(Repository[User]):
    sortable = {"name": "username", "age": User.f.age}

    @transactional
    async def rename(self, id: int, username: str) -> User | None:
        return await self.update(id, username=username)


T = TypeVar("T", bound=BaseModel)


class Audited(CachedRepository[T], Generic[T]):
    async def newest(self) -> T | None:
        return await self.find_one(sort=["-id"])


class AuditedUsers(Audited[User]):
    pass


class Renaming(Protocol):
    async def rename(self, id: int, username: str) -> User | None: ...


async def repositories() -> None:
    users = Users()
    criteria = UserCriteria(age__gte=18) & Q(username="ann") | UserCriteria()
    assert_type(users.model, type[User])
    assert_type(await users.create(username="ann"), User)
    assert_type(await users.get_by_id(1), User | None)
    assert_type(await users.get_all(age__gte=18), list[User])
    assert_type(await users.update(1, age=2), User | None)
    assert_type(await users.find(), list[User])
    assert_type(await users.find(criteria, ["-name"], 0, 10), list[User])
    assert_type(await users.find(criteria, projection=Summary), list[Summary])
    assert_type(await users.find_one(criteria), User | None)
    assert_type(await users.find_one(criteria, projection=Summary), Summary | None)
    assert_type(await users.page(criteria, size=5), Page[User])
    assert_type(await users.page(criteria, projection=Summary), Page[Summary])
    async for user in users.stream(criteria):
        assert_type(user, User)
    async for summary in users.stream(criteria, projection=Summary):
        assert_type(summary, Summary)
    assert_type(await users.rename(1, "bob"), User | None)
    renaming: Renaming = users
    protocol: RepositoryProtocol[User] = users
    assert_type(await renaming.rename(1, "bob"), User | None)
    assert_type(await protocol.get_by_id(1), User | None)
    audited = AuditedUsers(cache=MemoryCache())
    assert_type(await audited.newest(), User | None)
    assert_type(await audited.get_by_id_cached(1), User | None)
    assert_type(await audited.get_by_cached(username="ann"), User | None)
    assert_type(await audited.get_all_cached(age=1), list[User])
    assert_type(await audited.count_cached(age=1), int)
    assert_type(await audited.find(projection=Summary), list[Summary])
    assert_type(await get_dao(User).get_by_id(1), User | None)
    assert_type(await get_dao(User, cache=NullCache()).get_by_id_cached(1), User | None)
    assert_type(await Audited(User, cache=NullCache()).newest(), User | None)


class UserFactory(DocumentFactory[User]): ...


async def testing() -> None:
    assert_type(UserFactory.build(), User)
    assert_type(await UserFactory.create(age=1), User)
    assert_type(await UserFactory.create_batch(3), list[User])
    assert_type(await create_test_data(User, 3), list[User])
    with assert_commands(1) as sent:
        assert_type(sent, list[CommandEvent])
    async with rolled_back(User):
        pass


async def routes(params: PageParams, after: KeysetParams) -> None:
    assert_type(await params.page_of(User.all()), Page[User])
    assert_type(await params.page_of(User.all().project(Summary), sortable=("age",)), Page[Summary])
    assert_type(await after.page_of(User.all()), KeysetPage[User])
    assert_type(criteria_params(UserCriteria)(), UserCriteria)
    assert_type(crud_router(User, criteria=UserCriteria, hidden=["age"]), APIRouter)


def expressions() -> None:
    User.filter(User.f.username == "ann", Q(age=1) | Q(age=2), ~Q(age=3))
    User.filter(field(User.f.age) >= 18)
    User.filter(field(User.f.age).in_([17, 18]))
    User.filter(field(User.f.tags).contains("x"))
    User.filter(expr(field(User.f.age) + 1 > 18))
    User.all().order_by(field(User.f.username).asc(), "-age")
