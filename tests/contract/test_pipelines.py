"""Names in pipelines: a table of stages under the model's names, what they compile to, and that the server runs it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson.json_util import dumps
from pydantic import BaseModel as Plain
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    InvalidValueError,
    NotSupportedError,
    Point,
    QueryError,
    SoftDeleteMixin,
    UnsafeQueryError,
)
from mongodb_orm.compiler.pipelines import compile_pipeline
from mongodb_orm.schema import remember, spec_of


class Address(Plain):
    city: str
    code: str = Field(default="", alias="zip")


class Person(BaseModel):
    name: str
    nick: str = Field(default="", alias="nickName")
    age: int = 0
    boss_id: int | None = Field(default=None, alias="bossId")
    home: Address | None = None
    places: list[Address] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    spot: Point | None = Field(default=None, alias="loc")
    since: datetime | None = None

    class Meta:
        indexes = [[("spot", "2dsphere")]]


class Letter(BaseModel):
    author_id: int = Field(alias="authorId")
    body: str = Field(default="", alias="text")
    nick: str = ""

    class Meta:
        collection_name = "letters"


@pytest.fixture(autouse=True)
def known() -> None:
    remember(Person)
    remember(Letter)


LOOKUP = {"from": "letters", "localField": "id", "foreignField": "author_id", "as": "letters"}
LOOKED = {"from": "letters", "localField": "_id", "foreignField": "authorId", "as": "letters"}

Stages = list[dict[str, Any]]
TABLE: list[tuple[Stages, Stages]] = [
    ([], []),
    # Selecting and ordering
    ([{"$match": {"id": 1}}], [{"$match": {"_id": 1}}]),
    ([{"$match": {"$or": [{"id": 1}, {"home.code": "1"}], "places": {"$elemMatch": {"code": "1"}}}}],
     [{"$match": {"$or": [{"_id": 1}, {"home.zip": "1"}], "places": {"$elemMatch": {"zip": "1"}}}}]),
    ([{"$match": {"$expr": {"$lt": ["$boss_id", "$id"]}}}], [{"$match": {"$expr": {"$lt": ["$bossId", "$_id"]}}}]),
    ([{"$sort": {"id": 1, "nick": -1}}], [{"$sort": {"_id": 1, "nickName": -1}}]),
    ([{"$limit": 2}, {"$skip": 1}, {"$sample": {"size": 1}}, {"$match": {"id": {"$gt": 0}}}],
     [{"$limit": 2}, {"$skip": 1}, {"$sample": {"size": 1}}, {"$match": {"_id": {"$gt": 0}}}]),
    ([{"$redact": {"$cond": [{"$eq": ["$nick", "a"]}, "$$KEEP", "$$PRUNE"]}}],
     [{"$redact": {"$cond": [{"$eq": ["$nickName", "a"]}, "$$KEEP", "$$PRUNE"]}}]),
    # Reshaping
    ([{"$project": {"id": 1, "home.code": 1}}], [{"$project": {"_id": 1, "home.zip": 1}}]),
    ([{"$project": {"home": {"code": 1}, "id": 0}}], [{"$project": {"home": {"zip": 1}, "_id": 0}}]),
    ([{"$project": {"nick": 0}}, {"$match": {"home.code": "1"}}], [{"$project": {"nickName": 0}}, {"$match": {"home.zip": "1"}}]),
    ([{"$project": {"x": "$nick", "home": {"code": "$nick"}}}], [{"$project": {"x": "$nickName", "home": {"zip": "$nickName"}}}]),
    ([{"$project": {"nick": {"$toUpper": "$nick"}}}, {"$match": {"nick": "A"}}],
     [{"$project": {"nickName": {"$toUpper": "$nickName"}}}, {"$match": {"nickName": "A"}}]),
    ([{"$addFields": {"x": "$home.code"}}, {"$match": {"x": "1"}}], [{"$addFields": {"x": "$home.zip"}}, {"$match": {"x": "1"}}]),
    ([{"$set": {"h": "$home"}}, {"$match": {"h.code": "1"}}], [{"$set": {"h": "$home"}}, {"$match": {"h.zip": "1"}}]),
    ([{"$set": {"home": {"code": "9"}}}, {"$match": {"home.code": "9"}}], [{"$set": {"home": {"zip": "9"}}}, {"$match": {"home.zip": "9"}}]),
    ([{"$set": {"home.code": "9", "home.extra": "$id"}}, {"$match": {"home.code": "9", "home.extra": 1}}],
     [{"$set": {"home.zip": "9", "home.extra": "$_id"}}, {"$match": {"home.zip": "9", "home.extra": 1}}]),
    ([{"$unset": "nick"}, {"$unset": ["home.code", "tags"]}], [{"$unset": "nickName"}, {"$unset": ["home.zip", "tags"]}]),
    ([{"$unwind": "$places"}, {"$match": {"places.code": "1"}}], [{"$unwind": "$places"}, {"$match": {"places.zip": "1"}}]),
    ([{"$unwind": {"path": "$places", "includeArrayIndex": "n"}}, {"$match": {"n": 0, "places.code": "1"}}],
     [{"$unwind": {"path": "$places", "includeArrayIndex": "n"}}, {"$match": {"n": 0, "places.zip": "1"}}]),
    ([{"$replaceRoot": {"newRoot": "$home"}}, {"$match": {"code": "1"}}], [{"$replaceRoot": {"newRoot": "$home"}}, {"$match": {"zip": "1"}}]),
    ([{"$replaceWith": "$$ROOT"}, {"$match": {"id": 1}}], [{"$replaceWith": "$$ROOT"}, {"$match": {"_id": 1}}]),
    ([{"$replaceWith": {"$mergeObjects": ["$home", {"nick": "$nick"}]}}, {"$match": {"code": "1", "nick": "a"}}],
     [{"$replaceWith": {"$mergeObjects": ["$home", {"nick": "$nickName"}]}}, {"$match": {"zip": "1", "nick": "a"}}]),
    # Grouping, where the model's shape ends
    ([{"$group": {"_id": "$home.code", "id": {"$max": "$id"}}}, {"$match": {"id": 1}}],
     [{"$group": {"_id": "$home.zip", "id": {"$max": "$_id"}}}, {"$match": {"id": 1}}]),
    ([{"$group": {"_id": {"c": "$home.code", "nick": "$nick"}}}, {"$match": {"_id.nick": "a"}}],
     [{"$group": {"_id": {"c": "$home.zip", "nick": "$nickName"}}}, {"$match": {"_id.nick": "a"}}]),
    ([{"$group": {"_id": None, "p": {"$first": "$$ROOT"}, "all": {"$push": "$home"}}}, {"$match": {"p.id": 1, "all.code": "1"}}],
     [{"$group": {"_id": None, "p": {"$first": "$$ROOT"}, "all": {"$push": "$home"}}}, {"$match": {"p._id": 1, "all.zip": "1"}}]),
    ([{"$group": {"_id": None, "t": {"$top": {"sortBy": {"nick": 1}, "output": "$id"}}, "n": {"$topN": {"n": 1, "sortBy": {"nick": -1}, "output": ["$id"]}}}}],
     [{"$group": {"_id": None, "t": {"$top": {"sortBy": {"nickName": 1}, "output": "$_id"}}, "n": {"$topN": {"n": 1, "sortBy": {"nickName": -1}, "output": ["$_id"]}}}}]),
    ([{"$sortByCount": "$nick"}, {"$match": {"_id": "a"}}], [{"$sortByCount": "$nickName"}, {"$match": {"_id": "a"}}]),
    ([{"$bucket": {"groupBy": "$id", "boundaries": [0, 2, 9], "output": {"nick": {"$push": "$nick"}}}}, {"$match": {"nick": "a"}}],
     [{"$bucket": {"groupBy": "$_id", "boundaries": [0, 2, 9], "output": {"nick": {"$push": "$nickName"}}}}, {"$match": {"nick": "a"}}]),
    ([{"$bucketAuto": {"groupBy": "$boss_id", "buckets": 2}}, {"$match": {"count": {"$gt": 0}}}],
     [{"$bucketAuto": {"groupBy": "$bossId", "buckets": 2}}, {"$match": {"count": {"$gt": 0}}}]),
    ([{"$count": "id"}, {"$match": {"id": 3}}], [{"$count": "id"}, {"$match": {"id": 3}}]),
    ([{"$facet": {"a": [{"$match": {"id": 1}}], "b": [{"$count": "id"}]}}, {"$match": {"a.id": 1, "b.id": 3}}],
     [{"$facet": {"a": [{"$match": {"_id": 1}}], "b": [{"$count": "id"}]}}, {"$match": {"a._id": 1, "b.id": 3}}]),
    # Joining
    ([{"$lookup": LOOKUP}, {"$match": {"letters.id": 1, "letters.body": "x"}}],
     [{"$lookup": LOOKED}, {"$match": {"letters._id": 1, "letters.text": "x"}}]),
    ([{"$lookup": {**LOOKUP, "from": Letter}}, {"$unwind": "$letters"}, {"$replaceRoot": {"newRoot": "$letters"}}, {"$match": {"body": "x"}}],
     [{"$lookup": LOOKED}, {"$unwind": "$letters"}, {"$replaceRoot": {"newRoot": "$letters"}}, {"$match": {"text": "x"}}]),
    ([{"$lookup": {"from": "letters", "let": {"me": "$id", "h": "$home"}, "pipeline": [
        {"$match": {"$expr": {"$and": [{"$eq": ["$author_id", "$$me"]}, {"$ne": ["$$h.code", "$body"]}]}}}, {"$project": {"body": 1}}], "as": "l"}},
      {"$match": {"l.body": "x"}}],
     [{"$lookup": {"from": "letters", "let": {"me": "$_id", "h": "$home"}, "pipeline": [
        {"$match": {"$expr": {"$and": [{"$eq": ["$authorId", "$$me"]}, {"$ne": ["$$h.zip", "$text"]}]}}}, {"$project": {"text": 1}}], "as": "l"}},
      {"$match": {"l.text": "x"}}]),
    ([{"$lookup": {**LOOKUP, "pipeline": [{"$sort": {"body": -1}}, {"$lookup": {"from": "person", "localField": "author_id", "foreignField": "id", "as": "who"}}]}},
      {"$match": {"letters.who.nick": "a"}}],
     [{"$lookup": {**LOOKED, "pipeline": [{"$sort": {"text": -1}}, {"$lookup": {"from": "person", "localField": "authorId", "foreignField": "_id", "as": "who"}}]}},
      {"$match": {"letters.who.nickName": "a"}}]),
    ([{"$lookup": {"from": "elsewhere", "localField": "id", "foreignField": "id", "as": "home.found"}}, {"$match": {"home.code": "1"}}],
     [{"$lookup": {"from": "elsewhere", "localField": "_id", "foreignField": "id", "as": "home.found"}}, {"$match": {"home.zip": "1"}}]),
    ([{"$lookup": {"from": "elsewhere", "pipeline": [{"$lookup": {"from": "letters", "localField": "x", "foreignField": "id", "as": "y"}}], "as": "e"}}],
     [{"$lookup": {"from": "elsewhere", "pipeline": [{"$lookup": {"from": "letters", "localField": "x", "foreignField": "_id", "as": "y"}}], "as": "e"}}]),
    ([{"$lookup": {"pipeline": [{"$documents": [{"id": 1}]}, {"$match": {"id": 1}}], "as": "d"}}, {"$match": {"d.id": 1, "id": 1}}],
     [{"$lookup": {"pipeline": [{"$documents": [{"id": 1}]}, {"$match": {"id": 1}}], "as": "d"}}, {"$match": {"d.id": 1, "_id": 1}}]),
    ([{"$graphLookup": {"from": "person", "startWith": "$boss_id", "connectFromField": "boss_id", "connectToField": "id", "as": "g", "depthField": "d",
       "restrictSearchWithMatch": {"nick": "a"}}}, {"$match": {"g.nick": "a", "g.d": 0}}],
     [{"$graphLookup": {"from": "person", "startWith": "$bossId", "connectFromField": "bossId", "connectToField": "_id", "as": "g", "depthField": "d",
       "restrictSearchWithMatch": {"nickName": "a"}}}, {"$match": {"g.nickName": "a", "g.d": 0}}]),
    ([{"$unionWith": {"coll": "letters", "pipeline": [{"$match": {"body": "x"}}]}}, {"$match": {"body": "x"}}],
     [{"$unionWith": {"coll": "letters", "pipeline": [{"$match": {"text": "x"}}]}}, {"$match": {"text": "x"}}]),
    ([{"$unionWith": "person"}, {"$match": {"id": 1}}], [{"$unionWith": "person"}, {"$match": {"_id": 1}}]),
    ([{"$unionWith": Letter}, {"$match": {"id": 1}}], [{"$unionWith": "letters"}, {"$match": {"_id": 1}}]),
    # Series and places
    ([{"$geoNear": {"near": {"type": "Point", "coordinates": [0, 0]}, "key": "spot", "query": {"id": 1}, "distanceField": "d", "includeLocs": "l"}}],
     [{"$geoNear": {"near": {"type": "Point", "coordinates": [0, 0]}, "key": "loc", "query": {"_id": 1}, "distanceField": "d", "includeLocs": "l"}}]),
    ([{"$setWindowFields": {"partitionBy": "$nick", "sortBy": {"id": 1}, "output": {"r": {"$sum": "$id", "window": {"documents": ["unbounded", "current"]}}}}},
      {"$match": {"r": 1}}],
     [{"$setWindowFields": {"partitionBy": "$nickName", "sortBy": {"_id": 1}, "output": {"r": {"$sum": "$_id", "window": {"documents": ["unbounded", "current"]}}}}},
      {"$match": {"r": 1}}]),
    ([{"$setWindowFields": {"sortBy": {"boss_id": 1}, "output": {"home.code": {"$shift": {"output": "$nick", "by": 1, "default": "none"}}}}}],
     [{"$setWindowFields": {"sortBy": {"bossId": 1}, "output": {"home.zip": {"$shift": {"output": "$nickName", "by": 1, "default": "none"}}}}}]),
    ([{"$fill": {"partitionByFields": ["nick"], "sortBy": {"id": 1}, "output": {"boss_id": {"value": "$id"}, "age": {"method": "locf"}}}}],
     [{"$fill": {"partitionByFields": ["nickName"], "sortBy": {"_id": 1}, "output": {"bossId": {"value": "$_id"}, "age": {"method": "locf"}}}}]),
    ([{"$densify": {"field": "boss_id", "partitionByFields": ["nick"], "range": {"step": 1, "bounds": "full"}}}],
     [{"$densify": {"field": "bossId", "partitionByFields": ["nickName"], "range": {"step": 1, "bounds": "full"}}}]),
    # Expressions
    ([{"$project": {"x": {"$literal": "$id"}, "y": {"$concat": ["$nick", "id"]}}}], [{"$project": {"x": {"$literal": "$id"}, "y": {"$concat": ["$nickName", "id"]}}}]),
    ([{"$project": {"x": {"$map": {"input": "$places", "as": "p", "in": "$$p.code"}}, "y": {"$map": {"input": "$places", "in": "$$this.code"}}}}],
     [{"$project": {"x": {"$map": {"input": "$places", "as": "p", "in": "$$p.zip"}}, "y": {"$map": {"input": "$places", "in": "$$this.zip"}}}}]),
    ([{"$set": {"x": {"$filter": {"input": "$places", "as": "p", "cond": {"$eq": ["$$p.code", "$home.code"]}}}}}, {"$match": {"x.code": "1"}}],
     [{"$set": {"x": {"$filter": {"input": "$places", "as": "p", "cond": {"$eq": ["$$p.zip", "$home.zip"]}}}}}, {"$match": {"x.zip": "1"}}]),
    ([{"$project": {"x": {"$let": {"vars": {"h": "$home"}, "in": "$$h.code"}}}}], [{"$project": {"x": {"$let": {"vars": {"h": "$home"}, "in": "$$h.zip"}}}}]),
    ([{"$project": {"x": {"$let": {"vars": {"CURRENT": "$home"}, "in": "$code"}}}}], [{"$project": {"x": {"$let": {"vars": {"CURRENT": "$home"}, "in": "$zip"}}}}]),
    ([{"$project": {"x": {"$reduce": {"input": "$places", "initialValue": "", "in": {"$concat": ["$$value", "$$this.code"]}}}}}],
     [{"$project": {"x": {"$reduce": {"input": "$places", "initialValue": "", "in": {"$concat": ["$$value", "$$this.zip"]}}}}}]),
    ([{"$set": {"x": {"$sortArray": {"input": "$places", "sortBy": {"code": -1}}}}}, {"$match": {"x.0.code": "2"}}],
     [{"$set": {"x": {"$sortArray": {"input": "$places", "sortBy": {"zip": -1}}}}}, {"$match": {"x.0.zip": "2"}}]),
    ([{"$project": {"x": {"$sortArray": {"input": "$tags", "sortBy": 1}}}}], [{"$project": {"x": {"$sortArray": {"input": "$tags", "sortBy": 1}}}}]),
    ([{"$project": {"x": {"$getField": "nick"}, "y": {"$getField": {"field": "code", "input": "$home"}}, "z": {"$getField": {"$literal": "boss_id"}}}}],
     [{"$project": {"x": {"$getField": "nickName"}, "y": {"$getField": {"field": "zip", "input": "$home"}}, "z": {"$getField": {"$literal": "bossId"}}}}]),
    ([{"$replaceWith": {"$setField": {"field": "nick", "input": "$$ROOT", "value": "$home.code"}}}],
     [{"$replaceWith": {"$setField": {"field": "nickName", "input": "$$ROOT", "value": "$home.zip"}}}]),
    ([{"$project": {"x": "$$ROOT.nick", "y": "$$CURRENT.home.code", "z": "$$NOW", "places.code": 1}}],
     [{"$project": {"x": "$$ROOT.nickName", "y": "$$CURRENT.home.zip", "z": "$$NOW", "places.zip": 1}}]),
    ([{"$set": {"x": {"$arrayElemAt": ["$places", 0]}, "y": {"$first": "$places"}}}, {"$match": {"x.code": "1", "y.code": "1"}}],
     [{"$set": {"x": {"$arrayElemAt": ["$places", 0]}, "y": {"$first": "$places"}}}, {"$match": {"x.zip": "1", "y.zip": "1"}}]),
    ([{"$set": {"x": {"$ifNull": ["$home", None]}, "y": {"$cond": [True, "$home", "$$REMOVE"]}}}, {"$match": {"x.code": "1"}}],
     [{"$set": {"x": {"$ifNull": ["$home", None]}, "y": {"$cond": [True, "$home", "$$REMOVE"]}}}, {"$match": {"x.zip": "1"}}]),
    ([{"$set": {"x": {"deep": {"nick": "$nick"}}}}, {"$match": {"x.deep.nick": "a"}}], [{"$set": {"x": {"deep": {"nick": "$nickName"}}}}, {"$match": {"x.deep.nick": "a"}}]),
    ([{"$project": {"x": {"$switch": {"branches": [{"case": {"$eq": ["$id", 1]}, "then": "$nick"}], "default": "$boss_id"}}}}],
     [{"$project": {"x": {"$switch": {"branches": [{"case": {"$eq": ["$_id", 1]}, "then": "$nickName"}], "default": "$bossId"}}}}]),
    # Stages about the collection
    ([{"$indexStats": {}}, {"$match": {"name": "_id_"}}], [{"$indexStats": {}}, {"$match": {"name": "_id_"}}]),
    ([{"$collStats": {"count": {}}}], [{"$collStats": {"count": {}}}]),
    ([{"$planCacheStats": {}}, {"$match": {"id": None}}], [{"$planCacheStats": {}}, {"$match": {"id": None}}]),
    ([{"$collStats": {"count": {}}}, {"$lookup": {"from": "letters", "localField": "count", "foreignField": "id", "as": "l"}}, {"$project": {"l.body": 1}}],
     [{"$collStats": {"count": {}}}, {"$lookup": {"from": "letters", "localField": "count", "foreignField": "_id", "as": "l"}}, {"$project": {"l.text": 1}}]),
]  # fmt: skip

EMPTY_ON_PURPOSE = {"$planCacheStats"}


@pytest.mark.parametrize(("pipeline", "stages"), TABLE)
def test_names_are_translated(pipeline: Stages, stages: Stages) -> None:
    before = repr(pipeline)
    assert compile_pipeline(spec_of(Person), pipeline).stages == stages
    assert repr(pipeline) == before, "the caller's pipeline is not touched"


ONLY_COMPILED: list[tuple[Stages, Stages]] = [
    ([{"$search": {"text": {"query": "x", "path": ["nick", "home.code"]}}}], [{"$search": {"text": {"query": "x", "path": ["nickName", "home.zip"]}}}]),
    ([{"$listSessions": {}}, {"$match": {"id": 1}}], [{"$listSessions": {}}, {"$match": {"id": 1}}]),
    ([{"$rankFusion": {"input": "$id"}}], [{"$rankFusion": {"input": "$id"}}]),
    ([{"$merge": {"into": "letters", "on": "id", "let": {"b": "$home.code"}, "whenMatched": [{"$set": {"body": "$$b", "nick": "$$new.nick"}}]}}],
     [{"$merge": {"into": "letters", "on": "_id", "let": {"b": "$home.zip"}, "whenMatched": [{"$set": {"text": "$$b", "nick": "$$new.nick"}}]}}]),
    ([{"$merge": {"into": "letters", "whenMatched": [{"$set": {"body": "$$new.nick"}}]}}], [{"$merge": {"into": "letters", "whenMatched": [{"$set": {"text": "$$new.nickName"}}]}}]),
    ([{"$merge": {"into": {"db": "x", "coll": "y"}, "on": ["id", "nick"]}}], [{"$merge": {"into": {"db": "x", "coll": "y"}, "on": ["_id", "nickName"]}}]),
    ([{"$out": Letter}], [{"$out": "letters"}]),
]  # fmt: skip


@pytest.mark.parametrize(("pipeline", "stages"), ONLY_COMPILED)
def test_names_that_this_server_cannot_show(pipeline: Stages, stages: Stages) -> None:
    assert compile_pipeline(spec_of(Person), pipeline, allow_writes=True).stages == stages


def test_raw_pipelines_are_left_alone() -> None:
    for pipeline, _ in TABLE:
        if pipeline and not any(isinstance(body, type) for stage in pipeline for body in stage.values()):
            raw = [stage for stage in pipeline if "Letter'" not in repr(stage)]
            assert compile_pipeline(spec_of(Person), raw, is_raw=True).stages == raw


async def seed(register: Any) -> None:
    await register(Person, Letter)
    one, two = Address(city="Oslo", zip="1"), Address(city="Rome", zip="2")
    await Person.bulk_create(
        [
            {"name": "Ann", "nick": "a", "home": one, "places": [one, two], "tags": ["y", "x"], "age": 30,
             "spot": Point(1, 1), "since": datetime(2026, 1, 1, tzinfo=UTC)},
            {"name": "Bob", "nick": "b", "home": two, "boss_id": 1, "age": 40, "since": datetime(2026, 2, 1, tzinfo=UTC)},
            {"name": "Cem", "nick": "a", "home": two, "boss_id": 2, "places": [two], "age": 50},
        ]
    )  # fmt: skip
    await Letter.bulk_create(
        [{"author_id": 1, "body": "x"}, {"author_id": 1, "body": "y"}, {"author_id": 2, "body": "z"}]
    )


def stored(value: Any) -> Any:
    """Take the model's names out again, where the stored ones stand beside them."""
    if isinstance(value, dict):
        twins = {
            "id": "_id",
            "nick": "nickName",
            "code": "zip",
            "boss_id": "bossId",
            "body": "text",
            "spot": "loc",
            "author_id": "authorId",
        }
        return {key: stored(inner) for key, inner in value.items() if twins.get(key) not in value}
    return [stored(item) for item in value] if isinstance(value, list) else value


CHANGING = ("$sample", "$$NOW", "$collStats", "$indexStats", "$planCacheStats")


async def test_the_table_runs_on_the_server(register: Any, raw: Any) -> None:
    await seed(register)
    for pipeline, stages in TABLE:
        rows = await Person.aggregate(pipeline)
        if not EMPTY_ON_PURPOSE & {name for stage in pipeline for name in stage}:
            assert rows, pipeline
        if not any(word in repr(pipeline) for word in CHANGING):
            expected = list(raw.person.with_options(raw.codec_options.with_options(tz_aware=True)).aggregate(stages))
            assert sorted(map(dumps, stored(rows))) == sorted(map(dumps, stored(expected))), pipeline


async def test_rows_that_have_the_shape_carry_the_models_names(register: Any) -> None:
    await seed(register)
    (row,) = await Person.aggregate([{"$match": {"id": 1}}, {"$lookup": LOOKUP}])
    assert row["id"] == row["_id"] == 1
    assert row["nick"] == row["nickName"] == "a"
    assert row["home"] == {"city": "Oslo", "zip": "1", "code": "1"}
    assert [letter["body"] for letter in row["letters"]] == ["x", "y"]
    assert [letter["id"] for letter in row["letters"]] == [1, 2]
    (faceted,) = await Person.aggregate([{"$facet": {"first": [{"$sort": {"id": 1}}, {"$limit": 1}]}}])
    assert faceted["first"][0]["id"] == 1
    (grouped,) = await Person.aggregate([{"$group": {"_id": None, "n": {"$sum": 1}}}])
    assert grouped == {"_id": None, "n": 3}
    (plain,) = await Person.aggregate([{"$match": {"_id": 1}}], raw=True)
    assert "id" not in plain
    assert plain["nickName"] == "a"
    assert await Person.aggregate([{"$match": {"id": 1}}], raw=True) == []


@pytest.mark.parametrize(
    ("pipeline", "error", "words"),
    [
        ([{"$macth": {}}], InvalidValueError, "'\\$match'"),
        ([{"$changeStream": {}}], NotSupportedError, "no"),
        ([{"$out": "x"}], UnsafeQueryError, "allow_writes"),
        ([{"$merge": {"into": "x"}}], UnsafeQueryError, "allow_writes"),
        ([{"$unionWith": "letters"}, {"$match": {"nick": "a"}}], QueryError, "different names"),
        ([{"$match": {"a": {"$not": {"$where": "1"}}}}], UnsafeQueryError, "JavaScript"),
        ([{"$setWindowFields": {"output": {"x": {"$function": {}}}}}], UnsafeQueryError, "JavaScript"),
        ([{"$bucket": {"groupBy": "$x", "boundaries": [{"$function": {}}]}}], UnsafeQueryError, "JavaScript"),
        ([{"$geoNear": {"query": {"$or": [{"$where": "1"}]}}}], UnsafeQueryError, "JavaScript"),
        ([{"$graphLookup": {"restrictSearchWithMatch": {"$expr": {"$function": {}}}}}], UnsafeQueryError, "JavaScript"),
        ([{"$facet": {"a": [{"$lookup": {"from": "x", "as": "y", "pipeline": [{"$set": {"a": {"$function": {}}}}]}}]}}], UnsafeQueryError, "JavaScript"),
    ],
)  # fmt: skip
def test_what_is_refused(pipeline: Stages, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        compile_pipeline(spec_of(Person), pipeline)


async def test_javascript_and_writes_when_they_are_allowed(register: Any, raw: Any) -> None:
    await seed(register)
    function = {"body": "function(n) { return n + 1 }", "args": ["$id"], "lang": "js"}
    rows = await Person.aggregate([{"$project": {"x": {"$function": function}}}], allow_javascript=True)
    assert {row["x"] for row in rows} == {2, 3, 4}
    assert await Person.aggregate([{"$project": {"nick": 1}}, {"$out": "copy"}], allow_writes=True) == []
    assert raw.copy.find_one({"_id": 1}) == {"_id": 1, "nickName": "a"}
    with pytest.raises(InvalidValueError, match="last"):
        await Person.aggregate([{"$out": "copy"}, {"$match": {}}], allow_writes=True)


class Kept(BaseModel, SoftDeleteMixin):
    name: str
    tenant: int = 1
    words: str = ""
    spot: Point | None = None

    class Meta:
        default_scope = {"tenant": 1}
        indexes = [[("words", "text")], [("spot", "2dsphere")]]


class Owner(BaseModel):
    kept_id: int


async def test_scopes_hold(register: Any) -> None:
    await register(Kept, Owner)
    here = Point(1, 1)
    await Kept.bulk_create(
        [
            {"name": "a", "words": "sun", "spot": here},
            {"name": "b", "words": "sun", "spot": here, "tenant": 2},
            {"name": "c", "words": "sun", "spot": here},
        ]
    )
    await Kept.filter(name="c").delete()
    await Owner.bulk_create([{"kept_id": 1}, {"kept_id": 2}, {"kept_id": 3}])

    def names(rows: Any) -> str:
        return "".join(sorted(row["name"] for row in rows))

    assert names(await Kept.aggregate([])) == "a"
    assert names(await Kept.aggregate([]).with_deleted()) == "ac"
    assert names(await Kept.aggregate([]).only_deleted()) == "c"
    assert names(await Kept.aggregate([]).with_deleted().unscoped()) == "abc"
    assert names(await Kept.aggregate([{"$match": {"is_deleted": True}}])) == "c"
    assert names(await Kept.aggregate([{"$match": {"$text": {"$search": "sun"}}}])) == "a"
    near = {"$geoNear": {"near": here, "distanceField": "d"}}
    assert names(await Kept.aggregate([near])) == "a"
    assert names(await Kept.aggregate([{"$geoNear": {**near["$geoNear"], "query": {"name": {"$gt": ""}}}}])) == "a"
    # A query says what is seen.
    assert names(await Kept.filter(name__in=["a", "c"]).with_deleted().aggregate([{"$sort": {"name": 1}}])) == "ac"
    assert names(await Kept.with_deleted().order_by("-name").limit(1).aggregate([])) == "c"
    with pytest.raises(InvalidValueError, match="before aggregate"):
        Kept.filter(name="a").aggregate([]).with_deleted()

    joins: list[dict[str, Any]] = [
        {"$lookup": {"from": "kept", "localField": "kept_id", "foreignField": "id", "as": "k"}},
        {"$lookup": {"from": "kept", "let": {"k": "$kept_id"}, "pipeline": [{"$match": {"$expr": {"$eq": ["$id", "$$k"]}}}], "as": "k"}},
        {"$graphLookup": {"from": "kept", "startWith": "$kept_id", "connectFromField": "x", "connectToField": "id", "as": "k"}},
        {"$lookup": {"from": "owner", "pipeline": [{"$lookup": {"from": "kept", "localField": "kept_id", "foreignField": "id", "as": "k"}}, {"$unwind": "$k"}, {"$replaceWith": "$k"}], "as": "k"}},
    ]  # fmt: skip
    for join in joins:
        unwound = [join, {"$unwind": "$k"}, {"$replaceRoot": {"newRoot": "$k"}}]
        assert set(names(await Owner.aggregate(unwound))) == set("abc"), join
        assert set(names(await Owner.aggregate(unwound, scoped_lookups=True))) == {"a"}, join
    for union in ("kept", {"coll": "kept", "pipeline": [{"$match": {"words": "sun"}}]}):
        both = [{"$unionWith": union}, {"$match": {"name": {"$exists": True}}}]
        assert names(await Owner.aggregate(both)) == "abc"
        assert names(await Owner.aggregate(both, scoped_lookups=True)) == "a"
