"""Every lookup: what it becomes, and which documents the server finds by it."""

# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pydantic
import pytest
from pydantic import Field

from mongodb_orm import (
    AnyGeometry,
    BaseModel,
    Box,
    Circle,
    DatabaseConfig,
    InvalidValueError,
    MissingIndexError,
    Near,
    NotSupportedError,
    Point,
    Polygon,
    Q,
    QueryError,
    TextSearch,
    UnknownLookupError,
    UnsafeQueryError,
    Whole,
    register_lookup,
)
from mongodb_orm.compiler.operators import LOOKUPS


class Kind(Enum):
    A = "a"
    B = "b"


class Address(pydantic.BaseModel):
    city: str
    zip_code: str = Field(default="", alias="zip")


class Line(pydantic.BaseModel):
    sku: str
    price: Decimal = Decimal(0)


class Thing(BaseModel):
    class Meta:
        auto_create_indexes = False
        indexes = ({"keys": {"name": "text"}}, {"keys": {"place": "2dsphere"}})

    code: str
    name: str
    n: int | None = Field(default=None, alias="number")
    price: Decimal = Decimal(0)
    level: float = 0.0
    kind: Kind = Kind.A
    uid: UUID | None = None
    is_on: bool = False
    at: datetime | None = None
    day: date | None = None
    tags: list[str] = Field(default_factory=list)
    scores: list[int] = Field(default_factory=list)
    lines: list[Line] = Field(default_factory=list)
    address: Address | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    flags: int = 0
    data: bytes | None = None
    place: Point | None = None
    area: AnyGeometry | None = None
    extras: list[dict[str, Any]] = Field(default_factory=list)
    grid: list[list[int]] = Field(default_factory=list)
    mixed: list[int | str] = Field(default_factory=list)


DOCUMENTS: list[dict[str, Any]] = [
    {
        "code": "a",
        "name": "Ann",
        "n": 3,
        "price": "2.50",
        "level": 1.5,
        "kind": "b",
        "uid": UUID(int=2),
        "is_on": True,
        "at": datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC),
        "day": date(2026, 2, 28),
        "tags": ["red", "blue"],
        "scores": [9, 5],
        "lines": [{"sku": "a", "price": 9}, {"sku": "b", "price": 20}],
        "address": {"city": "Oslo", "zip": "0150"},
        "settings": {"level": 3, "deep": {"x": "y"}},
        "flags": 5,
        "data": b"\x01\x02",
        "place": Point(10.75, 59.91),
        "extras": [{"n": 1, "m": {"k": [1, 2]}, "size": 9}],
        "grid": [[1, 2], [3]],
        "mixed": [1, "x"],
        "area": Polygon([[(10, 59), (11, 59), (11, 60), (10, 60), (10, 59)]]),
    },
    {
        "code": "b",
        "name": "Åse (x)",
        "n": 4,
        "price": "10",
        "at": datetime(2024, 2, 29, 0, 0, tzinfo=UTC),
        "day": date(2024, 2, 29),
        "tags": ["blue"],
        "scores": [1, 9],
        "lines": [{"sku": "b", "price": 1}, {"sku": "a", "price": 1}],
        "flags": 6,
        "address": {"city": "Åsgård"},
        "place": Point(11.0, 60.0),
    },
    {
        "code": "c",
        "name": "bo\nb",
        "n": 5,
        "price": "99.99",
        "at": datetime(2025, 12, 31, 12, 30, tzinfo=UTC),
        "tags": [],
        "flags": 2,
    },
    {"code": "d", "name": "", "settings": {"level": 1}},
]


AREA_WITHIN = (
    '{area: {$geoWithin: {$geometry: {type: "Polygon", coordinates: [[[9.5, 58.0], [10.0, 58.0], [10.5, 58.0], [11.0, 58.0], '
    "[11.5, 58.0], [11.5, 61.0], [11.0, 61.0], [10.5, 61.0], [10.0, 61.0], [9.5, 61.0], [9.5, 58.0]]]}}}}"
)

# fmt: off
ROWS: list[tuple[str, Any, str, str]] = [
("n", 3, '{number: 3}', 'a'),
    ("n__eq", 3, '{number: 3}', 'a'),
    ("n__exact", "3", '{number: 3}', 'a'),
    ("n", None, '{number: null}', 'd'),
    ("n__ne", 3, '{number: {$ne: 3}}', 'bcd'),
    ("n__ne", None, '{number: {$ne: null}}', 'abc'),
    ("n__gt", 3, '{number: {$gt: 3}}', 'bc'),
    ("n__gte", 3, '{number: {$gte: 3}}', 'abc'),
    ("n__lt", 3, '{number: {$lt: 3}}', ''),
    ("n__lte", 3, '{number: {$lte: 3}}', 'a'),
    ("n__between", (3, 5), '{number: {$gte: 3, $lte: 5}}', 'abc'),
    ("n__in", [3, "5", None], '{number: {$in: [3, 5, null]}}', 'acd'),
    ("n__in", [], '{number: {$in: []}}', ''),
    ("n__nin", [3, 5], '{number: {$nin: [3, 5]}}', 'bd'),
    ("n__not_in", [3, 5], '{number: {$nin: [3, 5]}}', 'bd'),
    ("n__isnull", True, '{number: {$eq: null}}', 'd'),
    ("n__isnull", False, '{number: {$ne: null}}', 'abc'),
    ("n__not_null", True, '{number: {$ne: null}}', 'abc'),
    ("n__not_null", False, '{number: {$eq: null}}', 'd'),
    ("n__exists", True, '{number: {$exists: true}}', 'abcd'),
    ("n__exists", False, '{number: {$exists: false}}', ''),
    ("n__type", "int", '{number: {$type: "int"}}', 'abc'),
    ("n__type", ["int", "null"], '{number: {$type: ["int", "null"]}}', 'abcd'),
    ("n__mod", (2, 1), '{number: {$mod: [2, 1]}}', 'ac'),
    ("n__not", 3, '{number: {$ne: 3}}', 'bcd'),
    ("n__not__in", [3, 5], '{$nor: [{number: {$in: [3, 5]}}]}', 'bd'),
    ("n__not__gt", 3, '{$nor: [{number: {$gt: 3}}]}', 'ad'),
    ("price", "2.50", '{price: NumberDecimal("2.50")}', 'a'),
    ("price__lt", Decimal("10"), '{price: {$lt: NumberDecimal("10")}}', 'ad'),
    ("level__gte", 1.5, '{level: {$gte: 1.5}}', 'a'),
    ("kind", "b", '{kind: "b"}', 'a'),
    ("kind", Kind.B, '{kind: "b"}', 'a'),
    ("kind__in", ["a", Kind.B], '{kind: {$in: ["a", "b"]}}', 'abcd'),
    ("uid", UUID(int=2), '{uid: UUID("00000000-0000-0000-0000-000000000002")}', 'a'),
    ("uid__in", [str(UUID(int=2))], '{uid: {$in: [UUID("00000000-0000-0000-0000-000000000002")]}}', 'a'),
    ("is_on", True, '{is_on: true}', 'a'),
    ("is_on", "false", '{is_on: false}', 'bcd'),
    ("at", datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), '{at: ISODate("2026-02-28T23:59:59.000Z")}', 'a'),
    ("at__gt", datetime(2026, 1, 1), '{at: {$gt: ISODate("2026-01-01T00:00:00.000Z")}}', 'a'),
    ("at__gte", "2026-02-28T00:00:00+00:00", '{at: {$gte: ISODate("2026-02-28T00:00:00.000Z")}}', 'a'),
    ("at__year", 2026, '{at: {$gte: ISODate("2026-01-01T00:00:00.000Z"), $lt: ISODate("2027-01-01T00:00:00.000Z")}}', 'a'),
    ("at__year__gte", 2026, '{at: {$gte: ISODate("2026-01-01T00:00:00.000Z")}}', 'a'),
    ("at__year__in", [2024, 2026], '{$or: [{at: {$gte: ISODate("2024-01-01T00:00:00.000Z"), $lt: ISODate("2025-01-01T00:00:00.000Z")}}, {at: {$gte: ISODate("2026-01-01T00:00:00.000Z"), $lt: ISODate("2027-01-01T00:00:00.000Z")}}]}', 'ab'),
    ("at__year__ne", 2026, '{$nor: [{at: {$gte: ISODate("2026-01-01T00:00:00.000Z"), $lt: ISODate("2027-01-01T00:00:00.000Z")}}]}', 'bcd'),
    ("at__year__between", (2024, 2025), '{at: {$gte: ISODate("2024-01-01T00:00:00.000Z"), $lt: ISODate("2026-01-01T00:00:00.000Z")}}', 'bc'),
    ("at__date", date(2026, 2, 28), '{at: {$gte: ISODate("2026-02-28T00:00:00.000Z"), $lt: ISODate("2026-03-01T00:00:00.000Z")}}', 'a'),
    ("at__date__lt", date(2026, 2, 28), '{at: {$lt: ISODate("2026-02-28T00:00:00.000Z")}}', 'bc'),
    ("at__month", 2, '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$eq: [{$month: "$at"}, 2]}, false]}}', 'ab'),
    ("at__month__in", [1, 2], '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$in: [{$month: "$at"}, [1, 2]]}, false]}}', 'ab'),
    ("at__month__gt", 2, '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$gt: [{$month: "$at"}, 2]}, false]}}', 'c'),
    ("at__day", 29, '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$eq: [{$dayOfMonth: "$at"}, 29]}, false]}}', 'b'),
    ("at__day__between", (28, 31), '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$and: [{$gte: [{$dayOfMonth: "$at"}, 28]}, {$lte: [{$dayOfMonth: "$at"}, 31]}]}, false]}}', 'abc'),
    ("at__week", 9, '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$eq: [{$isoWeek: "$at"}, 9]}, false]}}', 'ab'),
    ("at__week_day", 7, '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$eq: [{$dayOfWeek: "$at"}, 7]}, false]}}', 'a'),
    ("at__iso_week_day", 6, '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$eq: [{$isoDayOfWeek: "$at"}, 6]}, false]}}', 'a'),
    ("at__hour", 23, '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$eq: [{$hour: "$at"}, 23]}, false]}}', 'a'),
    ("at__hour__lt", 12, '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$lt: [{$hour: "$at"}, 12]}, false]}}', 'b'),
    ("at__minute", 59, '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$eq: [{$minute: "$at"}, 59]}, false]}}', 'a'),
    ("at__second", 0, '{$expr: {$cond: [{$eq: [{$type: "$at"}, "date"]}, {$eq: [{$second: "$at"}, 0]}, false]}}', 'bc'),
    ("day", date(2026, 2, 28), '{day: ISODate("2026-02-28T00:00:00.000Z")}', 'a'),
    ("day__year", 2024, '{day: {$gte: ISODate("2024-01-01T00:00:00.000Z"), $lt: ISODate("2025-01-01T00:00:00.000Z")}}', 'b'),
    ("day__month", 2, '{$expr: {$cond: [{$eq: [{$type: "$day"}, "date"]}, {$eq: [{$month: "$day"}, 2]}, false]}}', 'ab'),
    ("name", "Ann", '{name: "Ann"}', 'a'),
    ("name__iexact", "ANN", '{name: {$regex: "^ANN$(?!\\\\n)", $options: "i"}}', 'a'),
    ("name__contains", "(x)", '{name: {$regex: "\\\\(x\\\\)"}}', 'b'),
    ("name__contains", "", '{name: {$regex: ""}}', 'abcd'),
    ("name__icontains", "ÅS", '{name: {$regex: "ÅS", $options: "i"}}', 'b'),
    ("name__startswith", "A", '{name: {$regex: "^A"}}', 'a'),
    ("name__istartswith", "a", '{name: {$regex: "^a", $options: "i"}}', 'a'),
    ("name__startswith", "Å", '{name: {$regex: "^Å"}}', 'b'),
    ("name__endswith", "n", '{name: {$regex: "n$(?!\\\\n)"}}', 'a'),
    ("name__iendswith", "N", '{name: {$regex: "N$(?!\\\\n)", $options: "i"}}', 'a'),
    ("name__regex", "^A.n$", '{name: {$regex: "^A.n$"}}', 'a'),
    ("name__regex", re.compile("^a", re.IGNORECASE), '{name: {$regex: "^a", $options: "i"}}', 'a'),
    ("name__iregex", "ANN", '{name: {$regex: "ANN", $options: "i"}}', 'a'),
    ("name__in", ["Ann", "Åse"], '{name: {$in: ["Ann", "Åse"]}}', 'a'),
    ("tags", "red", '{tags: "red"}', 'a'),
    ("tags", ["red", "blue"], '{tags: ["red", "blue"]}', 'a'),
    ("tags", [], '{tags: []}', 'cd'),
    ("tags__contains", "red", '{tags: "red"}', 'a'),
    ("tags__in", ["red", "green"], '{tags: {$in: ["red", "green"]}}', 'a'),
    ("tags__nin", ["red"], '{tags: {$nin: ["red"]}}', 'bcd'),
    ("tags__all", ["red", "blue"], '{tags: {$all: ["red", "blue"]}}', 'a'),
    ("tags__all", [], '{tags: {$all: []}}', ''),
    ("tags__size", 2, '{tags: {$size: 2}}', 'a'),
    ("tags__size", 0, '{tags: {$size: 0}}', 'cd'),
    ("tags__0", "blue", '{"tags.0": "blue"}', 'b'),
    ("tags__1__startswith", "b", '{"tags.1": {$regex: "^b"}}', 'a'),
    ("tags__icontains", "RE", '{tags: {$regex: "RE", $options: "i"}}', 'a'),
    ("tags__elem_match", {"startswith": "b", "ne": "blue"}, '{tags: {$elemMatch: {$regex: "^b", $ne: "blue"}}}', ''),
    ("tags__isnull", True, '{tags: {$eq: null}}', ''),
    ("scores__gt", 8, '{scores: {$gt: 8}}', 'ab'),
    ("scores__elem_match", {"gt": 3, "lt": 8}, '{scores: {$elemMatch: {$gt: 3, $lt: 8}}}', 'a'),
    ("scores__elem_match", Q(gt=3) & Q(lt=8), '{scores: {$elemMatch: {$gt: 3, $lt: 8}}}', 'a'),
    ("scores__contains", 9, '{scores: 9}', 'ab'),
    ("scores__1", 5, '{"scores.1": 5}', 'a'),
    ("lines__elem_match", {"sku": "a", "price__gt": 5}, '{lines: {$elemMatch: {sku: "a", price: {$gt: NumberDecimal("5")}}}}', 'a'),
    ("lines__elem_match", Q(sku="a") & ~Q(price__gt=5), '{lines: {$elemMatch: {sku: "a", $nor: [{price: {$gt: NumberDecimal("5")}}]}}}', 'b'),
    ("lines__elem_match", Thing.f.lines.sku == "b", '{lines: {$elemMatch: {sku: "b"}}}', 'ab'),
    ("lines__sku", "a", '{"lines.sku": "a"}', 'ab'),
    ("lines__0__sku", "b", '{"lines.0.sku": "b"}', 'b'),
    ("lines__price__gte", 20, '{"lines.price": {$gte: NumberDecimal("20")}}', 'a'),
    ("lines__size", 1, '{lines: {$size: 1}}', ''),
    ("address__city", "Oslo", '{"address.city": "Oslo"}', 'a'),
    ("address__zip_code", "0150", '{"address.zip": "0150"}', 'a'),
    ("address__isnull", True, '{address: {$eq: null}}', 'cd'),
    ("address", {"city": "Oslo", "zip": "0150"}, '{address: {city: "Oslo", zip: "0150"}}', 'a'),
    ("address", Address(city="Oslo", zip="0150"), '{address: {city: "Oslo", zip: "0150"}}', 'a'),
    ("settings__level", 3, '{"settings.level": 3}', 'a'),
    ("settings__level__gte", 3, '{"settings.level": {$gte: 3}}', 'a'),
    ("settings__deep__x", "y", '{"settings.deep.x": "y"}', 'a'),
    ("settings", {"level": 3, "deep": {"x": "y"}}, '{settings: {$eq: {level: 3, deep: {x: "y"}}}}', 'a'),
    ("settings__not__exists", True, '{$nor: [{settings: {$exists: true}}]}', ''),
    ("extras__size", 1, '{extras: {$size: 1}}', 'a'),
    ("extras__not__size", 0, '{$nor: [{extras: {$size: 0}}]}', 'a'),
    ("extras__n__gte", 1, '{"extras.n": {$gte: 1}}', 'a'),
    ("extras__0__m__k__1", 2, '{"extras.0.m.k.1": 2}', 'a'),
    ("extras__contains", {"n": 1}, '{extras: {$eq: {n: 1}}}', ''),
    ("extras__elem_match", {"n__gte": 1, "m__k": 2}, '{extras: {$elemMatch: {n: {$gte: 1}, "m.k": 2}}}', 'a'),
    ("extras__elem_match", {"m__k__elem_match": {"gt": 1}}, '{extras: {$elemMatch: {"m.k": {$elemMatch: {$gt: 1}}}}}', 'a'),
    ("grid__elem_match", {"size": 1}, '{grid: {$elemMatch: {$size: 1}}}', 'a'),
    ("grid__elem_match", {"elem_match": {"gt": 2}}, '{grid: {$elemMatch: {$elemMatch: {$gt: 2}}}}', 'a'),
    ("grid__elem_match", {"not__size": 2, "not": []}, '{grid: {$elemMatch: {$not: {$size: 2}, $ne: []}}}', 'a'),
    ("mixed__elem_match", {"type": "string", "ne": "y"}, '{mixed: {$elemMatch: {$type: "string", $ne: "y"}}}', 'a'),
    ("flags__bits_all_set", 5, '{flags: {$bitsAllSet: 5}}', 'a'),
    ("flags__bits_all_set", [0, 2], '{flags: {$bitsAllSet: [0, 2]}}', 'a'),
    ("flags__bits_any_set", 6, '{flags: {$bitsAnySet: 6}}', 'abc'),
    ("flags__bits_all_clear", [1], '{flags: {$bitsAllClear: [1]}}', 'ad'),
    ("flags__bits_any_clear", 5, '{flags: {$bitsAnyClear: 5}}', 'bcd'),
    ("data__bits_all_set", b"\x01", '{data: {$bitsAllSet: BinData(0, "AQ==")}}', 'a'),
    ("data", b"\x01\x02", '{data: BinData(0, "AQI=")}', 'a'),
    ("place__near", Point(10.75, 59.91), '{place: {$near: {$geometry: {type: "Point", coordinates: [10.75, 59.91]}}}}', 'ab'),
    ("place__near", Near((10.75, 59.91), max_distance=10_000), '{place: {$near: {$geometry: {type: "Point", coordinates: [10.75, 59.91]}, $maxDistance: 10000}}}', 'a'),
    ("place__near", ((10.75, 59.91), 10_000), '{place: {$near: {$geometry: {type: "Point", coordinates: [10.75, 59.91]}, $maxDistance: 10000}}}', 'a'),
    ("place__near_sphere", Near((10.75, 59.91), min_distance=10_000), '{place: {$near: {$geometry: {type: "Point", coordinates: [10.75, 59.91]}, $minDistance: 10000}}}', 'b'),
    ("place__within", Circle((10.75, 59.91), radius=10_000), '{place: {$geoWithin: {$centerSphere: [[10.75, 59.91], 0.0015678650381775138]}}}', 'a'),
    ("place__within", {"type": "Polygon", "coordinates": [[[10, 59], [11, 59], [11, 60], [10, 59]]]}, '{place: {$geoWithin: {$geometry: {type: "Polygon", coordinates: [[[10.0, 59.0], [11.0, 59.0], [11.0, 60.0], [10.0, 59.0]]]}}}}', 'b'),
    ("place__intersects", Point(10.75, 59.91), '{place: {$geoIntersects: {$geometry: {type: "Point", coordinates: [10.75, 59.91]}}}}', 'a'),
    ("area__intersects", Point(10.5, 59.5), '{area: {$geoIntersects: {$geometry: {type: "Point", coordinates: [10.5, 59.5]}}}}', 'a'),
    ("place__within", Box(west=10.5, south=59, east=11, north=61), '{place: {$geoWithin: {$geometry: {type: "Polygon", coordinates: [[[10.5, 59.0], [11.0, 59.0], [11.0, 61.0], [10.5, 61.0], [10.5, 59.0]]]}}}}', 'ab'),
    ("area__within", Box(west=9.5, south=58, east=11.5, north=61), AREA_WITHIN, 'a'),
    ("name__text", "ann", '{$text: {$search: "ann"}}', 'a'),
    ("name__text", TextSearch("ann -ås", language="none"), '{$text: {$search: "ann -ås", $language: "none"}}', 'a'),
]
# fmt: on


@pytest.fixture
async def things(register: Any) -> None:
    await register(Thing)
    await Thing.indexes.apply()
    await Thing.bulk_create(DOCUMENTS)


def ids(row: tuple[str, Any, str, str]) -> str:
    return f"{row[0]}={row[1]!r:.40}"


def flat(command: str) -> str:
    return re.sub(r"\n\s*", "", re.sub(r",\n\s*", ", ", command))


async def codes(query: Any) -> str:
    return "".join([thing.code async for thing in query])


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_what_a_lookup_becomes(row: tuple[str, Any, str, str]) -> None:
    name, value, command, _ = row
    assert flat(Thing.filter(**{name: value}).mql()) == f"db.thing.find({command})"


def test_every_lookup_has_a_row() -> None:
    named = {part for name, *_ in ROWS for part in name.split("__")}
    assert LOOKUPS.keys() - named == set()
    assert {"not", "elem_match"} <= named


async def test_what_a_lookup_finds(things: None) -> None:
    wrong = []
    for name, value, _, expected in ROWS:
        query = Thing.filter(**{name: value})
        if "near" not in name:
            query = query.order_by("code")
        found = await codes(query)
        if found != expected or await Thing.count(**{name: value}) != len(expected):
            wrong.append((name, value, found, expected))
    assert wrong == []


async def test_exclude_finds_the_others(things: None) -> None:
    wrong = []
    for name, value, _, expected in ROWS:
        if "near" in name or "text" in name:
            continue
        found = await codes(Thing.exclude(**{name: value}).order_by("code"))
        if found != "".join(sorted(set("abcd") - set(expected))):
            wrong.append((name, value, found, expected))
    assert wrong == []


async def test_memory_agrees_or_refuses() -> None:
    await Thing.__initialize__(db_config=DatabaseConfig(mongo_uri="memory://lookups"))
    await Thing.bulk_create(DOCUMENTS)
    wrong, refused = [], set()
    for name, value, _, expected in ROWS:
        try:
            found = await codes(Thing.filter(**{name: value}).order_by("code"))
        except NotSupportedError:
            refused.add(name)
            continue
        if found != expected:
            wrong.append((name, value, found, expected))
    assert wrong == []
    lacking = ("bits_", "mod", "near", "within", "intersects", "text", "price", "day", "__type", "tags__all", "at__")
    assert {name for name in refused if not any(part in name for part in lacking)} <= {"lines__elem_match"}


BAD: list[tuple[str, Any, type[QueryError]]] = [
    ("n__gt", None, InvalidValueError),
    ("n__lte", "x", InvalidValueError),
    ("n", 2**63, InvalidValueError),
    ("n__in", 3, InvalidValueError),
    ("n__in", "35", InvalidValueError),
    ("n__in", None, InvalidValueError),
    ("n__in", {"$ne": 1}, InvalidValueError),
    ("n__in", [{"$gt": 1}], UnsafeQueryError),
    ("n__between", (1,), InvalidValueError),
    ("n__between", (1, None), InvalidValueError),
    ("n__between", 5, InvalidValueError),
    ("n__isnull", "yes", InvalidValueError),
    ("n__exists", None, InvalidValueError),
    ("grid__elem_match", {"not__size": 2, "not__contains": 1}, InvalidValueError),
    ("mixed__elem_match", {"eq": {"$gt": 1}}, UnsafeQueryError),
    ("extras__elem_match", {"n": {"$gt": 1}}, UnsafeQueryError),
    ("extras__elem_match", {"n__$where": "1"}, QueryError),
    ("n__type", None, InvalidValueError),
    ("n__type", [], InvalidValueError),
    ("n__type", True, InvalidValueError),
    ("n__mod", 2, InvalidValueError),
    ("n__mod", (0, 1), InvalidValueError),
    ("n__mod", ("a", 1), InvalidValueError),
    ("n__contains", "3", UnknownLookupError),
    ("n__startwith", "3", UnknownLookupError),
    ("name__year", 2026, UnknownLookupError),
    ("name__near", Point(0, 0), UnknownLookupError),
    ("name__size", 3, UnknownLookupError),
    ("name__mod", (2, 0), UnknownLookupError),
    ("name", {"$ne": ""}, UnsafeQueryError),
    ("name__ne", {"$regex": "x"}, UnsafeQueryError),
    ("name__contains", None, InvalidValueError),
    ("name__startswith", 5, InvalidValueError),
    ("name__startswith", "a\0b", InvalidValueError),
    ("name__contains", {"$ne": ""}, InvalidValueError),
    ("name__regex", "a" * 1001, InvalidValueError),
    ("name__regex", None, InvalidValueError),
    ("name__text", 5, InvalidValueError),
    ("name__text", "\ud800", InvalidValueError),
    ("name", "\ud800", InvalidValueError),
    ("tags__size", -1, InvalidValueError),
    ("tags__size", True, InvalidValueError),
    ("tags__size", "2", InvalidValueError),
    ("tags__all", "red", InvalidValueError),
    ("tags__elem_match", "red", InvalidValueError),
    ("tags__elem_match", {"$gt": "a"}, InvalidValueError),
    ("tags__elem_match", {"sku": "a"}, UnknownLookupError),
    ("lines__elem_match", {"skew": "a"}, QueryError),
    ("lines__elem_match", {"sku": {"$ne": 1}}, UnsafeQueryError),
    ("at__year", 0, InvalidValueError),
    ("at__year", 9999, InvalidValueError),
    ("at__year", "soon", InvalidValueError),
    ("at__month", 13, InvalidValueError),
    ("at__month", None, InvalidValueError),
    ("at__month", True, InvalidValueError),
    ("at__date", "soon", InvalidValueError),
    ("at__date", None, InvalidValueError),
    ("at__hour", 24, InvalidValueError),
    ("at__week__contains", 3, UnknownLookupError),
    ("day__hour", 3, UnknownLookupError),
    ("flags__bits_all_set", -1, InvalidValueError),
    ("flags__bits_all_set", [], InvalidValueError),
    ("flags__bits_all_set", ["a"], InvalidValueError),
    ("flags__bits_all_set", True, InvalidValueError),
    ("place__near", (200, 0), InvalidValueError),
    ("place__near", (0, 91), InvalidValueError),
    ("place__near", None, InvalidValueError),
    ("place__near", {"$geometry": {}}, UnsafeQueryError),
    ("place__near", "Oslo", InvalidValueError),
    ("place__near", (float("nan"), 0), InvalidValueError),
    ("place__within", Point(0, 0), InvalidValueError),
    ("place__within", {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [2, 2]]]}, InvalidValueError),
    ("place__within", {"$box": [[0, 0], [1, 1]]}, UnsafeQueryError),
    ("place__intersects", Circle((0, 0), 5), InvalidValueError),
    ("place__intersects", None, InvalidValueError),
    ("settings__level", {"$gt": 1}, UnsafeQueryError),
    ("address", {"city": {"$ne": 1}}, UnsafeQueryError),
    ("kind", "c", InvalidValueError),
    ("uid", "no", InvalidValueError),
]


@pytest.mark.parametrize("name, value, error", BAD, ids=lambda value: repr(value)[:40])
def test_what_is_refused_before_a_trip(name: str, value: Any, error: type[QueryError]) -> None:
    with pytest.raises(error) as caught:
        Thing.filter(**{name: value}).filter_document()
    assert caught.value.model == "Thing"
    assert caught.value.field in str(caught.value)


def test_a_misspelt_lookup_gets_a_suggestion() -> None:
    with pytest.raises(UnknownLookupError, match="Did you mean 'startswith'") as caught:
        Thing.filter(name__startwith="a").filter_document()
    assert caught.value.suggestion == "startswith"


@pytest.mark.parametrize(
    "area",
    [
        {"west": 10, "south": 60, "east": 11, "north": 59},
        {"west": 10, "south": 59, "east": 10, "north": 60},
        {"west": -179, "south": 59, "east": 179, "north": 60},
    ],
)
def test_a_box_that_is_none(area: dict[str, float]) -> None:
    with pytest.raises(InvalidValueError):
        Box(**area)


@pytest.mark.parametrize("radius", [-1, float("inf"), "5", True, None])
def test_a_circle_that_is_none(radius: Any) -> None:
    with pytest.raises(InvalidValueError):
        Circle((0, 0), radius)


@pytest.mark.parametrize(
    "query",
    [
        lambda: Thing.exclude(place__near=(10, 59)),
        lambda: Thing.filter(Q(place__near=(10, 59)) | Q(n=3)),
        lambda: Thing.filter(lines__elem_match=Q(sku__near=(10, 59))),
        lambda: Thing.exclude(name__text="ann"),
    ],
)
def test_what_mongodb_takes_only_at_the_top(query: Any) -> None:
    with pytest.raises(QueryError):
        query().filter_document()


async def test_a_generator_can_be_asked_twice(things: None) -> None:
    query = Thing.filter(n__in=(number for number in (3, 5)))
    assert await query.count() == 2
    assert await codes(query.order_by("code")) == "ac"
    by_expression = Thing.filter(Thing.f.n.in_(number for number in (3, 5)))  # type: ignore[union-attr]
    assert (await by_expression.count(), await by_expression.count()) == (2, 2)


async def test_a_lookup_of_ones_own(things: None) -> None:
    register_lookup("divisible_by", lambda shape, value, place: {"$mod": [int(value), 0]}, fits="number")
    register_lookup(
        "longer_than",
        lambda shape, value, place: Whole({"$expr": {"$gt": [{"$strLenCP": f"${place.target.stored}"}, int(value)]}}),
        fits="text",
    )
    try:
        assert await codes(Thing.filter(n__divisible_by=2)) == "b"
        assert await codes(Thing.filter(name__longer_than=4).order_by("code")) == "b"
        assert await codes(Thing.exclude(name__longer_than=4).order_by("code")) == "acd"
        assert await codes(Thing.filter(Thing.f.n.lookup("divisible_by", 5))) == "c"  # type: ignore[union-attr]
        with pytest.raises(UnknownLookupError):
            Thing.filter(name__divisible_by=2).filter_document()
    finally:
        del LOOKUPS["divisible_by"], LOOKUPS["longer_than"]


async def test_words_and_distance_need_an_index(register: Any) -> None:
    await register(Thing)
    await Thing.bulk_create(DOCUMENTS)
    with pytest.raises(MissingIndexError) as caught:
        await Thing.filter(place__near=(10, 59))
    assert caught.value.index_type == "2dsphere"
    with pytest.raises(MissingIndexError) as caught:
        await Thing.search("ann")
    assert caught.value.index_type == "text"
    assert await Thing.count(place__within=Circle((10.75, 59.91), 1000)) == 1
