"""Pipelines on every backend: mongomock answers as the server does, or refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mongodb_orm import BaseModel, F, NotSupportedError, OperationError, count, max_, min_, push, sum_


class Thing(BaseModel):
    a: int | None = None
    b: int = 0
    h: float = 0.5
    s: str | None = None
    g: str | None = None
    tags: list[str] = []
    day: datetime = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    yes: bool | None = None


class Note(BaseModel):
    thing_id: int
    text: str


VALUES: list[Any] = [
    {"$abs": "$b"}, {"$add": ["$b", 1]}, {"$subtract": ["$b", 1]}, {"$multiply": ["$b", 2]}, {"$divide": ["$b", 2]},
    {"$mod": ["$b", 3]}, {"$pow": ["$b", 2]}, {"$ceil": "$h"}, {"$floor": "$h"}, {"$trunc": "$h"}, {"$round": "$h"},
    {"$and": ["$b", True]}, {"$or": ["$a", "$b"]}, {"$not": ["$b"]}, {"$eq": ["$a", None]}, {"$ne": ["$g", "x"]},
    {"$gt": ["$a", 1]}, {"$gte": ["$b", 2]}, {"$lt": ["$a", 2]}, {"$lte": ["$b", 0]}, {"$cmp": ["$b", 1]},
    {"$cond": [{"$gt": ["$b", 1]}, "$s", "none"]}, {"$ifNull": ["$a", 9]}, {"$ifNull": ["$zz", "$g", "x"]},
    {"$switch": {"branches": [{"case": {"$eq": ["$b", 2]}, "then": "two"}], "default": "other"}},
    {"$arrayElemAt": ["$tags", 0]}, {"$first": "$tags"}, {"$last": "$tags"}, {"$size": "$tags"}, {"$slice": ["$tags", 1]},
    {"$concatArrays": ["$tags", ["q"]]}, {"$filter": {"input": "$tags", "as": "t", "cond": {"$eq": ["$$t", "x"]}}},
    {"$map": {"input": "$tags", "as": "t", "in": {"$concat": ["$$t", "!"]}}}, {"$in": ["x", "$tags"]},
    {"$reverseArray": "$tags"}, {"$reduce": {"input": "$tags", "initialValue": "", "in": "$$this"}}, {"$isArray": ["$b"]},
    {"$setUnion": ["$tags", ["x"]]}, {"$setIsSubset": [["x"], "$tags"]}, {"$sortArray": {"input": "$tags", "sortBy": 1}},
    {"$concat": ["$s", "-"]}, {"$toUpper": "$s"}, {"$toLower": "$g"}, {"$toString": "$a"}, {"$strcasecmp": ["$s", "AB"]},
    {"$strLenCP": {"$ifNull": ["$s", ""]}}, {"$substrCP": ["$s", 0, 1]}, {"$toInt": "$h"}, {"$type": "$a"},
    {"$year": "$day"}, {"$month": "$day"}, {"$dayOfWeek": "$day"}, {"$hour": "$day"},
    {"$dateToString": {"date": "$day", "format": "%Y-%m-%d"}}, {"$dateTrunc": {"date": "$day", "unit": "day"}},
    {"$let": {"vars": {"x": "$b"}, "in": {"$add": ["$$x", 1]}}}, {"$literal": "$b"}, {"$mergeObjects": [{"x": 1}]},
    {"$max": ["$b", 1]}, {"$min": "$tags"}, {"$sum": ["$b", 1]}, {"$getField": "b"}, ["$a", "$b"], "$$NOW.x", "$$REMOVE",
    "$tags.0", "$b", "$zz", {"$add": ["$zz", 1]}, {"$eq": ["$zz", None]},
]  # fmt: skip
NUMBERED: list[list[dict[str, Any]]] = [
    [{"$match": {"b": {"$gt": 0}}}, {"$sort": {"b": -1, "id": 1}}, {"$skip": 1}, {"$limit": 2}],
    [{"$project": {"b": 1, "id": 0}}], [{"$project": {"tags": 0, "day": 0}}], [{"$project": {"x": {"y": "$b"}}}],
    [{"$set": {"x": 5, "y": None, "z": "$g"}}], [{"$set": {"x": {"y": 1}}}], [{"$set": {"x.y": 1}}], [{"$unset": ["a", "b"]}],
    [{"$unset": "tags"}, {"$match": {"b": 2}}], [{"$unwind": "$tags"}], [{"$unwind": {"path": "$tags", "preserveNullAndEmptyArrays": True}}],
    [{"$unwind": {"path": "$tags", "includeArrayIndex": "i"}}],
    [{"$unwind": {"path": "$tags", "includeArrayIndex": "i", "preserveNullAndEmptyArrays": True}}],
    [{"$group": {"_id": "$g", "n": {"$sum": 1}, "m": {"$max": "$b"}, "l": {"$min": "$a"}, "v": {"$avg": "$h"}}}],
    [{"$group": {"_id": {"g": "$g", "a": {"$ifNull": ["$a", None]}}, "n": {"$sum": 1}}}],
    [{"$group": {"_id": None, "n": {"$sum": "$b"}}}], [{"$match": {"b": 99}}, {"$group": {"_id": None, "n": {"$sum": 1}}}],
    [{"$match": {"b": 99}}, {"$count": "n"}], [{"$count": "n"}], [{"$group": {"_id": "$g", "s": {"$addToSet": "$b"}}}],
    [{"$sort": {"id": 1}}, {"$group": {"_id": None, "p": {"$push": "$g"}, "f": {"$first": "$b"}, "l": {"$last": "$b"}}}],
    [{"$group": {"_id": None, "p": {"$stdDevPop": "$b"}}}], [{"$group": {"_id": {"$gt": ["$zz", 1]}, "n": {"$sum": 1}}}],
    [{"$group": {"_id": None, "n": {"$sum": {"$cond": [{"$gt": ["$b", 1]}, 1, 0]}}}}], [{"$sortByCount": "$g"}, {"$match": {"count": 2}}],
    [{"$bucket": {"groupBy": "$b", "boundaries": [0, 2, 9]}}], [{"$bucketAuto": {"groupBy": "$b", "buckets": 2}}],
    [{"$facet": {"x": [{"$match": {"b": 2}}, {"$count": "n"}], "y": [{"$match": {"b": 99}}, {"$count": "n"}]}}],
    [{"$replaceRoot": {"newRoot": {"x": "$b"}}}], [{"$replaceWith": {"x": "$g"}}], [{"$redact": "$$KEEP"}],
    [{"$lookup": {"from": "note", "localField": "id", "foreignField": "thing_id", "as": "notes"}}],
    [{"$lookup": {"from": "note", "localField": "id", "foreignField": "thing_id", "as": "notes", "pipeline": []}}],
    [{"$lookup": {"from": "note", "localField": "tags.x", "foreignField": "thing_id", "as": "notes"}}],
    [{"$graphLookup": {"from": "note", "startWith": "$id", "connectFromField": "id", "connectToField": "thing_id", "as": "g"}}],
    [{"$unionWith": "note"}], [{"$setWindowFields": {"sortBy": {"id": 1}, "output": {"n": {"$documentNumber": {}}}}}],
    [{"$match": {"$expr": {"$gt": ["$b", 1]}}}], [{"$match": {"$expr": "$g"}}], [{"$match": {"$expr": {"$toUpper": "$g"}}}],
    [{"$densify": {"field": "b", "range": {"step": 1, "bounds": "full"}}}], [{"$fill": {"output": {"a": {"value": 1}}}}],
    [{"$indexStats": {}}], [{"$collStats": {"count": {}}}], [{"$sample": {"size": 9}}],
]  # fmt: skip


async def seed(register_any: Any) -> None:
    await register_any(Thing, Note)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {"a": 1, "b": 2, "h": 1.5, "s": "ab", "g": "x", "tags": ["x", "y"], "yes": True},
        {"a": None, "b": 0, "h": -0.5, "s": "", "g": "x", "tags": [], "yes": False},
        {"a": 3, "b": 3, "h": 2.0, "s": "Z", "g": None, "tags": ["y"]},
        {"b": 5, "s": "q", "g": "y"},
    ]
    await Thing.bulk_create([{**row, "created_at": moment, "updated_at": moment} for row in rows])
    await Note.bulk_create(
        [{"thing_id": n, "text": f"n{n}", "created_at": moment, "updated_at": moment} for n in (1, 1, 3)]
    )


def comparable(rows: Any) -> list[str]:
    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return sorted((key, plain(inner)) for key, inner in value.items())
        if isinstance(value, list):  # joined documents come in no particular order
            items = [plain(item) for item in value]
            return sorted(items) if all(isinstance(item, dict) for item in value) else items
        return (
            str(value)
            if isinstance(value, datetime)
            else value + 0.0
            if isinstance(value, int | float) and not isinstance(value, bool)
            else value
        )

    return sorted(repr(plain(row)) for row in rows)


async def results(pipelines: list[Any]) -> list[Any]:
    answers: list[Any] = []
    for pipeline in pipelines:
        try:
            answers.append(comparable(await Thing.aggregate(pipeline)))
        except (NotSupportedError, OperationError):
            answers.append(None)
    return answers


PIPELINES = [
    *NUMBERED,
    *([{"$project": {"r": value, "id": 1}}] for value in VALUES),
    *([{"$set": {"r": value}}, {"$project": {"r": 1}}] for value in VALUES),
    *([{"$group": {"_id": value, "n": {"$sum": 1}}}] for value in VALUES),
    *([{"$match": {"$expr": value}}, {"$project": {"b": 1}}] for value in VALUES),
]


async def test_the_memory_backend_answers_as_the_server_or_refuses(register: Any, driver: str) -> None:
    if driver != "pymongo":
        pytest.skip("one server driver will do: the table compares it with mongomock")
    await seed(register)
    real = await results(PIPELINES)
    await seed_memory()
    fake = await results(PIPELINES)
    wrong = [
        (pipeline, right, answer)
        for pipeline, right, answer in zip(PIPELINES, real, fake, strict=True)
        if answer is not None and answer != right
    ]
    assert not wrong, "\n".join(f"{pipeline}\n   {right}\n   {answer}" for pipeline, right, answer in wrong)
    answered = sum(answer is not None for answer in fake)
    assert answered > len(PIPELINES) / 2, "it refuses too much"


async def seed_memory() -> None:
    from mongodb_orm import DatabaseConfig, register_models

    async def call(*models: type[BaseModel]) -> None:
        await register_models(*models, db_config=DatabaseConfig(mongo_uri="memory://pipes", database_name="pipes"))

    await seed(call)


async def test_the_builder_on_every_backend(register_any: Any) -> None:
    await seed(register_any)
    grouped = Thing.pipeline().match(b__gte=0).group(by="g", n=count(), most=max_("b"), least=min_("b"))
    assert await grouped.sort("-n", "g") == [
        {"g": "x", "n": 2, "most": 2, "least": 0}, {"g": None, "n": 1, "most": 3, "least": 3},
        {"g": "y", "n": 1, "most": 5, "least": 5},
    ]  # fmt: skip
    assert await grouped.match(n__gte=2).project("g", twice=F("n") * 2) == [{"g": "x", "twice": 4}]
    assert await Thing.pipeline().match(b=99).group(n=count()) == []
    assert await Thing.pipeline().match(b=99).count() == []
    assert await Thing.pipeline().unset("tags").sort("id").limit(1).project("id", "s") == [{"id": 1, "s": "ab"}]
    assert await Thing.pipeline().group(n=sum_("b", where=Thing.f.b > 2)) == [{"n": 8}]
    assert await Thing.pipeline().unwind("tags").group(by="tags", n=count(), ids=push("id")).sort("tags") == [
        {"tags": "x", "n": 1, "ids": [1]}, {"tags": "y", "n": 2, "ids": [1, 3]},
    ]  # fmt: skip
    joined = Thing.pipeline().lookup(Note, local="id", foreign="thing_id", as_="notes").match(id=1)
    assert [note["text"] for note in (await joined)[0]["notes"]] == ["n1", "n1"]
