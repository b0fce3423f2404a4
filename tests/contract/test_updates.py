"""Updates by query: every operator in both forms, on every backend that has it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

import pydantic
import pytest
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    InvalidValueError,
    NotSupportedError,
    Q,
    UnknownFieldError,
    UnsafeQueryError,
    ValidationError,
    updates,
)


class Player(BaseModel):
    class Meta:
        indexes = [{"fields": "name", "unique": True}]

    name: str
    age: int = Field(default=6, ge=0)
    nick: str | None = None
    motto: str | None = None
    tags: list[str] = Field(default_factory=lambda: ["b", "c"])
    bags: list[dict[str, Any]] = Field(default_factory=list)
    seen: datetime | None = None
    data: dict[str, int] = Field(default_factory=dict)


F = Player.f

CASES: list[tuple[Any, dict[str, Any], str, Any]] = [
    (updates.set_(F.age, 9), {"age": 9}, "age", 9),
    (updates.unset(F.motto), {"motto__unset": True}, "motto", None),
    (updates.inc(F.age, 2), {"age__inc": 2}, "age", 8),
    (updates.min_(F.age, 5), {"age__min": 5}, "age", 5),
    (updates.max_(F.age, 5), {"age__max": 5}, "age", 6),
    (updates.push(F.tags, "a"), {"tags__push": "a"}, "tags", ["b", "c", "a"]),
    (updates.push(F.tags, "a", each=["d"]), {"tags__push_all": ["a", "d"]}, "tags", ["b", "c", "a", "d"]),
    (updates.add_to_set(F.tags, "b"), {"tags__add_to_set": "b"}, "tags", ["b", "c"]),
    (updates.pull(F.tags, "b"), {"tags__pull": "b"}, "tags", ["c"]),
    (updates.pull_all(F.tags, ["b", "c"]), {"tags__pull_all": ["b", "c"]}, "tags", []),
    (updates.pop(F.tags), {"tags__pop": 1}, "tags", ["b"]),
    (updates.pop(F.tags, -1), {"tags__pop": -1}, "tags", ["c"]),
]
SERVER_CASES: list[tuple[Any, dict[str, Any], str, Any]] = [
    (updates.mul(F.age, 2), {"age__mul": 2}, "age", 12),
    (updates.bit(F.age, or_=1), {"age__bit": {"or": 1}}, "age", 7),
]


async def _check(case: tuple[Any, dict[str, Any], str, Any]) -> None:
    typed, keywords, field, expected = case
    for name, changes, values in (("typed", (typed,), {}), ("keyword", (), keywords)):
        player = await Player.create(name=name, motto="up")
        assert await Player.filter(name=name).update(*changes, **values) == 1
        stored = await Player.filter(name=name).get()
        assert getattr(stored, field) == expected
        assert stored.updated_at >= player.updated_at


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case[1]))
async def test_operators(case: Any, register_any: Any) -> None:
    await register_any(Player)
    await _check(case)


@pytest.mark.parametrize("case", SERVER_CASES, ids=lambda case: str(case[1]))
async def test_operators_of_the_server(case: Any, register: Any) -> None:
    await register(Player)
    await _check(case)


async def test_push_modifiers_rename_and_time(register: Any) -> None:
    await register(Player)
    await Player.create(name="ann", motto="up")
    change = updates.push(F.tags, "a", "d", slice=3, sort=-1, position=0)
    assert (
        await Player.filter(name="ann").update(
            change, updates.rename(F.motto, F.nick), updates.current_date(F.seen), age__inc=1
        )
        == 1
    )
    ann = await Player.filter(name="ann").get()
    assert (ann.tags, ann.nick, ann.motto, ann.age) == (["d", "c", "b"], "up", None, 7)
    assert ann.seen is not None


async def test_update_one_updates_one(register_any: Any) -> None:
    await register_any(Player)
    await Player.bulk_create([{"name": "ann"}, {"name": "bob"}])
    assert await Player.all().update_one(updates.inc(F.age)) is True
    assert await Player.filter(age=7).count() == 1
    assert await Player.filter(name="zoe").update_one(updates.inc(F.age)) is False


@pytest.mark.parametrize(
    ("changes", "values", "error"),
    [
        ((updates.inc(F.age), updates.inc(F.age)), {}, InvalidValueError),
        ((updates.inc(F.age),), {"age": 5}, InvalidValueError),
        ((updates.set_(F.data, {}), updates.inc("data.x")), {}, InvalidValueError),
        ((updates.rename(F.motto, F.nick),), {"nick": "x"}, InvalidValueError),
        ((updates.set_("id", 5),), {}, InvalidValueError),
        ((updates.set_(F.updated_at, None),), {}, InvalidValueError),
        ((updates.set_("agee", 5),), {}, UnknownFieldError),
        ((updates.set_(F.age, -1),), {}, ValidationError),
        ((updates.inc(F.age, "x"),), {}, InvalidValueError),
        ((updates.push(F.tags, "a", sort=5),), {}, InvalidValueError),
        ((updates.bit(F.age, nand=1),), {}, InvalidValueError),
        ((5,), {}, InvalidValueError),
        ((updates.push(F.name, "x"),), {}, InvalidValueError),
        ((), {"bags__push": {"$each": [{"a": 1}]}}, UnsafeQueryError),
        ((), {"bags__pull": {"$exists": True}}, UnsafeQueryError),
        ((), {"bags__push_all": [{"$each": []}]}, UnsafeQueryError),
    ],
)
async def test_refused_before_a_trip(changes: Any, values: Any, error: type[Exception]) -> None:
    with pytest.raises(error):  # no connection is registered, so nothing can have been sent
        await Player.all().update(*changes, **values)


async def test_memory_refuses_what_it_lacks(register_any: Any, any_config: Any) -> None:
    await register_any(Player)
    if any_config.mongo_uri.startswith("memory"):
        for change in (updates.mul(F.age, 2), updates.bit(F.age, or_=1)):
            with pytest.raises(NotSupportedError):
                await Player.all().update(change)


async def test_fifty_concurrent_calls_make_one_document(register: Any) -> None:
    await register(Player)
    results = await asyncio.gather(*(Player.get_or_create({"age": 1}, name="ann") for _ in range(50)))
    assert await Player.count() == 1
    assert sum(made for _, made in results) == 1
    results = await asyncio.gather(*(Player.update_or_create({"age": 2}, name="bob") for _ in range(50)))
    assert await Player.filter(name="bob").count() == 1
    assert sum(made for _, made in results) == 1


class Mark(pydantic.BaseModel):
    points: int = Field(default=0, ge=0, serialization_alias="p")
    subject: str = "math"


class Pupil(BaseModel):
    name: str = ""
    marks: list[Mark] = Field(default_factory=list)
    numbers: list[int] = Field(default_factory=list)
    total: int = 0
    code: str = Field(default="x", alias="c")


P = Pupil.f
MARKS = [Mark(points=1), Mark(points=5, subject="art"), Mark(points=9)]

ELEMENTS: list[tuple[tuple[Any, ...], dict[str, Any], list[int], list[int]]] = [
    ((updates.inc("marks.$[low].points", 10), updates.where("low", points__lt=6)), {}, [11, 15, 9], [1, -2, 3]),
    ((updates.where("low", points__lt=6, subject="art"),), {"marks__$[low]__points": 0}, [1, 0, 9], [1, -2, 3]),
    ((updates.where("m", Q(points=1) | Q(subject="art")),), {"marks__$[m]__points__inc": 1}, [2, 6, 9], [1, -2, 3]),
    ((updates.set_("numbers.$[n]", 0), updates.where("n", lt=0)), {}, [1, 5, 9], [1, 0, 3]),
    ((updates.mul("numbers.$[]", 2), updates.inc("marks.$[].points")), {}, [2, 6, 10], [2, -4, 6]),
    ((updates.set_("numbers.1", 7),), {}, [1, 5, 9], [1, 7, 3]),
]


@pytest.mark.parametrize("case", ELEMENTS, ids=lambda case: str(case[0]))
async def test_elements(case: Any, register: Any) -> None:
    await register(Pupil)
    changes, values, points, numbers = case
    pupil = await Pupil.create(marks=MARKS, numbers=[1, -2, 3])
    assert await Pupil.all().update(*changes, **values) == 1
    await pupil.refresh_from_db()
    assert ([mark.points for mark in pupil.marks], pupil.numbers) == (points, numbers)


async def test_the_element_that_matched(register_any: Any, any_config: Any) -> None:
    await register_any(Pupil)
    pupil = await Pupil.create(marks=MARKS, numbers=[1, -2, 3])
    assert await Pupil.filter(marks__subject="art").update(updates.inc("marks.$.points")) == 1
    await pupil.refresh_from_db()
    assert [mark.points for mark in pupil.marks] == [1, 6, 9]
    if any_config.mongo_uri.startswith("memory"):
        with pytest.raises(NotSupportedError):
            await Pupil.filter(numbers=-2).update(updates.set_("numbers.$", 2))
        return
    assert await Pupil.filter(numbers=-2).update(updates.set_("numbers.$", 2)) == 1
    await pupil.refresh_from_db()
    assert pupil.numbers == [1, 2, 3]


async def test_pipelines_speak_the_models_names(register: Any) -> None:
    await register(Pupil)
    pupil = await Pupil.create(marks=MARKS, numbers=[1, 2])
    stages = [{"$set": {"total": {"$add": [{"$sum": "$marks.points"}, {"$sum": "$numbers"}]}, "code": "$name"}}]
    assert await Pupil.all().update(stages) == 1
    stored = await Pupil.filter(id=pupil.id).one()
    assert (stored.total, stored.code) == (18, "")
    assert stored.updated_at >= pupil.updated_at
    await pupil.update([{"$set": {"total": {"$add": ["$total", 1]}}}])
    assert pupil.total == 19
    found = await Pupil.all().find_one_and_update([{"$set": {"total": {"$size": "$marks"}}}])
    assert found is not None and found.total == 3


@pytest.mark.parametrize(
    ("changes", "values", "error"),
    [
        ((updates.inc("marks.$[low].points"),), {}, InvalidValueError),
        ((updates.where("low", points=1),), {"total": 1}, InvalidValueError),
        ((updates.inc("marks.$[low].point"), updates.where("low", points=1)), {}, UnknownFieldError),
        ((updates.inc("marks.$[low].points"), updates.where("low", point=1)), {}, UnknownFieldError),
        ((updates.inc("marks.$[Low].points"), updates.where("Low", points=1)), {}, InvalidValueError),
        ((updates.set_("marks.0.points", -1),), {}, ValidationError),
        ((), {"marks__0__points": -1}, ValidationError),
        (([{"$match": {}}],), {}, InvalidValueError),
        (([{"$out": "x"}],), {}, InvalidValueError),
        (([{"$set": {"id": 5}}],), {}, InvalidValueError),
        (([{"$set": {"total": {"$function": {}}}}],), {}, UnsafeQueryError),
        (([{"$set": {"total": 5}}],), {"name": "x"}, InvalidValueError),
        (({"$sett": {"total": 5}},), {}, InvalidValueError),
        (({"$set": {"totl": 5}},), {}, UnknownFieldError),
        ((updates.min_(P.code, 5),), {}, ValidationError),
    ],
)
async def test_elements_and_pipelines_refused_before_a_trip(changes: Any, values: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await Pupil.all().update(*changes, **values)


async def test_memory_refuses_filters_of_elements(register_any: Any, any_config: Any) -> None:
    await register_any(Pupil)
    if any_config.mongo_uri.startswith("memory"):
        for changes in (
            (updates.inc("marks.$[].points"),),
            (updates.inc("marks.$[m].points"), updates.where("m", points=1)),
        ):
            with pytest.raises(NotSupportedError):
                await Pupil.all().update(*changes)


class Street(pydantic.BaseModel):
    name: str = Field(serialization_alias="n", validation_alias=pydantic.AliasChoices("n", "name"))
    number: int = Field(default=1, ge=1)


class Person(BaseModel):
    email: str
    age: int = Field(default=10, ge=0, le=150)
    tags: list[Annotated[str, Field(max_length=3)]] = Field(default_factory=list)
    scores: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    streets: list[Street] = Field(default_factory=list)
    home: Street | None = None
    total: int = 0

    @pydantic.field_validator("email")
    @classmethod
    def lower(cls, email: str) -> str:
        return email.lower()

    @pydantic.field_validator("total")
    @classmethod
    def with_others(cls, total: int, info: pydantic.ValidationInfo) -> int:
        assert info.data["age"] >= 0
        return total


R = Person.f


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ((updates.min_(R.age, -1),), {}),
        ((), {"age__max": 151}),
        ((), {"tags__push": "long"}),
        ((updates.push(R.tags, "a", "long"),), {}),
        ((), {"tags__add_to_set": "long"}),
        ((), {"scores__math": -1}),
        ((updates.push(R.streets, {"name": "x", "number": 0}),), {}),
        ((), {"streets__0__number": 0}),
        ((), {"home__number": 0}),
        ((), {"email": None}),
    ],
)
async def test_constraints_hold_wherever_a_value_goes(changes: Any, values: Any) -> None:
    with pytest.raises(ValidationError):
        await Person.all().update(*changes, **values)


async def test_values_become_what_the_model_would_make_of_them(register_any: Any) -> None:
    await register_any(Person)
    ann = await Person.create(email="a", streets=[{"name": "x"}, {"name": "y", "number": 5}])
    await Person.all().update(email="BIG", total="7", home={"name": "z"})
    await ann.refresh_from_db()
    assert (ann.email, ann.total, ann.home) == ("big", 7, Street(name="z"))
    await Person.all().update(updates.pull(R.streets, Q(name="x")), home__number="3")
    await ann.refresh_from_db()
    assert ([street.name for street in ann.streets], ann.home) == (["y"], Street(name="z", number=3))
    await Person.all().update(updates.pull(R.streets, Q(number__gte=5, name__in=["y"])))
    assert (await ann.refresh_from_db()).streets == []


async def test_operators_speak_the_models_names_inside_too(register_any: Any) -> None:
    await register_any(Person)
    ann = await Person.create(email="a")
    await Person.all().update({"$set": {"home": {"name": "x", "number": 2}, "streets": [{"name": "y"}]}})
    await Person.all().update({"$push": {"streets": {"$each": [{"name": "z"}, {"name": "q"}]}}})
    await Person.all().update({"$pull": {"streets": {"name": {"$in": ["y", "q"]}}}})
    await ann.refresh_from_db()
    assert (ann.home, ann.streets) == (Street(name="x", number=2), [Street(name="z")])


async def test_a_required_field_stays(register_any: Any) -> None:
    for changes, values in (
        ((updates.unset(R.email),), {}),
        ((), {"email__unset": True}),
        ((), {"home__name__unset": 1}),
    ):
        with pytest.raises(InvalidValueError):
            await Person.all().update(*changes, **values)


async def test_values_from_other_fields(register: Any) -> None:
    await register(Person)
    ann = await Person.create(email="a", age=20, total=1, home={"name": "x"})
    await Person.all().update(updates.set_(R.total, R.age * 2 + R.total), updates.unset(R.home), email="$AGE")
    stored = await Person.get_by_id(ann.id)
    assert stored is not None
    assert (stored.total, stored.home, stored.email) == (41, None, "$age")
    await ann.update(total=R.total + 1)
    assert ann.total == 42
    for changes, values in (((), {"total": R.age, "age__inc": 1}), ((updates.set_("streets.0.number", R.age),), {})):
        with pytest.raises(InvalidValueError):
            await Person.all().update(*changes, **values)
    with pytest.raises(UnknownFieldError):
        await Person.all().update(total=getattr(R, "agee"))
