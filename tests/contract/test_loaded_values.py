"""What loading makes of a document is nobody's change, so it is never written over what others write."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

import pydantic
import pytest
from pydantic import Field

from mongodb_orm import BaseModel, VersionedMixin
from mongodb_orm.testing import assert_commands


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Spot(pydantic.BaseModel):
    lat: float = 0.0
    name: str = ""


class Place(BaseModel):
    name: str = ""
    height: float = 0.0
    price: Decimal = Decimal(0)
    tags: set[str] = Field(default_factory=set)
    colors: frozenset[Color] = frozenset()
    days: set[date] = Field(default_factory=set)
    spot: Spot = Field(default_factory=Spot)
    spots: list[Spot] = Field(default_factory=list)
    code: str = ""
    nickname: str | None = None

    @pydantic.field_validator("code")
    @classmethod
    def small(cls, code: str) -> str:
        return code.strip().lower()


class GuardedPlace(Place, VersionedMixin): ...


TAGS = [f"tag{number}" for number in range(9)]
LOADED: list[tuple[str, Any, Any]] = [
    ("height", 1, 2.5),
    ("price", 5, "7"),
    ("tags", TAGS, [*TAGS, "new"]),
    ("tags", TAGS[::-1], []),
    ("colors", ["red", "blue"], ["red"]),
    ("colors", ["blue", "red"], ["red"]),
    ("spot", {"lat": 3, "name": "a"}, {"lat": 4.5, "name": "a"}),
    ("spots", [{"lat": 3, "name": "a"}], []),
    ("code", " ABC ", "xyz"),
    ("height", math.nan, 5.0),
]


@pytest.mark.parametrize(("field", "stored", "others"), LOADED)
async def test_what_was_only_loaded_is_left_to_others(
    field: str, stored: Any, others: Any, register: Any, raw: Any
) -> None:
    await register(Place)
    place = await Place.create()
    raw.place.update_one({"_id": place.id}, {"$set": {field: stored}})
    place = await Place.filter(id=place.id).one()
    assert not place.is_changed
    with assert_commands(0):
        await place.save()
    raw.place.update_one({"_id": place.id}, {"$set": {field: others}})
    place.name = "Rome"
    assert place.changes().keys() == {"name"}
    await place.save()
    found = raw.place.find_one({"_id": place.id})
    assert (found["name"], found[field]) == ("Rome", others)


async def test_a_default_of_none_is_left_to_others(register: Any, raw: Any) -> None:
    await register(Place)
    place = await Place.create()
    raw.place.update_one({"_id": place.id}, {"$unset": {"nickname": ""}})
    place = await Place.filter(id=place.id).one()
    assert not place.is_changed
    raw.place.update_one({"_id": place.id}, {"$set": {"nickname": "written meanwhile"}})
    place.name = "Rome"
    await place.save()
    found = raw.place.find_one({"_id": place.id})
    assert (found["name"], found["nickname"]) == ("Rome", "written meanwhile")


async def test_a_member_beside_what_was_loaded_is_written_alone(register: Any, raw: Any) -> None:
    await register(Place)
    place = await Place.create()
    raw.place.update_one({"_id": place.id}, {"$set": {"spot.lat": 3}})
    place = await Place.filter(id=place.id).one()
    raw.place.update_one({"_id": place.id}, {"$set": {"spot.lat": 4}})
    place.spot.name = "a"
    await place.save()
    assert raw.place.find_one({"_id": place.id})["spot"] == {"lat": 4, "name": "a"}


@pytest.mark.parametrize("model", [Place, GuardedPlace])
async def test_an_edit_of_what_was_loaded_otherwise_is_written(model: Any, register: Any, raw: Any) -> None:
    await register(model)
    made = await model.create()
    collection = raw[model.__mongo_spec__.collection]
    collection.update_one(
        {"_id": made.id}, {"$set": {"tags": ["c", "a", "b"], "spots": [{"lat": 1}, {"lat": 2}], "height": 1}}
    )
    place = await model.filter(id=made.id).one()
    place.tags.add("d")
    place.tags.discard("a")
    place.spots[1].lat = 5.0
    place.height = 2
    await place.save()
    found = await model.filter(id=made.id).one()
    assert (found.tags, found.spots, found.height) == ({"b", "c", "d"}, [Spot(lat=1.0), Spot(lat=5.0)], 2.0)
    assert found == place
    assert not place.is_changed


async def test_equal_sets_are_stored_equally(register: Any, raw: Any) -> None:
    await register(Place)
    place = await Place.create(
        tags=set(TAGS), days={date(2020, 1, 2), date(2020, 1, 1)}, colors={Color.RED, Color.BLUE}
    )
    for tag in TAGS:
        place.tags.discard(tag)
        place.tags.add(tag)
    place.tags = set(TAGS[::-1])
    assert not place.is_changed
    found = raw.place.find_one({"_id": place.id})
    assert (found["tags"], [day.day for day in found["days"]], found["colors"]) == (TAGS, [1, 2], ["blue", "red"])
