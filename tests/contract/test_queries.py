"""The query object: kinds of results, verbs, options and scopes."""

from __future__ import annotations

import asyncio
import copy
import pickle
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import pydantic
import pytest
from bson import Decimal128
from pydantic import Field, computed_field, model_validator
from typing_extensions import TypedDict

from mongodb_orm import (
    BaseModel,
    CorruptDocumentError,
    From,
    InvalidValueError,
    NotSupportedError,
    Q,
    QueryError,
    SoftDeleteMixin,
    UnknownFieldError,
    UnknownLookupError,
    UnloadedFieldError,
    UnsafeQueryError,
    count,
)

T = TypeVar("T")


class Color(Enum):
    RED = "r"
    BLUE = "b"


class Address(pydantic.BaseModel):
    street: str = Field(alias="st")
    city: str


class Line(pydantic.BaseModel):
    sku: str
    price: Decimal


class Resident(BaseModel):
    name: str = Field(min_length=2)
    age: int | None = Field(default=None, alias="years", ge=0)
    color: Color = Color.RED
    born: date | None = None
    worked: timedelta = timedelta()
    balance: Decimal = Decimal(0)
    address: Address | None = None
    lines: list[Line] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def must_know_its_name(self) -> Resident:
        assert self.name
        return self


class Post(BaseModel, SoftDeleteMixin):
    class Meta:
        default_scope = Q(tenant="a")
        scopes = {"published": Q(status="published"), "by": lambda author: Q(author=author)}

    tenant: str = "a"
    status: str = "draft"
    author: int = 0


@pytest.fixture
async def people(register_any: Any) -> list[Resident]:
    await register_any(Resident)
    return await Resident.bulk_create(
        [
            {
                "name": "Ann",
                "age": 31,
                "born": date(1990, 1, 2),
                "worked": timedelta(hours=2),
                "balance": Decimal("1.50"),
                "address": Address(st="Main 1", city="Oslo"),
                "lines": [{"sku": "a", "price": "2.50"}, {"sku": "b", "price": "1"}],
                "tags": ["x", "y"],
            },
            {"name": "Bob", "age": 17, "color": Color.BLUE, "worked": timedelta(hours=1)},
            {"name": "Cecil"},
        ]
    )


# -- a part of an object ------------------------------------------------------------------------------------------


async def test_only_loads_what_it_names_and_the_id(people: list[Resident]) -> None:
    ann = (await Resident.all().only("name", Resident.f.color).order_by("id"))[0]
    assert (ann.id, ann.name, ann.color) == (people[0].id, "Ann", Color.RED)
    assert ann.get_deferred_fields() == set(Resident.model_fields) - {"id", "name", "color"}
    with pytest.raises(UnloadedFieldError, match=r"Resident\.age was not loaded") as caught:
        _ = ann.age
    assert caught.value.field == "age"
    assert not hasattr(ann, "age")
    with pytest.raises(AttributeError, match="nonsense"):
        _ = ann.nonsense  # type: ignore[attr-defined]
    assert ann.model_dump() == {"id": ann.id, "name": "Ann", "color": Color.RED}


async def test_saving_a_part_never_touches_the_rest(people: list[Resident]) -> None:
    ann = await Resident.filter(name="Ann").only("name").one()
    ann.name = "Anne"
    await asyncio.sleep(0.002)  # a part does not know when it was saved last, so the clock has to move on
    await ann.save()
    stored = await Resident.get(name="Anne")
    assert stored is not None
    assert stored.model_dump(exclude={"name", "updated_at"}) == people[0].model_dump(exclude={"name", "updated_at"})
    assert stored.updated_at > people[0].updated_at


async def test_a_field_that_was_not_loaded_can_be_set_to_its_default(people: list[Resident]) -> None:
    await Resident.filter(id=people[0].id).update(color=Color.BLUE)
    ann = await Resident.filter(name="Ann").only("name").one()
    ann.color = Color.RED  # the default, which is not what is stored
    await ann.save()
    stored = await Resident.get_by_id(people[0].id)
    assert stored is not None
    assert stored.color is Color.RED


async def test_a_field_that_was_not_loaded_can_be_set(people: list[Resident]) -> None:
    bob = await Resident.filter(name="Bob").defer("age", "worked").one()
    bob.age = 18
    await bob.save()
    again = await Resident.get_by_id(bob.id)
    assert again is not None
    assert (again.age, again.worked) == (18, timedelta(hours=1))


async def test_a_part_is_completed_by_a_refresh(people: list[Resident]) -> None:
    ann = await Resident.filter(name="Ann").only("name").one()
    await ann.refresh_from_db()
    assert ann == people[0]
    assert not ann.get_deferred_fields()


async def test_a_bad_value_in_a_part_is_refused(people: list[Resident]) -> None:
    ann = await Resident.filter(name="Ann").only("name").one()
    ann.name = "A"
    with pytest.raises(pydantic.ValidationError):
        await ann.save()


async def test_a_part_survives_copying_and_pickling(people: list[Resident]) -> None:
    ann = await Resident.filter(name="Ann").only("name").one()
    for twin in (copy.copy(ann), copy.deepcopy(ann), pickle.loads(pickle.dumps(ann))):
        assert twin.get_deferred_fields() == ann.get_deferred_fields()
        twin.name = "Anna"
        await twin.save()


async def test_only_refuses_paths_and_unknown_fields(people: list[Resident]) -> None:
    with pytest.raises(UnknownFieldError, match="name"):
        Resident.all().only("nam")
    with pytest.raises(InvalidValueError, match="whole field"):
        Resident.all().only("address.city")


# -- values -------------------------------------------------------------------------------------------------------


async def test_values_are_python_types_under_the_names_asked_for(people: list[Resident]) -> None:
    rows = await Resident.all().order_by("id").values("name", "age", "color", "born", "worked", "address.city")
    assert rows[0] == {
        "name": "Ann",
        "age": 31,
        "color": Color.RED,
        "born": date(1990, 1, 2),
        "worked": timedelta(hours=2),
        "address.city": "Oslo",
    }
    assert rows[2]["age"] is None
    assert rows[2]["address.city"] is None


async def test_values_list(people: list[Resident]) -> None:
    query = Resident.all().order_by("id")
    assert await query.values_list("id", "name") == [(p.id, p.name) for p in people]
    assert await query.values_list("color", flat=True) == [Color.RED, Color.BLUE, Color.RED]
    assert await query.values_list("lines.price", flat=True) == [[Decimal("2.50"), Decimal(1)], [], []]
    assert await query.values_list("lines__0__sku", flat=True) == ["a", None, None]
    assert await query.values_list("lines", "lines.sku") == [(people[0].lines, ["a", "b"]), ([], []), ([], [])]
    with pytest.raises(InvalidValueError, match="exactly one"):
        query.values_list("id", "name", flat=True)
    with pytest.raises(UnknownFieldError):
        query.values("nam")


async def test_values_without_names_are_all_fields(people: list[Resident]) -> None:
    (row,) = await Resident.filter(name="Ann").values()
    assert row == dict(people[0])


# -- summaries ----------------------------------------------------------------------------------------------------


class CitySummary(pydantic.BaseModel):
    city: str


class ResidentSummary(pydantic.BaseModel):
    id: int
    name: str
    years: int | None = None
    worked: timedelta
    address: CitySummary | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def title(self) -> str:
        return f"{self.name} ({self.id})"


class Flat(pydantic.BaseModel):
    city: Annotated[str | None, From("address.city")] = None
    skus: Annotated[list[str], From(Resident.f.lines.sku)]
    tag_count: Annotated[int, From({"$size": "$tags"})]
    years: Annotated[int | None, From({"$add": ["$age", 1]})]


class RenamedLine(pydantic.BaseModel):
    article: Annotated[str, From("sku")]


class Nested(pydantic.BaseModel):
    lines: list[RenamedLine]


async def test_a_pydantic_model_is_a_projection(people: list[Resident]) -> None:
    ann, bob, _ = await Resident.all().order_by("id").project(ResidentSummary)
    assert type(ann) is ResidentSummary
    assert ann.model_dump() == {
        "id": people[0].id,
        "name": "Ann",
        "years": 31,
        "worked": timedelta(hours=2),
        "address": {"city": "Oslo"},
        "title": f"Ann ({people[0].id})",
    }
    assert bob.address is None


async def test_exactly_the_fields_of_the_summary_are_asked_for(people: list[Resident]) -> None:
    assert Resident.all().project(ResidentSummary).find_command().projection == {
        "_id": 1, "name": 1, "years": 1, "worked": 1, "address.city": 1,
    }  # fmt: skip


async def test_a_summary_computes_on_the_server(register: Any, config: Any) -> None:
    await register(Resident)
    await Resident.create(
        name="Ann",
        age=31,
        address=Address(st="Main 1", city="Oslo"),
        lines=[Line(sku="a", price=Decimal(1))],
        tags=["x"],
    )
    (row,) = await Resident.all().project(Flat)
    assert row == Flat(city="Oslo", skus=["a"], tag_count=1, years=32)
    (nested,) = await Resident.all().project(Nested)
    assert nested.lines == [RenamedLine(article="a")]


async def test_a_summary_takes_positions_of_lists(register: Any) -> None:
    class Brief(pydantic.BaseModel):
        first: Annotated[str, From("tags.0")] = ""
        price: Annotated[Decimal | None, From(Resident.f.lines[1].price)] = None
        whole: Annotated[Line | None, From("lines.0")] = None

    await register(Resident)
    lines = [{"sku": "a", "price": "2.50"}, {"sku": "b", "price": "1"}]
    await Resident.bulk_create([{"name": "Ann", "tags": ["x", "y"], "lines": lines}, {"name": "Bob"}])
    ann, bob = await Resident.all().order_by("id").project(Brief)
    assert ann == Brief(first="x", price=Decimal(1), whole=Line(sku="a", price=Decimal("2.50")))
    assert bob == Brief()


async def test_a_summary_asks_only_for_what_exists(people: list[Resident]) -> None:
    class Wrong(pydantic.BaseModel):
        nam: str

    class WrongInside(pydantic.BaseModel):
        class Inner(pydantic.BaseModel):
            cty: str

        address: Inner

    class WrongSource(pydantic.BaseModel):
        town: Annotated[str, From("address.town")]

    for wrong, name in ((Wrong, "nam"), (WrongInside, "cty"), (WrongSource, "town")):
        with pytest.raises(UnknownFieldError, match=name):
            Resident.all().project(wrong)
    with pytest.raises(InvalidValueError, match="its own collection"):
        Resident.all().project(Post)


async def test_a_stored_value_that_does_not_fit_the_summary_is_an_error(people: list[Resident]) -> None:
    class Strict(pydantic.BaseModel):
        name: int

    with pytest.raises(CorruptDocumentError, match="Strict"):
        await Resident.all().project(Strict)


async def test_a_summary_served_by_an_index_alone(register: Any) -> None:
    await register(Resident)
    await Resident.create_compound_index({"name": 1, "age": 1})
    await Resident.bulk_create([{"name": f"p{n}", "age": n} for n in range(20)])

    class NameAndAge(pydantic.BaseModel):
        name: str
        age: int

    plan = await Resident.filter(name="p3").project(NameAndAge).explain()
    assert plan.is_covered
    assert (plan.documents_examined, plan.keys_examined, plan.returned) == (0, 1, 1)
    assert (await Resident.filter(name="p3").values("name", "age").explain()).is_covered


# -- verbs --------------------------------------------------------------------------------------------------------


async def test_first_and_last(people: list[Resident]) -> None:
    query = Resident.all().order_by("name")
    assert await query.first() == people[0]
    assert await query.last() == people[2]
    assert await Resident.all().last() == people[2]
    assert await query[:2].last() == people[1]
    assert await Resident.filter(name="nobody").last() is None


async def test_in_bulk(people: list[Resident]) -> None:
    ids = [p.id for p in people]
    assert await Resident.all().in_bulk([*ids, 10**6]) == dict(zip(ids, people, strict=True))
    assert await Resident.all().in_bulk([]) == {}
    by_name = await Resident.all().in_bulk(["Bob", "nobody"], field="name")
    assert by_name == {"Bob": people[1]}
    assert set(await Resident.all().values("id", "name").in_bulk(ids)) == set(ids)
    with pytest.raises(InvalidValueError, match="lack"):
        await Resident.all().values("name").in_bulk(ids)
    with pytest.raises(InvalidValueError):
        await Resident.all().in_bulk("abc")


async def test_in_bulk_keeps_the_order_that_was_asked_for(people: list[Resident]) -> None:
    ann, bob, cecil = people
    found = await Resident.all().in_bulk([str(cecil.id), 99, ann.id, cecil.id])
    assert list(found.values()) == [cecil, ann]
    grown = await Resident.filter(age__isnull=False).in_bulk(["Bob", "Cecil", "Ann"], field="name")
    assert list(grown) == ["Bob", "Ann"]


async def test_projections_calculate_and_look_into_lists(register: Any) -> None:
    await register(Resident)
    lines = [{"sku": "a", "price": "2.50"}, {"sku": "b", "price": "1"}]
    home = Address(st="Main 1", city="Oslo")
    await Resident.create(name="Ann", age=31, lines=lines, address=home)
    (row,) = await Resident.all().project(
        {
            "name": 1,
            "double": Resident.f.age * 2,
            "years_": Resident.f.age,
            "street": Resident.f.address.street,
            "grown": Resident.f.age >= 18,
            "id": 0,
        }
    )
    assert row == {"name": "Ann", "double": 62, "years_": 31, "street": "Main 1", "grown": True}
    assert await Resident.all().project({"lines": {"$elemMatch": {"sku": "b"}}, "id": 0}).one() == {
        "lines": [{"sku": "b", "price": Decimal("1")}]
    }
    with pytest.raises(UnsafeQueryError):
        Resident.all().project({"lines": {"$elemMatch": {"$where": "1"}}})


async def test_names_inside_the_element_that_a_projection_looks_for(register: Any) -> None:
    class Owner(BaseModel):
        homes: list[Address] = Field(default_factory=list)

    await register(Owner)
    await Owner.create(homes=[Address(st="a", city="Oslo"), Address(st="b", city="Rome")])
    row = await Owner.all().project({"homes": {"$elemMatch": {"street": "b"}}, "id": 0}).one()
    assert row == {"homes": [{"street": "b", "city": "Rome"}]}


async def test_in_bulk_by_a_list_is_refused(people: list[Resident]) -> None:
    for field in ("tags", "lines.sku"):
        with pytest.raises(InvalidValueError, match="list"):
            await Resident.all().in_bulk(["x"], field=field)


async def test_a_pattern_that_is_none_is_an_invalid_value(register: Any) -> None:
    await register(Resident)
    await Resident.create(name="Ann")
    for lookup in ({"name__regex": "("}, {"name__contains": "x" * 40_000}):
        with pytest.raises(InvalidValueError, match="(?i)regular expression"):
            await Resident.filter(**lookup)


async def test_fields_may_be_called_like_any_argument(register_any: Any) -> None:
    class Odd(BaseModel):
        cls: int = 0
        self: int = 0
        conditions: int = 0
        lookups: int = 0
        model: int = 0
        name: int = 0
        value: int = 0
        where: int = 0

    await register_any(Odd)
    fields = [name for name in Odd.model_fields if name not in ("id", "created_at", "updated_at")]
    odd = await Odd.create(**dict.fromkeys(fields, 5))
    for field in fields:
        this: Any = {field: 5}
        for query in (Odd.filter(**this), Odd.all().filter(**this), Odd.filter(Q(**this)), Odd.exclude(~Q(**this))):
            assert await query == [odd]
        assert await Odd.all().exclude(**this).count() == await Odd.exclude(**this).count() == 0
        assert await Odd.get(**this) == await Odd.all().get(**this) == odd
        assert await Odd.count(**this) == 1
        assert await Odd.exists(**this)
        assert await Odd.distinct(field, **this) == [5]
        assert (await Odd.paginate(**this)).items == [odd]
        assert await Odd.pipeline().match(**this).group(n=count()) == [{"n": 1}]
    assert await Odd.delete_many(cls=5) == 1


async def test_an_empty_condition_says_nothing(people: list[Resident]) -> None:
    either = Q()
    for name in ("Ann", "Bob"):
        either |= Q(name=name)
    assert await Resident.count(either) == 2
    assert await Resident.exclude().count() == await Resident.all().exclude(Q()).count() == 3
    assert await Resident.exclude(name="Ann").count() == 2


async def test_no_limit_may_be_said_as_none(people: list[Resident]) -> None:
    assert len(await Resident.filter(limit=None, skip=None)) == 3


async def test_figures(people: list[Resident]) -> None:
    query = Resident.all()
    assert await query.sum("age") == 48
    assert await query.avg(Resident.f.age) == 24
    assert (await query.min("age"), await query.max("age")) == (17, 31)
    assert (await query.min("born"), await query.max("worked")) == (date(1990, 1, 2), timedelta(hours=2))
    assert await query.sum("worked") == timedelta(hours=3)
    assert await query.order_by("-age")[:1].sum("age") == 31
    nobody = Resident.filter(name="nobody")
    assert (await nobody.sum("age"), await nobody.avg("age"), await nobody.min("age")) == (0, None, None)
    assert await nobody.sum("worked") == timedelta(0)
    for field in ("tags", "address"):
        with pytest.raises(InvalidValueError, match="no single value"):
            await query.sum(field)


async def test_the_sum_of_decimals_is_exact(register: Any) -> None:
    await register(Resident)
    await Resident.bulk_create([{"name": "xx", "balance": Decimal("0.1")} for _ in range(3)])
    assert await Resident.all().sum("balance") == Decimal("0.3")
    assert await Resident.all().max("balance") == Decimal("0.1")


async def test_distinct_values_are_python_types(people: list[Resident]) -> None:
    def ordered(values: list[Any]) -> list[Any]:
        return sorted(values, key=str)

    assert ordered(await Resident.distinct("color")) == [Color.BLUE, Color.RED]
    assert ordered(await Resident.distinct("born")) == [date(1990, 1, 2), None]
    assert ordered(await Resident.distinct("worked", color=Color.BLUE)) == [timedelta(hours=1)]
    assert ordered(await Resident.distinct("tags")) == ["x", "y"]
    assert ordered(await Resident.distinct(Resident.f.address.street)) == ["Main 1"]
    assert await Resident.distinct("address", name="Ann") == [Address(st="Main 1", city="Oslo")]
    assert await Resident.distinct("age", name="nobody") == []


async def test_distinct_decimals(register: Any) -> None:
    await register(Resident)
    await Resident.create(name="Ann", lines=[{"sku": "a", "price": "2.50"}, {"sku": "b", "price": "1"}])
    assert sorted(await Resident.distinct("lines.price")) == [Decimal("1"), Decimal("2.50")]
    assert await Resident.distinct("balance") == [Decimal(0)]


async def test_a_sum_needs_numbers(people: list[Resident]) -> None:
    for field in ("name", "born"):
        with pytest.raises(InvalidValueError, match="holds no numbers"):
            await Resident.all().sum(field)
    assert await Resident.all().min("name") == "Ann"


async def test_sample(people: list[Resident]) -> None:
    found = await Resident.all().sample(2)
    assert len({p.id for p in found}) == 2
    assert all(p in people for p in found)
    assert len(await Resident.all().sample(10)) == 3
    assert await Resident.all().sample(0) == []
    assert await Resident.filter(name="Bob").values_list("name", flat=True).sample(5) == ["Bob"]


async def test_batches(people: list[Resident]) -> None:
    sizes = [len(batch) async for batch in Resident.all().batches(2)]
    assert sizes == [2, 1]
    assert [batch async for batch in Resident.filter(name="nobody").batches(2)] == []
    with pytest.raises(InvalidValueError):
        _ = [batch async for batch in Resident.all().batches(0)]


async def test_raw_rows_are_what_is_stored(people: list[Resident]) -> None:
    row = (await Resident.filter(name="Ann").raw())[0]
    assert row["_id"] == people[0].id
    assert row["years"] == 31
    assert row["worked"] == 2 * 3600 * 10**6
    assert row["created_at"] == people[0].created_at
    assert row["created_at"].tzinfo is not None


# -- what the server is told --------------------------------------------------------------------------------------


async def test_raw_rows_are_the_drivers_own_dicts(register_any: Any) -> None:
    class Coin(BaseModel):
        worth: Decimal
        day: date

    await register_any(Coin)
    await Coin.bulk_create([{"worth": Decimal(n), "day": date(2026, 1, 1)} for n in range(2500)])
    query = Coin.filter(id__gte=2, day=date(2026, 1, 1)).order_by("id").raw()
    rows = await query
    assert [row["worth"] for row in rows] == [Decimal128(str(n)) for n in range(1, 2500)]
    assert rows[0]["day"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert [row async for row in query] == rows
    assert [len(batch) async for batch in query.batches(1000)] == [1000, 1000, 499]
    assert await query[5:7] == rows[5:7]
    assert await query.first() == rows[0]
    assert await query.last() == rows[-1]
    assert (await query.paginate(2, 10)).items == rows[10:20]


def test_mql_is_what_one_would_type() -> None:
    query = (
        Resident.filter(age__gte=18, name="O'Neil").exclude(color=Color.BLUE).order_by("-age", "id").skip(5).limit(10)
    )
    assert query.mql() == (
        """db.resident.find({years: {$gte: 18}, name: "O'Neil", $nor: [{color: "b"}]})"""
        """.sort({years: -1, _id: 1}).skip(5).limit(10)"""
    )
    moment = datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC)
    assert Resident.filter(created_at__lt=moment, balance=Decimal("1.5")).values("id").mql() == (
        'db.resident.find({created_at: {$lt: ISODate("2026-01-02T03:04:05.006Z")}, balance: NumberDecimal("1.5")}, '
        "{_id: 1})"
    )
    assert Resident.filter(tags__contains="x").raw().mql() == 'db.resident.find({tags: "x"})'
    assert Resident.all().mql() == "db.resident.find({})"


async def test_explain_names_the_index_or_says_that_there_is_none(register: Any) -> None:
    await register(Resident)
    await Resident.bulk_create([{"name": f"p{n}", "age": n} for n in range(20)])
    none = await Resident.filter(age=3).order_by("age").explain()
    assert none.index is None
    assert str(none).startswith("No index serves this query: 20 documents read for 1 result.")
    assert none.sorts_in_memory
    await Resident.create_index("age")
    some = await Resident.filter(age__gte=15).order_by("age").explain()
    assert (some.index, dict(some.index_keys), some.sorts_in_memory) == ("years_1", {"years": 1}, False)
    assert "Served by the index years_1 on years (1)" in str(some)
    by_id = await Resident.filter(id=1).explain()
    assert by_id.index == "_id_"


async def test_options_reach_the_server(register: Any) -> None:
    await register(Resident)
    await Resident.bulk_create([{"name": "Zoë"}, {"name": "zoe"}, {"name": "a10"}, {"name": "a9"}])
    query = Resident.all()
    assert await query.filter(name="ZOE").collation("en", strength=1).count() == 2
    numeric = query.filter(name__in=["a9", "a10"]).order_by("name").collation("en", numericOrdering=True)
    assert await numeric.values_list("name", flat=True) == ["a9", "a10"]
    for mode in ("primary", "primaryPreferred", "secondaryPreferred", "nearest"):
        assert await query.read_preference(mode).count() == 4  # type: ignore[arg-type]
    assert len(await query.allow_disk_use().comment("why").max_time(5).batch_size(2)) == 4
    with pytest.raises(InvalidValueError, match="read preference"):
        query.read_preference("fastest")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="collation"):
        query.collation({"strength": 1})


async def test_memory_refuses_collation() -> None:
    from mongodb_orm import DatabaseConfig, register_model  # noqa: PLC0415

    await register_model(Resident, DatabaseConfig(mongo_uri="memory://collation"))
    with pytest.raises(NotSupportedError, match="collation"):
        await Resident.all().collation("en")


async def test_another_database(people: list[Resident], any_config: Any) -> None:
    other = f"{any_config.database_name}_other"
    elsewhere = Resident.all().using(database=other)
    assert await elsewhere.count() == 0
    await Resident.filter(name="Ann").update(age=99)
    moved = people[1].model_dump()
    await Resident.bulk_create([])
    assert moved["name"] == "Bob"
    try:
        await elsewhere.update(age=5)
        assert await Resident.filter(age=5).count() == 0
        await elsewhere.delete()
        assert await Resident.count() == 3
    finally:
        await elsewhere.hard_delete()
    with pytest.raises(InvalidValueError):
        Resident.all().using(database="a/b")


async def test_an_object_of_another_database_is_saved_there(register: Any, config: Any, admin: Any) -> None:
    await register(Resident)
    other = f"{config.database_name}_other"
    ann = await Resident.create(name="Ann")
    try:
        admin[other].resident.insert_one(admin[config.database_name].resident.find_one({"_id": ann.id}))
        there = await Resident.all().using(database=other).one()
        there.name = "There"
        await there.save()
        assert (await there.refresh_from_db()).name == "There"
        assert (await Resident.all().one()).name == "Ann"
        assert await pickle.loads(pickle.dumps(there)).delete()
        assert await Resident.count() == 1
        assert admin[other].resident.count_documents({}) == 0
    finally:
        admin.drop_database(other)


# -- scopes -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def posts(register_any: Any) -> list[Post]:
    await register_any(Post)
    return await Post.bulk_create(
        [
            {"tenant": "a", "status": "published", "author": 1},
            {"tenant": "a", "author": 2},
            {"tenant": "b", "status": "published", "author": 1},
        ]
    )


async def test_the_default_scope_holds_on_every_path(posts: list[Post]) -> None:
    mine, hidden = posts[:2], posts[2]
    assert await Post.all().order_by("id") == mine
    assert await Post.get_by_id(hidden.id) is None
    assert await Post.get(id=hidden.id) is None
    assert await Post.count() == 2
    assert not await Post.exists(id=hidden.id)
    assert sorted(await Post.distinct("tenant")) == ["a"]
    assert len(await Post.aggregate([{"$match": {"author": 1}}])) == 1
    assert await Post.all().sum("author") == 3
    assert await Post.update_many(None, author=7) == 2
    assert (await Post.all().unscoped().get(id=hidden.id)).author == 1  # type: ignore[union-attr]
    assert await Post.delete_many() == 2
    assert await Post.all().unscoped().count() == 1
    assert await Post.all().unscoped().with_deleted().count() == 3
    assert await Post.all().unscoped().only_deleted().count() == 2


async def test_a_default_scope_can_be_left_out(posts: list[Post]) -> None:
    assert await Post.all().unscoped().order_by("id") == posts
    assert len(await Post.aggregate([]).unscoped()) == 3


async def test_named_scopes(posts: list[Post]) -> None:
    assert await Post.all().scope("published") == [posts[0]]
    assert await Post.all().scope("published").scope("by", 2) == []
    assert await Post.all().unscoped().scope("by", 1).order_by("id") == [posts[0], posts[2]]
    with pytest.raises(QueryError, match="published"):
        Post.all().scope("publised")


async def test_a_scope_that_is_a_function_is_asked_each_time(register_any: Any) -> None:
    tenant = "a"

    class Scoped(BaseModel):
        class Meta:
            default_scope = lambda: Q(tenant=tenant)  # noqa: E731

        tenant: str

    await register_any(Scoped)
    await Scoped.bulk_create([{"tenant": "a"}, {"tenant": "b"}, {"tenant": "b"}])
    assert await Scoped.count() == 1
    tenant = "b"
    assert await Scoped.count() == 2


async def test_scopes_are_inherited_one_by_one(register: Any) -> None:
    class Note(BaseModel):
        class Meta:
            scopes = {"open": Q(is_open=True), "long": Q(pages__gte=10)}

        is_open: bool = True
        pages: int = 0

    class Report(Note):
        class Meta:
            scopes = {"long": Q(pages__gte=100), "draft": Q(pages=0)}

    await register(Note, Report)
    await Report.bulk_create([{"pages": 0}, {"pages": 50}, {"pages": 100, "is_open": False}])
    found = [await Report.all().scope(name).values_list("pages", flat=True) for name in ("open", "long", "draft")]
    assert found == [[0, 50], [100], [0]]
    with pytest.raises(QueryError, match="long, open|open, long"):
        Note.all().scope("draft")


# -- values that are more than scalars ----------------------------------------------------------------------------


class Pair(NamedTuple):
    left: int
    right: str


class Free(pydantic.RootModel[dict[str, int]]):
    pass


class Typed(TypedDict):
    a: int


@dataclass
class Spot:
    x: int = 0
    address: Address | None = None


class Boxed(pydantic.BaseModel, Generic[T]):
    value: T


class Holder(BaseModel):
    pair: Pair = Pair(0, "")
    free: Free | None = None
    typed: Typed | None = None
    spot: Spot | None = None
    boxed: Boxed[date] | None = None


async def test_named_tuples_roots_dataclasses_and_generics(register_any: Any) -> None:
    await register_any(Holder)
    home = Address(st="Main 1", city="Oslo")
    full = await Holder.create(
        pair=Pair(1, "a"), free=Free({"k": 2}), typed={"a": 3}, spot=Spot(4, home), boxed=Boxed(value=date(2026, 1, 2))
    )
    await Holder.create()
    for query in (
        Holder.filter(pair__left="1"),
        Holder.filter(Holder.f.pair.right == "a"),
        Holder.filter(pair__0=1),
        Holder.filter(pair=Pair(1, "a")),
        Holder.filter(free__k__gte="2"),
        Holder.filter(free=Free({"k": 2})),
        Holder.filter(free={"k": 2}),
        Holder.filter(typed={"a": "3"}),
        Holder.filter(typed__a=3),
        Holder.filter(spot=Spot(4, home)),
        Holder.filter(spot__address__st="Main 1"),
        Holder.filter(boxed__value="2026-01-02"),
    ):
        assert await query == [full], query
    with pytest.raises(UnknownLookupError, match="right"):
        Holder.filter(pair__rigth="a").filter_document()
    assert await Holder.filter(id=full.id).values("pair.right", "free.k", "free") == [
        {"pair.right": "a", "free.k": 2, "free": Free({"k": 2})}
    ]
    assert full.free is not None
    full.free.root = {"j": 5}
    await full.save()
    assert await Holder.filter(id=full.id).raw().values_list("free", flat=True) == [Free({"j": 5})]
