"""Names, translated: filters, sorts, projections and pipelines as tables."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce
from operator import and_, or_
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel as Plain
from pydantic import Field, RootModel

from mongodb_orm import BaseModel, Q, SoftDeleteMixin
from mongodb_orm.compiler.keyset import beyond, total_order, watched_paths
from mongodb_orm.compiler.projections import compile_projection, row_names
from mongodb_orm.compiler.summaries import compile_summary
from mongodb_orm.compiler.updates import compile_operators, compile_values
from mongodb_orm.monitoring import shape_of_values
from mongodb_orm.schema import remember, spec_of
from mongodb_orm.schema.naming import collection_name


class Address(Plain):
    city: str
    code: str = Field(default="", alias="zip")


class Pair(NamedTuple):
    left: int
    right: str


class Free(RootModel[dict[str, Any]]):
    pass


class Person(BaseModel):
    name: str
    nick: str = Field(default="", alias="nickName")
    age: int = 0
    home: Address | None = None
    places: list[Address] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    extra: dict[str, Any] = Field(default_factory=dict)
    born: datetime | None = None
    pair: Pair | None = None
    free: Free | None = None


def _aged(age: int) -> Any:
    return Q(age=age)


class Letter(BaseModel):
    class Meta:
        collection_name = "letters"

    author_id: int
    body: str = Field(default="", alias="text")


class Kept(BaseModel, SoftDeleteMixin):
    name: str = ""


remember(Letter)
remember(Person)


@pytest.mark.parametrize(
    ("name", "collection"),
    [("User", "user"), ("BlogPost", "blog_post"), ("APIKey", "api_key"), ("HTTPServer2", "http_server2"),
     ("Box[int]", "box_int"), ("user_thing", "user_thing")],
)  # fmt: skip
def test_collection_names(name: str, collection: str) -> None:
    assert collection_name(name) == collection


@pytest.mark.parametrize(
    ("query", "filter_"),
    [
        (Q(), {}),
        (Q(id=5), {"_id": 5}),
        (Q(id__in=["1", 2]), {"_id": {"$in": [1, 2]}}),
        (Q(nick="x"), {"nickName": "x"}),
        (Q(home__code="1"), {"home.zip": "1"}),
        (Q(places__code="1"), {"places.zip": "1"}),
        (Q(places__0__code="1"), {"places.0.zip": "1"}),
        (Q(extra__a__b=1), {"extra.a.b": 1}),
        (Q(extra__size__gt=1), {"extra.size": {"$gt": 1}}),
        (Q(extra={"x": 1}), {"extra": {"$eq": {"x": 1}}}),
        (Q(pair__right="a"), {"pair.1": "a"}),
        (Q(pair__0="5"), {"pair.0": 5}),
        (Q(free__size__gt=1), {"free.size": {"$gt": 1}}),
        (Q(home={"city": "Oslo", "code": "1"}), {"home": Address(city="Oslo", zip="1")}),
        (Q(home={"city": "Oslo", "zip": "1"}), {"home": Address(city="Oslo", zip="1")}),
        (Q(places__contains={"city": "Oslo", "code": "1"}), {"places": Address(city="Oslo", zip="1")}),
        (~~Q(age=1), {"age": 1}),
        (Q() | Q(age=1), {"age": 1}),
        (Q(age=1) | Q(), {"age": 1}),
        (Q() & Q(age=1) & Q(), {"age": 1}),
        (~Q(), {}),
        (reduce(or_, map(_aged, range(3000))), {"$or": [{"age": n} for n in range(3000)]}),
        (reduce(and_, map(_aged, range(3000))), {"age": 0, "$and": [{"age": n} for n in range(1, 3000)]}),
        (Q(age__gte=1, age__lt=5), {"age": {"$gte": 1, "$lt": 5}}),
        (Q(Q(age=1), Q(age=2)), {"age": 1, "$and": [{"age": 2}]}),
        (Q(age=1) & {"id": 1}, {"age": 1, "_id": 1}),
        (Q(age=1) | Q(name="x"), {"$or": [{"age": 1}, {"name": "x"}]}),
        (~Q(age=1), {"$nor": [{"age": 1}]}),
        (Q(name__startswith="a.b"), {"name": {"$regex": r"^a\.b"}}),
        (Q(places__elem_match={"code": "1", "city__in": ["x"]}), {"places": {"$elemMatch": {"zip": "1", "city": {"$in": ["x"]}}}}),
        (Q(tags__elem_match={"gt": "a", "lt": "c"}), {"tags": {"$elemMatch": {"$gt": "a", "$lt": "c"}}}),
        (Q(born="2026-01-01T00:00:00Z"), {"born": datetime(2026, 1, 1, tzinfo=UTC)}),
        (Person.f.home.code == "1", {"home.zip": "1"}),
        (Q({"$or": [{"id": 1}, {"home.code": {"$ne": "x"}}]}), {"$or": [{"_id": 1}, {"home.zip": {"$ne": "x"}}]}),
        (Q({"places": {"$elemMatch": {"code": "1"}}}), {"places": {"$elemMatch": {"zip": "1"}}}),
        (Q({"$expr": {"$gt": ["$id", "$home.code"]}}), {"$expr": {"$gt": ["$_id", "$home.zip"]}}),
        (Q({"$expr": {"$gt": ["$id", 1]}}, {"$expr": {"$lt": ["$id", 9]}}), {"$expr": {"$gt": ["$_id", 1]}, "$and": [{"$expr": {"$lt": ["$_id", 9]}}]}),
        (Q({"unknown": 1}), {"unknown": 1}),
    ],
)  # fmt: skip
def test_filters(query: Any, filter_: dict[str, Any]) -> None:
    assert Person.filter(query).filter_document() == filter_


@pytest.mark.parametrize(
    ("order", "compiled"),
    [
        ("-id", (("_id", -1),)),
        ({"home.code": 1, "nick": "desc"}, (("home.zip", 1), ("nickName", -1))),
        ([("home__code", -1), "age"], (("home.zip", -1), ("age", 1))),
        (["age", "-id", "-age"], (("age", 1), ("_id", -1))),
        (Person.f.home.code, (("home.zip", 1),)),
        ([], ()),
    ],
)
def test_sorts(order: Any, compiled: Any) -> None:
    assert Person.filter(sort_by=order).sort == compiled


def test_projections_and_their_rows() -> None:
    spec = spec_of(Person)
    assert compile_projection(spec, {"id": 0, "home.code": 1}) == {"_id": 0, "home.zip": 1}
    assert compile_projection(spec, ["nick"]) == {"nickName": 1}
    assert compile_projection(spec, {"upper": {"$toUpper": "$nick"}}) == {"upper": {"$toUpper": "$nickName"}}
    row = {"_id": 1, "nickName": "x", "home": {"zip": "1"}, "places": [{"zip": "2"}], "born": None}
    assert row_names(spec)(row) == {
        "id": 1, "nick": "x", "home": {"code": "1"}, "places": [{"code": "2"}], "born": None,
    }  # fmt: skip


def test_updates() -> None:
    spec = spec_of(Person)
    assert compile_values(spec, {"nick": "x", "age__inc": 1, "tags__push": "a", "home__code": "9"}) == {
        "$set": {"nickName": "x", "home.zip": "9"}, "$inc": {"age": 1}, "$push": {"tags": "a"},
    }  # fmt: skip
    assert compile_operators(spec, {"$set": {"home.code": 1}, "$rename": {"nick": "name"}}) == {
        "$set": {"home.zip": 1}, "$rename": {"nickName": "name"},
    }  # fmt: skip


def test_soft_deletion_is_in_the_filter_unless_it_is_named() -> None:
    hidden = {"is_deleted": {"$in": [False, None]}}
    assert Kept.all().filter_document() == hidden
    assert Kept.filter(name="x").filter_document() == {"name": "x", **hidden}
    assert Kept.filter(is_deleted=True).filter_document() == {"is_deleted": True}
    assert Kept.filter(Q(name="x") | Q(deleted_at=None)).filter_document().keys() == {"$or"}
    assert Kept.all().with_deleted().filter_document() == {}
    assert Kept.all().only_deleted().filter_document() == {"is_deleted": True}


def test_logs_show_shapes_without_values() -> None:
    shown = shape_of_values({"name": "secret", "$or": [{"age": {"$gt": 5}}], "tags": ["a"]})
    assert shown == {"name": "?", "$or": [{"age": {"$gt": "?"}}], "tags": ["?"]}


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ((), (("_id", 1),)),
        ((("age", -1),), (("age", -1), ("_id", -1))),
        ((("age", -1), ("name", 1)), (("age", -1), ("name", 1), ("_id", 1))),
        ((("_id", -1), ("age", 1)), (("_id", -1),)),
        ((("age", -1), ("age", 1)), (("age", -1), ("_id", 1))),
    ],
)
def test_orders_are_total(sort: Any, order: Any) -> None:
    assert total_order(sort) == order


def test_what_lies_beyond_a_key() -> None:
    order = (("a", 1), ("b", -1), ("_id", -1))
    assert beyond(order, ("$x", None, 7)) == {
        "$or": [
            {"$expr": {"$gt": ["$a", {"$literal": "$x"}]}},
            {"a": {"$eq": "$x"}, "b": {"$exists": True}, "$expr": {"$lt": ["$b", {"$literal": None}]}},
            {"a": {"$eq": "$x"}, "b": {"$eq": None}, "$expr": {"$lt": ["$_id", {"$literal": 7}]}},
        ]
    }
    assert beyond((("_id", 1),), (7,), inclusive=True) == {"$expr": {"$gte": ["$_id", {"$literal": 7}]}}


@pytest.mark.parametrize(
    ("path", "watched"),
    [("name", ()), ("home.city", ()), ("extra.a", ("extra.a",)), ("extra.a.b", ("extra.a", "extra.a.b")), ("born", ())],
)
def test_where_lists_may_turn_up(path: str, watched: tuple[str, ...]) -> None:
    assert watched_paths(spec_of(Person), ((path, 1), ("_id", 1))) == watched


class NameOnly(Plain):
    name: str


def test_a_summary_is_compiled_once() -> None:
    assert compile_summary(spec_of(Person), NameOnly) is compile_summary(spec_of(Person), NameOnly)
