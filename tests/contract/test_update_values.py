"""Whatever a field can hold: an update stores of it what saving the object would."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pydantic
import pytest
from pydantic import Field, PlainSerializer, PlainValidator, SecretStr
from pydantic_core import core_schema

from mongodb_orm import (
    BaseModel,
    InvalidValueError,
    Q,
    UnencodableValueError,
    UnknownFieldError,
    UnknownLookupError,
    ValidationError,
    VersionedMixin,
    updates,
)


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Money:
    """A class of somebody else's that brings its own schema."""

    def __init__(self, amount: int, currency: str) -> None:
        self.amount, self.currency = amount, currency

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and vars(self) == vars(other)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda given: given if isinstance(given, Money) else Money(int(given.split()[0]), given.split()[1]),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda m: f"{m.amount} {m.currency}"),
        )


class Temperature:
    """A class of which Pydantic knows only what `Annotated` says."""

    def __init__(self, degrees: float) -> None:
        self.degrees = float(degrees)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Temperature) and self.degrees == other.degrees


Degrees = Annotated[
    Temperature,
    PlainValidator(lambda given: given if isinstance(given, Temperature) else Temperature(float(given))),
    PlainSerializer(lambda held: held.degrees),
]


class Address(pydantic.BaseModel):
    city: str = Field("Oslo", serialization_alias="c", validation_alias=pydantic.AliasChoices("c", "city"))
    since: date | None = None
    rent: Money | None = None


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    weight: Decimal = Decimal(1)


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Sample(BaseModel):
    number: int = 0
    share: float = 0.0
    price: Decimal = Decimal(0)
    day: date | None = None
    moment: datetime | None = None
    hour: time | None = None
    lasted: timedelta = timedelta(0)
    color: Color | None = None
    token: uuid.UUID | None = None
    data: bytes = b""
    secret: SecretStr | None = None
    cost: Money | None = None
    heat: Degrees | None = None
    address: Address | None = None
    pet: Pet | None = None
    days: list[date] = Field(default_factory=list)
    pets: list[Pet] = Field(default_factory=list)
    costs: list[Money] = Field(default_factory=list)
    heats: list[Degrees] = Field(default_factory=list)
    colors: set[Color] = Field(default_factory=set)
    addresses: list[Address] = Field(default_factory=list)
    by_name: dict[str, Address] = Field(default_factory=dict)
    by_day: dict[date, dict[int, Decimal]] = Field(default_factory=dict)
    by_color: dict[Color, Money] = Field(default_factory=dict)
    by_token: dict[uuid.UUID, Address] = Field(default_factory=dict)
    free: Any = None


BONN = Address(city="Bonn", since=date(2020, 1, 1), rent=Money(5, "EUR"))
VALUES: list[tuple[str, Any]] = [
    ("number", "5"),
    ("share", 2),
    ("price", "1.50"),
    ("day", "2024-02-29"),
    ("moment", datetime(2024, 1, 1, 12, 0, 0, 123456)),
    ("moment", "2024-01-01T00:00:00+05:00"),
    ("hour", time(1, 2, 3)),
    ("lasted", timedelta(days=1, milliseconds=5)),
    ("color", "blue"),
    ("token", str(uuid.UUID(int=5))),
    ("data", b"\0\xff"),
    ("secret", "s"),
    ("cost", Money(5, "EUR")),
    ("cost", "5 EUR"),
    ("heat", Temperature(1.5)),
    ("heat", "1.5"),
    ("address", BONN),
    ("address", {"city": "Bonn", "rent": "5 EUR"}),
    ("pet", Dog(weight=Decimal(2))),
    ("days", ["2024-01-01"]),
    ("pets", [Cat(), {"kind": "dog", "weight": "2"}]),
    ("costs", ["5 EUR", Money(6, "NOK")]),
    ("heats", [Temperature(1.5), 2]),
    ("colors", {Color.BLUE}),
    ("addresses", [BONN, {"city": "Rome"}]),
    ("by_name", {"a.b": BONN}),
    ("by_day", {date(2020, 1, 1): {1: "1.5"}}),
    ("by_color", {Color.RED: Money(5, "EUR")}),
    ("by_token", {uuid.UUID(int=1): BONN}),
    ("free", {"a": [Decimal(1), {"b": uuid.UUID(int=1)}]}),
]
MANAGED = {"_id": 0, "created_at": 0, "updated_at": 0}

Write = Callable[[Any, str, Any], Any]
WRITES: dict[str, Write] = {
    "query": lambda sample, field, value: Sample.filter(id=sample.id).update(**{field: value}),
    "mapping": lambda sample, field, value: Sample.filter(id=sample.id).update_one({field: value}),
    "typed": lambda sample, field, value: Sample.filter(id=sample.id).update(updates.set_(field, value)),
    "object": lambda sample, field, value: sample.update(**{field: value}),
    "found": lambda sample, field, value: Sample.find_one_and_update({"id": sample.id}, **{field: value}),
    "upsert": lambda sample, field, value: Sample.upsert({"id": sample.id}, **{field: value}),
    "upsert new": lambda sample, field, value: Sample.upsert({"id": 1000 + sample.id}, **{field: value}),
    "patch": lambda sample, field, value: sample.patch({field: value}),
    "update_or_create": lambda sample, field, value: Sample.update_or_create({field: value}, id=sample.id),
    "replace": lambda sample, field, value: Sample.filter(id=sample.id).replace({field: value}),
    "bulk_update": lambda sample, field, value: Sample.bulk_update({sample.id: {field: value}}),
}


@pytest.mark.parametrize("verb", [verb for verb in WRITES if verb != "replace"])
async def test_every_verb_stores_what_saving_stores(verb: str, register_any: Any) -> None:
    await register_any(Sample)
    await _compare_with_saving(verb)


async def test_a_replacement_stores_what_saving_stores(register: Any) -> None:
    await register(Sample)
    await _compare_with_saving("replace")


async def _compare_with_saving(verb: str) -> None:
    for field, value in VALUES:
        saved, updated = await Sample.bulk_create([{field: value}, {}])
        answer = await WRITES[verb](updated, field, value)
        id_ = 1000 + updated.id if verb == "upsert new" else updated.id
        (stored,) = await Sample.filter(id=id_).raw()
        (expected,) = await Sample.filter(id=saved.id).raw()
        assert {**stored, **MANAGED} == {**expected, **MANAGED}, field
        shown = answer[0] if isinstance(answer, tuple) else answer
        if isinstance(shown, Sample):
            assert getattr(shown, field) == getattr(await Sample.filter(id=id_).one(), field), field
            assert not shown.is_changed, field


EDITS: list[tuple[Any, dict[str, Any] | None, dict[str, Any], dict[str, Any]]] = [
    (updates.inc("price", "1.5"), {"price__inc": 1.5}, {"price": 1}, {"price": "2.5"}),
    (updates.inc("lasted", timedelta(1)), {"lasted__inc": timedelta(1)}, {}, {"lasted": timedelta(1)}),
    (updates.min_("day", date(2020, 1, 1)), {"day__min": "2020-01-01"}, {"day": "2021-01-01"}, {"day": "2020-01-01"}),
    (updates.max_("cost", "7 EUR"), {"cost__max": Money(7, "EUR")}, {"cost": "5 EUR"}, {"cost": "7 EUR"}),
    (updates.inc("heat", Temperature(1)), {"heat__inc": 1}, {"heat": 1}, {"heat": 2}),
    (updates.push("costs", Money(7, "EUR")), {"costs__push": "7 EUR"}, {}, {"costs": ["7 EUR"]}),
    (updates.push("heats", Temperature(7)), {"heats__push_all": [7]}, {}, {"heats": [7]}),
    (updates.push("days", date(2020, 1, 1)), {"days__push": "2020-01-01"}, {}, {"days": ["2020-01-01"]}),
    (updates.push("pets", Cat()), {"pets__push": {"kind": "cat"}}, {}, {"pets": [Cat()]}),
    (updates.push("addresses", BONN), {"addresses__push": BONN}, {}, {"addresses": [BONN]}),
    (updates.add_to_set("costs", "7 EUR"),
        {"costs__add_to_set": Money(7, "EUR")}, {"costs": ["7 EUR"]}, {"costs": ["7 EUR"]}),
    (updates.add_to_set("colors", "red"), {"colors__add_all_to_set": {Color.RED}}, {}, {"colors": {"red"}}),
    (updates.pull("costs", Money(7, "EUR")),
        {"costs__pull": "7 EUR"}, {"costs": ["7 EUR", "8 EUR"]}, {"costs": ["8 EUR"]}),
    (updates.pull("heats", Temperature(7)), {"heats__pull": 7}, {"heats": [7, 8]}, {"heats": [8]}),
    (updates.pull("pets", Cat()), {"pets__pull": Cat()}, {"pets": [Cat(), Dog()]}, {"pets": [Dog()]}),
    (updates.pull("pets", Q(kind="cat")), {"pets__pull": Q(kind="cat")}, {"pets": [Cat(), Dog()]}, {"pets": [Dog()]}),
    (updates.pull("days", Q(lt="2020-01-02")), {"days__pull": Q(lt=date(2020, 1, 2))}, {"days": ["2020-01-01"]}, {}),
    (updates.pull_all("costs", ["7 EUR"]), {"costs__pull_all": [Money(7, "EUR")]}, {"costs": ["7 EUR"]}, {}),
    (updates.set_("by_color.red", "7 EUR"), {"by_color__red": Money(7, "EUR")}, {}, {"by_color": {"red": "7 EUR"}}),
    (updates.inc("by_day.2020-01-01.1"), {"by_day__2020-01-01__1__inc": 1}, {}, {"by_day": {"2020-01-01": {1: 1}}}),
    (updates.set_("by_name.k.since", date(2020, 1, 1)), None,
        {"by_name": {"k": {}}}, {"by_name": {"k": {"since": "2020-01-01"}}}),
    (updates.set_("address.rent", "7 EUR"),
        {"address__rent": Money(7, "EUR")}, {"address": {}}, {"address": {"rent": "7 EUR"}}),
    (updates.set_("pets.0.weight", 3), {"pets__0__weight": "3"}, {"pets": [Dog()]}, {"pets": [Dog(weight=Decimal(3))]}),
]  # fmt: skip


@pytest.mark.parametrize("position", range(len(EDITS)))
async def test_every_operator_takes_what_its_field_holds(position: int, register: Any) -> None:
    await register(Sample)
    typed, keywords, before, after = EDITS[position]
    expected = (await Sample.create(**after)).model_dump()
    for changes, values in (((typed,), {}), ((), keywords)):
        if values is None:
            continue
        sample = await Sample.create(**before)
        assert await Sample.filter(id=sample.id).update(*changes, **values) == 1
        stored = await Sample.filter(id=sample.id).one()
        own = {"id", "created_at", "updated_at"}
        assert stored.model_dump(exclude=own) == {key: expected[key] for key in expected if key not in own}
        other = await Sample.create(**before)
        await other.update(*changes, **values)
        assert other.model_dump(exclude=own) == stored.model_dump(exclude=own)
        assert not other.is_changed


async def test_filters_take_what_their_field_holds(register_any: Any) -> None:
    await register_any(Sample)
    made = await Sample.create(
        cost="5 EUR", heat=1.5, costs=["5 EUR"], address=BONN, by_day={"2020-01-01": {1: 2}}, by_color={"red": "5 EUR"}
    )
    conditions: list[dict[str, Any]] = [
        {"cost": Money(5, "EUR")},
        {"cost__in": ["5 EUR", Money(6, "EUR")]},
        {"heat__gt": Temperature(1)},
        {"heat": 1.5},
        {"costs": Money(5, "EUR")},
        {"costs": ["5 EUR"]},
        {"address__rent": "5 EUR"},
        {"address": BONN},
        {"by_day": {date(2020, 1, 1): {1: 2}}},
        {"by_color": {Color.RED: Money(5, "EUR")}},
    ]
    for condition in conditions:
        assert [sample.id for sample in await Sample.filter(**condition)] == [made.id], condition
    (found,) = await Sample.all().values_list("heat", "cost")
    assert found == (Temperature(1.5), Money(5, "EUR"))
    assert await Sample.all().distinct("heat") == [Temperature(1.5)]


async def test_what_is_assigned_is_made_the_fields_before_it_is_stored(register_any: Any) -> None:
    await register_any(Sample)
    sample = await Sample.create()
    sample.cost, sample.heats, sample.number = "5 EUR", ["1.5"], "7"  # type: ignore[assignment, list-item]
    await sample.save()
    assert (sample.cost, sample.heats, sample.number) == (Money(5, "EUR"), [Temperature(1.5)], 7)
    assert (await Sample.filter(id=sample.id).one()).cost == Money(5, "EUR")
    sample.cost = "EUR"  # type: ignore[assignment]
    with pytest.raises(ValidationError):
        await sample.save()
    with pytest.raises(UnencodableValueError):
        sample.changes()


async def test_moments_keep_what_mongodb_keeps(register_any: Any) -> None:
    await register_any(Sample)
    sample = await Sample.create()
    await sample.update(moment=datetime(2024, 1, 1, 12, 0, 0, 123456))
    assert sample.moment == datetime(2024, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("days__inc", 1),
        ("moment__inc", 1),
        ("data__mul", 2),
        ("address__inc", 1),
        ("share__bit", {"or": 1}),
        ("price__bit", {"or": 1}),
        ("number__current_date", True),
        ("day__current_date", True),
        ("color__current_date", True),
        ("moment__current_date", False),
        ("days__unset", False),
        ("days__unset", None),
        ("colors__push", "red"),
        ("colors__push_all", ["red"]),
        ("by_day__x", {}),
        ("by_day__2020-01-01__x", 1),
        ("by_day__2020-01-01__01__inc", 1),
        ("by_color__green", "5 EUR"),
        ("by_token__0", {}),
    ],
)
async def test_what_could_not_be_read_again_or_makes_no_sense_is_refused_before_a_trip(field: str, value: Any) -> None:
    with pytest.raises(InvalidValueError) as caught:  # no connection is registered, so nothing can have been sent
        await Sample.all().update(**{field: value})
    assert caught.value.field == field


async def test_a_key_that_is_no_key_any_more_can_be_removed(register_any: Any) -> None:
    await register_any(Sample)
    sample = await Sample.create(by_color={"red": "5 EUR"})
    await Sample.all().update(by_color__red__unset=True)
    await Sample.all().update(updates.unset("by_color.green"))
    assert (await sample.refresh_from_db()).by_color == {}


async def test_an_unknown_member_is_an_error_that_names_the_members() -> None:
    with pytest.raises(UnknownLookupError, match="city"):
        await Sample.all().update(address__town="x")


class Line(pydantic.BaseModel):
    points: int = Field(0, serialization_alias="p")
    name: str = ""


class Sheet(BaseModel):
    class Meta:
        discriminator = "kind"

    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC), serialization_alias="made")
    serial: str = Field("s", frozen=True)
    owner: str
    number: int = Field(0, alias="counted")
    total: float = 0
    note: str | None = None
    hint: str | None = None
    lines: list[Line] = Field(default_factory=list)
    parts: Line = Field(default_factory=Line)


class VersionedSheet(BaseModel, VersionedMixin):
    number: int = 0


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ((), {"serial": "t"}),
        ((), {"serial__unset": True}),
        ((updates.rename("note", "serial"),), {}),
        ((updates.set_("created_at", datetime(2020, 1, 1)),), {}),
        ((), {"made": datetime(2020, 1, 1)}),
        ((), {"kind__unset": True}),
        ((updates.rename("kind", "note"),), {}),
        ((), {"number": 1, "counted": 2}),
        (({"$set": {"number": 1, "counted": 2}},), {}),
        (({"$rename": {"note": 5}},), {}),
        ((updates.rename("owner", "hint"),), {}),
        ((updates.rename("note", "number"),), {}),
        ((updates.rename("lines.0.name", "note"),), {}),
        ((updates.set_("lines.$[].points", 1), updates.set_("lines.0.points", 2)), {}),
        ((updates.inc("lines.$[x].points"), updates.where("x")), {}),
        ((updates.push("lines", Line(), sort={"points": 2}),), {}),
        ((updates.push("lines", Line(), sort="+points"),), {}),
    ],
)
async def test_what_may_not_change_or_contradicts_is_refused_before_a_trip(changes: Any, values: Any) -> None:
    with pytest.raises((InvalidValueError, UnknownFieldError)):
        await Sheet.all().update(*changes, **values)
    with pytest.raises((InvalidValueError, UnknownFieldError)):
        await Sheet.upsert({"owner": "ann"}, *changes, **values)


async def test_a_version_is_no_field_to_update() -> None:
    for values in ({"version": 9}, {"version__inc": 1}, {"version__unset": True}):
        with pytest.raises(InvalidValueError, match="kept for you"):
            await VersionedSheet.all().update(**values)


async def test_a_frozen_field_is_set_where_a_document_is_made_or_on_purpose(register_any: Any) -> None:
    await register_any(Sheet)
    for _ in range(2):
        sheet, _ = await Sheet.upsert({"owner": "ann"}, updates.set_on_insert("serial", "t"), number__inc=1)
    assert (sheet.serial, sheet.number) == ("t", 2)
    await Sheet.all().update({"$set": {"serial": "u"}})
    await Sheet.all().update(updates.rename("number", "total"))
    assert (await Sheet.all().one()).total == 2.0


async def test_push_orders_by_members(register: Any) -> None:
    await register(Sheet)
    lines = [Line(points=2, name="a"), Line(points=1, name="b"), Line(points=2, name="c")]
    orders: list[tuple[Any, str]] = [
        ("-points", "acb"),
        ("points", "bac"),
        (["-name"], "cba"),
        (["points", "-name"], "bca"),
        ({"points": -1, "name": -1}, "cab"),
    ]
    for number, (sort, names) in enumerate(orders):
        sheet = await Sheet.create(owner="ann", lines=lines[:1])
        await sheet.update(updates.push("lines", *lines[1:], sort=sort))
        made, is_new = await Sheet.upsert({"owner": f"new{number}"}, updates.push(Sheet.f.lines, *lines, sort=sort))
        assert is_new
        for changed in (sheet, made):
            assert "".join(line.name for line in changed.lines) == names
