"""Pages by number and from place to place, compared with what the server sorts."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import bson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel as Plain
from pydantic import Field, TypeAdapter

from mongodb_orm import (
    BaseModel,
    DatabaseConfig,
    InvalidTokenError,
    InvalidValueError,
    KeysetPage,
    NotSupportedError,
    ObjectId,
    Page,
    Q,
    QuerySet,
    SoftDeleteMixin,
    register_model,
)
from mongodb_orm.compiler.keyset import beyond, total_order


class Address(Plain):
    city: str = "Oslo"
    code: int = Field(default=0, alias="zip")


class User(BaseModel):
    name: str
    age: int | None = None
    city: str = "Oslo"
    nick: str = Field(default="", alias="nickName")
    home: Address = Field(default_factory=Address)
    tags: list[str] = Field(default_factory=list)
    places: list[Address] = Field(default_factory=list)
    page: int = 0


class Note(BaseModel, SoftDeleteMixin):
    text: str


class Thing(BaseModel):
    class Meta:
        strict_mode = False

    id: int
    a: Any = None
    b: int | str | None = None
    c: int = 0
    d: Any = None


class Exact(BaseModel):
    id: ObjectId
    uuid: UUID
    price: Decimal
    at: datetime
    data: bytes = b""
    on: bool = False


async def make_users(count: int = 45) -> list[User]:
    return await User.bulk_create(
        [
            {
                "name": f"user{n:02}",
                "age": None if n % 7 == 0 else n % 5,
                "city": ("Oslo", "Rome", "Bonn")[n % 3],
                "nick": f"n{n % 4}",
                "home": {"city": f"c{n % 3}", "zip": n % 2},
            }
            for n in range(count)
        ]
    )


def ids(items: Iterable[Any]) -> list[Any]:
    return [item["id"] if isinstance(item, dict) else item.id for item in items]


async def forward(query: QuerySet[Any, Any], size: int) -> list[KeysetPage[Any]]:
    pages = [await query.paginate_after(size=size)]
    while pages[-1].has_next:
        pages.append(await query.paginate_after(pages[-1].next_token, size))
        assert len(pages) < 1000
    return pages


async def backward(query: QuerySet[Any, Any], last: KeysetPage[Any], size: int) -> list[Any]:
    """Return the ids of all that lies before a page, in order."""
    found: list[Any] = []
    while last.has_prev:
        last = await query.paginate_after(last.prev_token, size)
        found = ids(last.items) + found
        assert last.has_next
        assert len(found) < 10_000
    return found


# --- by number ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "size", "count", "pages", "has_next", "has_prev"),
    [(1, 20, 20, 3, True, False), (2, 20, 20, 3, True, True), (3, 20, 5, 3, False, True), (1, 45, 45, 1, False, False),
     (9, 5, 5, 9, False, True), (1, 1000, 45, 1, False, False), (4, 20, 0, 3, False, True)],
)  # fmt: skip
async def test_numbered_pages(
    register_any: Any, number: int, size: int, count: int, pages: int, has_next: bool, has_prev: bool
) -> None:
    await register_any(User)
    users = await make_users()
    page = await User.all().paginate(page=number, size=size)
    assert page.items == users[(number - 1) * size : number * size]
    assert len(page.items) == count
    assert (page.total, page.page, page.size, page.pages) == (45, number, size, pages)
    assert (page.has_next, page.has_prev) == (has_next, has_prev)


async def test_a_page_of_nothing(register_any: Any) -> None:
    await register_any(User)
    page = await User.paginate(name="nobody")
    assert page.model_dump() == {
        "items": [], "total": 0, "page": 1, "size": 20, "pages": 0, "has_next": False, "has_prev": False,
    }  # fmt: skip
    keyset = await User.all().paginate_after()
    assert keyset.model_dump() == {
        "items": [], "next_token": None, "prev_token": None, "has_next": False, "has_prev": False,
    }  # fmt: skip


async def test_pages_have_what_queries_have(register_any: Any) -> None:
    await register_any(User)
    users = await make_users()
    page = await User.paginate(User.f.age >= 2, Q(city="Oslo"), page=2, size=3, sort_by="-age")
    query = User.filter(age__gte=2, city="Oslo").order_by("-age", "-id")
    assert page.items == (await query)[3:6]
    assert page.total == await query.count()
    assert (await User.filter(city="Rome").order_by("name").paginate(size=2)).items == [users[1], users[4]]
    rows = await User.filter(projection=["nick"]).paginate(page=2, size=2)
    assert rows.items == [{"id": users[2].id, "nick": "n2"}, {"id": users[3].id, "nick": "n3"}]
    raw = await User.all().raw().paginate(size=1)
    assert (raw.items[0]["_id"], raw.items[0]["nickName"]) == (users[0].id, "n0")
    (item,) = (await User.paginate(name="user03")).items
    item.age = 98
    await item.save()  # items know that they are stored
    assert await User.count(age=98) == 1


async def test_a_field_that_is_called_like_an_option(register_any: Any) -> None:
    await register_any(User)
    await make_users(3)
    await User.create(name="x", page=5)
    assert (await User.paginate(Q(page=5), page=1)).total == 1


async def test_equal_documents_do_not_overlap(register_any: Any) -> None:
    await register_any(User)
    users = await make_users()
    seen = [user.id for n in range(1, 10) for user in (await User.paginate(page=n, size=5, sort_by="city")).items]
    assert sorted(seen) == [user.id for user in users]
    assert (await User.all().paginate(size=3)).items == users[:3]


async def test_deleted_documents_are_on_no_page(register_any: Any) -> None:
    await register_any(Note)
    notes = await Note.bulk_create([{"text": str(n)} for n in range(6)])
    for note in notes[::2]:
        await note.delete()
    assert (await Note.paginate()).total == 3
    assert (await Note.all().with_deleted().paginate(size=4)).total == 6
    assert ids((await Note.all().only_deleted().paginate()).items) == ids(notes[::2])
    assert ids((await Note.all().paginate_after()).items) == ids(notes[1::2])
    assert ids((await Note.all().only_deleted().paginate_after(size=2)).items) == ids(notes[:3:2])
    page = await Note.all().paginate_after(size=1)
    with pytest.raises(InvalidTokenError):
        await Note.all().with_deleted().paginate_after(page.next_token)


@pytest.mark.parametrize("number", [1, 2, 3, 9])
async def test_a_page_is_one_trip(register: Any, number: int, caplog: pytest.LogCaptureFixture) -> None:
    await register(User)
    await make_users()
    caplog.set_level(logging.DEBUG, "mongodb_orm.commands")
    page = await User.filter(age__gte=0).paginate(number, 15)
    assert page.total == 38
    assert len(caplog.records) == 1


async def test_what_no_pipeline_can_say_takes_two_trips(register: Any, raw: Any) -> None:
    await register(User)
    await User.bulk_create([{"name": "x", "tags": ["a", "b", "c"]} for _ in range(5)])
    page = await User.all().project({"tags": {"$slice": -1}}).paginate(size=2)
    assert [row["tags"] for row in page.items] == [["c"], ["c"]]
    assert page.total == 5
    assert (await User.all().project({"tags": {"$slice": -1}}).paginate(3, 2)).total == 5
    assert (await User.all().project({"tags": {"$slice": -1}}).paginate(9, 2)).total == 5
    assert (await User.all().hint("_id_").paginate(size=2)).total == 5
    page = await User.all().project({"tags": {"$slice": 1}, "name": 0}).order_by("name").paginate_after(size=2)
    assert set(page.items[0]) == {
        "id",
        "created_at",
        "updated_at",
        "age",
        "city",
        "nick",
        "home",
        "tags",
        "places",
        "page",
    }
    assert page.items[0]["tags"] == ["a"]


async def test_options_of_the_query_hold(register: Any) -> None:
    await register(User)
    await make_users(30)
    query = User.all().comment("pages").max_time(20).batch_size(2).order_by("city")
    assert len((await query.paginate(size=20)).items) == 20
    assert sum([ids(page.items) for page in await forward(query, 7)], []) == ids(await query.order_by("city", "id"))


@pytest.mark.parametrize(
    "query",
    [User.all().limit(5), User.all().skip(5), User.all()[:5], User.all()[3:3]],
    ids=["limit", "skip", "slice", "empty"],
)
async def test_a_window_of_its_own_is_refused(query: Any) -> None:
    for call in (query.paginate, query.paginate_after):
        with pytest.raises(InvalidValueError, match="takes no limit, skip or slice"):
            await call()


async def test_what_cannot_be_paged_is_refused(register: Any) -> None:
    await register(User)
    near = {"home": {"$near": [1, 2]}}
    with pytest.raises(NotSupportedError, match=r"counting with \$near"):
        await User.filter(Q(name="x") & Q(near)).paginate()
    with pytest.raises(NotSupportedError, match=r"counting with \$where"):
        await User.filter({"$where": "1"}).allow_javascript().paginate()
    with pytest.raises(NotSupportedError, match=r"keyset pages with \$near"):
        await User.filter(near).paginate_after()
    with pytest.raises(InvalidValueError, match="score"):
        await User.filter({"$text": {"$search": "x"}}).sort_by({"name": {"$meta": "textScore"}}).paginate_after()


async def test_found_texts_are_paged(register: Any) -> None:
    await register(User)
    await User.create_index("name", index_type="text")
    await User.bulk_create([{"name": "cat"}, {"name": "dog"}, {"name": "cat cat cat"}, {"name": "cat and more words"}])
    query = User.filter({"$text": {"$search": "cat"}})
    page = await query.paginate(size=2)
    assert (page.total, len(page.items)) == (3, 2)
    assert sum([ids(page.items) for page in await forward(query.order_by("-name"), 1)], []) == [3, 4, 1]


# --- from place to place -----------------------------------------------------------------------------------------

ORDERS: list[tuple[str, ...]] = [
    (), ("id",), ("-id",), ("age",), ("-age",), ("age", "-name"), ("-age", "city", "-nick"), ("city", "-age"),
    ("home.city", "-home.code"), ("-home.code", "-city", "age"), ("city", "id", "age"), ("-created_at", "name"),
    ("city", "-city", "age"),
]  # fmt: skip


@pytest.mark.parametrize("order", ORDERS, ids=str)
async def test_every_order_both_ways(register_any: Any, order: tuple[str, ...]) -> None:
    await register_any(User)
    await make_users(23)
    query = User.all().order_by(*order)
    expected = ids((await query.paginate(size=100)).items)
    for size in (1, 4, 23):
        pages = await forward(query, size)
        assert [len(page.items) for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert sum([ids(page.items) for page in pages], []) == expected
        assert not pages[0].has_prev
        assert pages[0].prev_token is pages[-1].next_token is None
        rest = expected[: len(expected) - len(pages[-1].items)]
        assert await backward(query, pages[-1], size) == rest
        assert await backward(query, pages[-1], 5) == rest  # the size is not part of a token


NUMBERS = [
    0, 1, 1.0, -1, 2**40, 0.5, float("nan"), float("inf"), -float("inf"), bson.Decimal128("1"), bson.Decimal128("NaN"),
]  # fmt: skip
MIXED = [
    None, *NUMBERS, "", "a", "b", "$a", "é", {}, {"k": 1}, {"k": None}, {"a": 1, "k": 1}, b"", b"a",
    bson.Binary(b"a", 5), uuid4(), ObjectId("65f0c0ffee0123456789abcd"), True, False, datetime(2024, 1, 1, tzinfo=UTC),
    bson.Timestamp(1, 1), bson.Regex("a"), bson.MinKey(), bson.MaxKey(), bson.Int64(1),
]  # fmt: skip
MISSING = object()
documents = st.lists(
    st.fixed_dictionaries(
        {
            "a": st.sampled_from([*MIXED, MISSING, MISSING]),
            "b": st.sampled_from([None, 1, 2, "x", "1", MISSING]),
            "c": st.sampled_from([0, 1, 2, None, MISSING]),
            "d.e": st.sampled_from([1, None, "x", {"f": 1}, MISSING]),
        }
    ),
    max_size=14,
)
orders = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "d.e", "d.e.f"]), st.sampled_from([1, -1])), max_size=3,
    unique_by=lambda pair: pair[0],
)  # fmt: skip


def stored(shapes: list[dict[str, Any]], start: int) -> list[dict[str, Any]]:
    made = []
    for n, shape in enumerate(shapes, start):
        document: dict[str, Any] = {"_id": n}
        for path, value in shape.items():
            if value is MISSING:
                continue
            if path == "d.e":
                document["d"] = {"e": value}
            else:
                document[path] = value
        made.append(bson.decode(bson.encode(document, codec_options=UUIDS), UUIDS))
    return made


UUIDS: Any = bson.codec_options.CodecOptions(uuid_representation=4)


@pytest.fixture
def things(raw: Any) -> Any:
    return raw.get_collection("thing", codec_options=UUIDS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shapes=documents, order=orders, size=st.integers(1, 5), indexed=st.booleans())
async def test_any_documents_in_any_order(
    register: Any, things: Any, shapes: Any, order: list[tuple[str, int]], size: int, indexed: bool
) -> None:
    await register(Thing)
    things.drop()
    sort = list(total_order(tuple(order)))
    if indexed:
        things.create_index(sort)
    if shapes:
        things.insert_many(stored(shapes, 1))
    expected = [document["_id"] for document in things.find().sort(sort)]
    query = Thing.all().raw().sort_by(order)

    pages = await forward(query, size)
    assert [row["_id"] for page in pages for row in page.items] == expected
    found: list[int] = []
    last = pages[-1]
    while last.has_prev:
        last = await query.paginate_after(last.prev_token, size)
        found = [row["_id"] for row in last.items] + found
    assert found == expected[: len(expected) - len(pages[-1].items)]

    rows = await forward(query.project(["c"]), size)  # without the fields of the order
    assert [row["_id"] for page in rows for row in page.items] == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shapes=documents, later=documents, order=orders, size=st.integers(1, 4), seed=st.integers(0, 10_000))
async def test_changes_between_pages_lose_and_repeat_nothing(
    register: Any, things: Any, shapes: Any, later: Any, order: list[tuple[str, int]], size: int, seed: int
) -> None:
    await register(Thing)
    things.drop()
    chance = random.Random(seed)
    first, waiting = stored(shapes, 1), stored(later, 1000)
    for document in waiting:
        document["_id"] = chance.choice([-1, 1]) * document["_id"]
    if first:
        things.insert_many(first)
    everything = {document["_id"]: document for document in first + waiting}
    removed: set[int] = set()
    query = Thing.all().raw().sort_by(order)

    def change() -> None:
        if waiting:
            things.insert_one(waiting.pop())
        alive = things.distinct("_id")
        if alive and chance.random() < 0.4:
            gone = chance.choice(alive)
            removed.add(gone)
            things.delete_one({"_id": gone})

    async def walk(token: str | None, backwards: bool) -> tuple[list[int], KeysetPage[Any]]:
        seen: list[int] = []
        while True:
            page = await query.paginate_after(token, size)
            found = [row["_id"] for row in page.items]
            seen = found + seen if backwards else seen + found
            if not (page.has_prev if backwards else page.has_next):
                return seen, page
            token = page.prev_token if backwards else page.next_token
            change()

    def check(seen: list[int], at_start: set[int]) -> None:
        assert len(seen) == len(set(seen))
        assert at_start - removed <= set(seen)
        things.drop()  # every document that ever was, sorted by the server
        things.insert_many(list(everything.values()))
        full = [row["_id"] for row in things.find().sort(list(total_order(tuple(order))))]
        assert seen == [id_ for id_ in full if id_ in set(seen)]
        removed.clear()

    at_start = {document["_id"] for document in first}
    seen, page = await walk(None, backwards=False)
    if everything:
        there = set(things.distinct("_id"))
        token = page.prev_token
        back, _ = await walk(token, backwards=True) if token else ([], page)
        on_last = {row["_id"] for row in page.items}
        assert not on_last & set(back)
        assert {id_ for id_ in seen if id_ not in on_last and id_ in there} - removed <= set(back)
        check(seen, at_start)


async def test_a_dollar_in_a_value_is_text(register_any: Any) -> None:
    await register_any(User)
    await User.bulk_create([{"name": name} for name in ("$name", "$$ROOT", "$city", "{}", "$name", "a")])
    for order in ("name", "-name"):
        query = User.all().order_by(order)
        assert sum([ids(page.items) for page in await forward(query, 1)], []) == ids((await query.paginate()).items)


async def test_when_everything_ahead_is_gone_the_way_back_remains(register_any: Any) -> None:
    await register_any(User)
    users = await make_users(6)
    query = User.all().order_by("-id")
    first = await query.paginate_after(size=3)
    await User.delete_many(id__lt=first.items[-1].id)
    empty = await query.paginate_after(first.next_token, size=3)
    assert (empty.items, empty.has_next, empty.has_prev) == ([], False, True)
    assert (await query.paginate_after(empty.prev_token, size=3)).items == users[:2:-1]
    middle = await query.paginate_after(size=1)
    second = await query.paginate_after(middle.next_token, size=1)
    await User.delete_many(id__gt=second.items[0].id)
    empty = await query.paginate_after(second.prev_token, size=3)
    assert (empty.items, empty.has_next, empty.has_prev) == ([], True, False)
    assert (await query.paginate_after(empty.next_token, size=3)).items == second.items + [users[3]]


async def test_values_of_every_type_travel_in_tokens(register: Any) -> None:
    await register(Exact)
    chance = random.Random(5)
    await Exact.bulk_create(
        [
            {
                "uuid": UUID(int=chance.getrandbits(128), version=4),
                "price": Decimal(chance.randrange(5)) / 4,
                "at": datetime(2024, 1, chance.randrange(1, 4), 12, 30, 1, 123_000, tzinfo=UTC),
                "data": bytes(chance.randrange(3)),
                "on": chance.random() < 0.5,
            }
            for _ in range(20)
        ]
    )
    for order in (["uuid"], ["-price", "at"], ["at", "-on", "data"], ["-data", "price"], ["-id"]):
        query = Exact.all().order_by(*order)
        expected = ids((await query.paginate()).items)
        pages = await forward(query, 3)
        assert sum([ids(page.items) for page in pages], []) == expected
        assert await backward(query, pages[-1], 3) == expected[:18]


async def test_an_index_on_the_order_serves_every_page(register: Any, things: Any, raw: Any) -> None:
    await register(Thing)
    things.insert_many([{"_id": n, "b": n % 10, "c": n % 7} for n in range(2000)])
    things.create_index([("b", 1), ("c", -1), ("_id", -1)])
    order = total_order((("b", 1), ("c", -1)))
    for key in ((5, 3, 1000), (None, None, 5), (9, 0, 0)):
        plan = raw.command(
            "explain", {"find": "thing", "filter": beyond(order, key), "sort": dict(order), "limit": 21},
            verbosity="executionStats",
        )  # fmt: skip
        assert plan["executionStats"]["totalKeysExamined"] <= 21 + len(order)


# --- lists -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["tags", "places", "places.city", "tags.0", "places.0.code"])
async def test_an_order_by_a_list_is_refused(register_any: Any, field: str) -> None:
    await register_any(User)
    with pytest.raises(InvalidValueError, match="list") as caught:
        await User.all().order_by("name", field).paginate_after()
    assert caught.value.model == "User"


@pytest.mark.parametrize("order", ["d", "-d", "d.e", "-d.e", "a", "-a"])
@pytest.mark.parametrize("value", [[], [0], [5, 100], [None], [{"e": 5}]])
async def test_a_list_where_none_was_declared_is_never_passed_over(
    register: Any, things: Any, order: str, value: list[Any]
) -> None:
    await register(Thing)
    name = order.lstrip("-").partition(".")[0]
    things.insert_many([{"_id": n, name: {"e": n} if "." in order else n} for n in range(1, 12)])
    things.insert_one({"_id": 50, name: value})
    with pytest.raises(InvalidValueError, match=r"id 50.* list"):
        await forward(Thing.all().raw().order_by(order), 3)
    assert (await Thing.all().raw().order_by(order).paginate()).total == 12


# --- projections -------------------------------------------------------------------------------------------------

PROJECTIONS: list[Any] = [
    ["name"], ["name", "age", "city"], {"name": 1, "id": 0}, {"id": 1}, {"id": 0}, {"age": 0}, {"age": 0, "home": 0},
    {"home.city": 0, "name": 0}, {"home": 0, "id": 0, "city": 0}, {"home.code": 1}, {"upper": {"$toUpper": "$name"}},
    {"home": 1}, {"age": 0, "tags": {"$slice": 1}}, {"tags": {"$slice": 1}, "id": 1},
    {"age": {"$add": ["$age", 100]}, "name": 1},
]  # fmt: skip


@pytest.mark.parametrize("projection", PROJECTIONS, ids=str)
@pytest.mark.parametrize("order", ["-age", "home.city", "id", "home"])
async def test_rows_have_what_was_asked_for(register: Any, projection: Any, order: str) -> None:
    await register(User)
    await make_users(10)
    query = User.all().order_by(order).project(projection)
    expected = await query.order_by(order, "-id" if order.startswith("-") else "id")
    rows = sum([page.items for page in await forward(query, 3)], [])
    assert rows == expected


async def test_an_index_does_not_stand_in_for_the_document(register: Any, things: Any) -> None:
    await register(Thing)
    things.insert_many([{"_id": n, "c": 0, "d": {"e": n % 3}} for n in range(9)])
    things.create_index([("c", 1), ("d.e", 1), ("d.e.f", 1), ("_id", 1)])
    query = Thing.all().order_by("c", "d.e", "d.e.f")
    for projection in (["c"], ["c", "d.e"]):
        rows = sum([page.items for page in await forward(query.project(projection), 2)], [])
        assert ids(rows) == [0, 3, 6, 1, 4, 7, 2, 5, 8]
    assert rows[0] == {"id": 0, "c": 0, "d": {"e": 0}}


# --- tokens ------------------------------------------------------------------------------------------------------


async def test_a_forged_token_is_refused(register: Any) -> None:
    await register(User)
    await make_users(4)
    query = User.all().order_by("name")
    token = (await query.paginate_after(size=2)).next_token
    assert token is not None
    for position in range(len(token)):
        other = "B" if token[position] == "A" else "A"
        with pytest.raises(InvalidTokenError):
            await query.paginate_after(token[:position] + other + token[position + 1 :])
    for forged in (
        "",
        "x",
        token[:-1],
        token + "A",
        token * 2,
        token + "=",
        f" {token}",
        "é",
        "A" * 100_000,
        5,
        b"x",
        {},
    ):
        with pytest.raises(InvalidTokenError) as caught:
            await query.paginate_after(forged)  # type: ignore[arg-type]
        assert caught.value.model == "User"
        assert isinstance(caught.value, ValueError)
        assert token not in str(caught.value)


async def test_a_token_of_another_query_is_refused(register: Any) -> None:
    await register(User, Note)
    await make_users(9)
    await Note.bulk_create([{"text": "x"}] * 3)
    query = User.filter(age__gte=0, city__in={"Oslo", "Rome", "Bonn"}).order_by("name")
    token = (await query.paginate_after(size=2)).next_token
    for cities in (["Rome", "Bonn", "Oslo"], ["Oslo", "Bonn", "Rome"]):
        same = User.filter(city__in=cities, age__gte=0).order_by("name").project(["name"])
        assert (await same.paginate_after(token, 1)).items[0]["name"] == "user03"
    foreign = (await Note.all().paginate_after(size=1)).next_token
    others: list[Any] = [
        User.all().order_by("name"),
        query.order_by("-name"),
        query.order_by("name", "age"),
        query.filter(name="x"),
        User.filter(age__gte=1, city__in=["Oslo", "Rome", "Bonn"]).order_by("name"),
        User.filter(age__gt=0, city__in=["Oslo", "Rome", "Bonn"]).order_by("name"),
        Note.all(),
    ]
    for other in others:
        with pytest.raises(InvalidTokenError, match="another query"):
            await other.paginate_after(token)
    with pytest.raises(InvalidTokenError, match="another query"):
        await User.all().paginate_after(foreign)


async def test_tokens_hold_wherever_the_secret_is_the_same(config: DatabaseConfig, monkeypatch: Any) -> None:
    settings_ = {"mongo_uri": config.mongo_uri, "database_name": config.database_name, "driver": config.driver}
    await register_model(User, db_config=DatabaseConfig(**settings_, token_secret="one secret of many"))
    await make_users(4)
    page = await User.all().paginate_after(size=2)
    await register_model(User, db_config=DatabaseConfig(**settings_, token_secret="another secret, long"))
    with pytest.raises(InvalidTokenError, match="another secret"):
        await User.all().paginate_after(page.next_token)
    await register_model(User, db_config=config)
    with pytest.raises(InvalidTokenError, match="another secret"):
        await User.all().paginate_after(page.next_token)
    monkeypatch.setenv("MONGODB_ORM_TOKEN_SECRET", "one secret of many")
    await register_model(User, db_config=DatabaseConfig(**settings_))
    assert len((await User.all().paginate_after(page.next_token)).items) == 2


async def test_a_key_that_is_too_long_is_refused(register: Any) -> None:
    await register(User)
    await User.bulk_create([{"name": "x" * 20_000}] * 2)
    with pytest.raises(InvalidValueError, match="characters"):
        await User.all().order_by("name").paginate_after(size=1)
    assert len((await User.all().order_by("name").paginate_after(size=2)).items) == 2


# --- the memory backend ------------------------------------------------------------------------------------------


async def test_memory_refuses_what_it_would_get_wrong() -> None:
    await register_model(Thing, db_config=DatabaseConfig("memory://paging"))
    for n in range(5):
        await Thing.create(a=n, b="x", c=n % 2)
    assert len(await forward(Thing.all().order_by("-c"), 2)) == 3
    for order in ("a", "b", "d.e"):
        with pytest.raises(NotSupportedError) as caught:
            await Thing.all().order_by(order).paginate_after()
        assert caught.value.feature == "bson_order"
    with pytest.raises(NotSupportedError, match="projections"):
        await Thing.all().order_by("c").project(["a"]).paginate_after()
    await Thing.filter(id=3).update({"$unset": {"c": ""}})
    with pytest.raises(NotSupportedError, match="without 'c'"):
        await forward(Thing.all().order_by("-c"), 2)


# --- JSON and OpenAPI --------------------------------------------------------------------------------------------


async def test_pages_are_json(register_any: Any) -> None:
    await register_any(User)
    await make_users(3)
    page = await User.all().order_by("name").paginate(size=2)
    assert isinstance(page, Page[User])
    assert isinstance(page.items[0], User)
    as_json = json.loads(page.model_dump_json())
    assert {key: value for key, value in as_json.items() if key != "items"} == {
        "total": 3, "page": 1, "size": 2, "pages": 2, "has_next": True, "has_prev": False,
    }  # fmt: skip
    assert [item["id"] for item in as_json["items"]] == ids(page.items)
    assert ids(Page[User].model_validate_json(page.model_dump_json()).items) == ids(page.items)
    assert TypeAdapter(Page[User]).validate_python(page) is page
    keyset = await User.all().order_by("name").paginate_after(size=2)
    assert isinstance(keyset, KeysetPage[User])
    assert json.loads(keyset.model_dump_json())["next_token"] == keyset.next_token
    rows = await User.all().project(["name"]).paginate(size=2)
    assert json.loads(rows.model_dump_json())["items"][0]["name"] == "user00"


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_pages_have_a_schema(mode: Any) -> None:
    schema = TypeAdapter(Page[User]).json_schema(mode=mode)
    assert set(schema["properties"]) == {"items", "total", "page", "size", "pages", "has_next", "has_prev"}
    assert schema["properties"]["items"]["items"] == {"$ref": "#/$defs/User"}
    assert schema["properties"]["total"]["type"] == "integer"
    keyset = TypeAdapter(KeysetPage[User]).json_schema(mode=mode)
    assert set(keyset["properties"]) == {"items", "next_token", "prev_token", "has_next", "has_prev"}
    assert "id" in keyset["$defs"]["User"]["properties"]
