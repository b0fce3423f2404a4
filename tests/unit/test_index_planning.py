"""Index declarations, plans and advice, as tables; no server."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import pytest
from pydantic import BaseModel as Plain
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    ConfigurationError,
    Indexed,
    IndexSpec,
    InvalidValueError,
    SoftDeleteMixin,
    UnknownFieldError,
)
from mongodb_orm.indexes import IndexDifference, IndexPlan, compile_index
from mongodb_orm.indexes.advising import QueryShape, advise, query_shapes, service
from mongodb_orm.indexes.comparing import differences
from mongodb_orm.indexes.compiling import CompiledIndex, compiled_from, model_path
from mongodb_orm.indexes.planning import plan_indexes
from mongodb_orm.schema import index_from, spec_of
from mongodb_orm.sightings import LIMIT, note, seen_filter


class Address(Plain):
    city: str = ""
    code: str = Field(default="", alias="zip")


class Person(BaseModel):
    name: str = ""
    nick: str = Field(default="", alias="nickName")
    age: int = 0
    home: Address | None = None
    places: list[Address] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    extra: dict[str, Any] = Field(default_factory=dict, alias="x")
    born: datetime | None = None


class Kept(BaseModel, SoftDeleteMixin):
    email: str = Field(default="", alias="mail")
    name: str = ""


def compiled(declaration: Any, model: type[BaseModel] = Person) -> CompiledIndex:
    return compile_index(spec_of(model), index_from(declaration))


def model_with(*indexes: Any) -> Any:
    class Other(Person):
        class Meta:
            collection_name = "person"

        Meta.indexes = indexes  # type: ignore[attr-defined]

    return Other


def stored(name: str, keys: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"v": 2, "key": keys, "name": name, **options}


@pytest.mark.parametrize(
    ("declaration", "keys", "options"),
    [
        ("nick", [("nickName", 1)], {"name": "nickName_1"}),
        ("-home.code", [("home.zip", -1)], {"name": "home.zip_-1"}),
        ("places__code", [("places.zip", 1)], {"name": "places.zip_1"}),
        ("$**", [("$**", 1)], {"name": "$**_1"}),
        ("extra.$**", [("x.$**", 1)], {"name": "x.$**_1"}),
        ({"keys": ["$**"], "wildcard_projection": {"home.code": 1, "id": 0}}, [("$**", 1)],
         {"wildcardProjection": {"home.zip": 1, "_id": 0}, "name": "$**_1"}),
        ({"keys": {"nick": "text"}, "text_weights": {"nick": 4}, "language_override": "nick"}, [("nickName", "text")],
         {"weights": {"nickName": 4}, "language_override": "nickName", "name": "nickName_text"}),
        ({"keys": ["name"], "partialFilterExpression": {"$or": [{"nick": "a"}, {"home.code": {"$gt": "1"}}]}},
         [("name", 1)],
         {"partialFilterExpression": {"$or": [{"nickName": "a"}, {"home.zip": {"$gt": "1"}}]}, "name": "name_1"}),
        ({"keys": ["name"], "options": {"storageEngine": {"a": 1}}}, [("name", 1)],
         {"storageEngine": {"a": 1}, "name": "name_1"}),
    ],
)  # fmt: skip
def test_names_are_translated(declaration: Any, keys: Any, options: Any) -> None:
    index = compiled(declaration)
    assert list(index.keys) == keys
    assert index.options == options


DELETED = {"is_deleted": {"$in": [False, None]}}


@pytest.mark.parametrize(
    ("options", "partial"),
    [
        ({"unique": True}, DELETED),
        ({}, None),
        ({"ignore_deleted": True}, DELETED),
        ({"unique": True, "ignore_deleted": False}, None),
        ({"unique": True, "sparse": True}, {"mail": {"$exists": True}, **DELETED}),
        ({"unique": True, "partial_filter_expression": {"name": "a"}}, {"name": "a", **DELETED}),
        ({"unique": True, "partial_filter_expression": {"is_deleted": True}}, {"is_deleted": True}),
    ],
)
def test_unique_indexes_ignore_deleted_documents(options: Any, partial: Any) -> None:
    index = compiled({"keys": ["email"], **options}, Kept)
    assert index.options.get("partialFilterExpression") == partial
    assert "sparse" not in index.options


@pytest.mark.parametrize(
    ("declaration", "error"),
    [
        ("nope", UnknownFieldError),
        ({"keys": ["home.nope"]}, UnknownFieldError),
        ({"keys": ["$**"], "wildcard_projection": {"nope": 1}}, UnknownFieldError),
        ({"keys": ["name"], "wildcard_projection": {"name": 1}}, InvalidValueError),
        ({"keys": ["name"], "text_weights": {"name": 1}}, InvalidValueError),
        ({"keys": ["name"], "default_language": "german"}, InvalidValueError),
        ({"keys": ["name", "age"], "expire_after_seconds": 1}, InvalidValueError),
        ({"keys": ["name"], "ignore_deleted": True}, ConfigurationError),
        ({"keys": ["name"], "expire_after_seconds": -1}, ConfigurationError),
        ({"keys": [("name", 2)]}, ConfigurationError),
    ],
)
def test_what_makes_no_sense_is_refused(declaration: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        compiled(declaration)


def test_paths_translate_back() -> None:
    spec = spec_of(Person)
    for ours, theirs in (("id", "_id"), ("home.code", "home.zip"), ("places.0.code", "places.0.zip"), ("q", "q")):
        assert model_path(spec, theirs) == ours


def test_marks_are_found_wherever_a_field_is() -> None:
    class Inner(Plain):
        code: Annotated[str, Indexed(direction=-1)] = Field(default="", alias="zip")
        again: Inner | None = None

    class Author(BaseModel):
        email: Annotated[str, Indexed(unique=True)] = ""

    class Base(BaseModel):
        class Meta:
            abstract = True

        key: Annotated[str, Indexed()] = ""

    class Model(Base):
        class Meta:
            indexes = ["other"]

        other: Annotated[str, Field(min_length=1), Indexed(sparse=True, partial_filter_expression=None)] | None = None
        inner: Inner | None = None
        inners: list[Inner] = Field(default_factory=list)
        author: Author | None = None  # a collection of its own
        words: list[Annotated[str, Indexed(index_type="text", weight=2)]] = Field(default_factory=list)
        title: Annotated[str, Indexed(index_type="text", default_language="german")] = ""

    Inner.model_rebuild()
    keys = [index.keys for index in spec_of(Model).indexes]
    assert keys == [
        (("key", 1),), (("other", 1),), (("inner.code", -1),), (("inners.code", -1),),
        (("words", "text"), ("title", "text")), (("other", 1),),
    ]  # fmt: skip
    text = spec_of(Model).indexes[-2]
    assert (text.text_weights, text.default_language) == ({"words": 2}, "german")


def test_marks_that_make_no_sense_are_refused() -> None:
    class OnId(BaseModel):
        id: Annotated[int, Indexed()]

    class Contradicting(BaseModel):
        a: Annotated[str, Indexed(index_type="text", default_language="german")] = ""
        b: Annotated[str, Indexed(index_type="text", default_language="french")] = ""

    for model in (OnId, Contradicting):
        with pytest.raises(ConfigurationError):
            _ = spec_of(model).indexes
    with pytest.raises(ConfigurationError):
        Indexed(weight=5)

    class WithoutParentheses(BaseModel):
        a: Annotated[str, Indexed] = ""

    with pytest.raises(ConfigurationError):
        spec_of(WithoutParentheses)


@pytest.mark.parametrize(
    ("wanted", "existing", "differing"),
    [
        ("name", stored("name_1", {"name": 1}), set()),
        ("name", stored("other", {"name": 1.0}), set()),
        ({"keys": ["name"], "name": "mine"}, stored("name_1", {"name": 1}), {"name"}),
        ("name", stored("name_1", {"name": -1}), {"keys"}),
        ({"keys": ["name"], "unique": True}, stored("name_1", {"name": 1}), {"unique"}),
        ("name", stored("name_1", {"name": 1}, hidden=True), {"hidden"}),
        ("name", stored("name_1", {"name": 1}, expireAfterSeconds=5), {"expireAfterSeconds"}),
        ({"keys": {"born": "2d"}}, stored("b", {"born": "2d"}, bits=26, min=-180.0, max=180.0), set()),
        ({"keys": {"name": "text", "age": 1}},
         stored("t", {"_fts": "text", "_ftsx": 1, "age": 1}, weights={"name": 1}, default_language="english",
                language_override="language", textIndexVersion=3), set()),
        ({"keys": {"name": "text"}}, stored("t", {"_fts": "text", "_ftsx": 1}, weights={"name": 2}), {"weights"}),
        ({"keys": {"name": "text"}}, stored("t", {"_fts": "text", "_ftsx": 1}, weights={"tags": 1}), {"weights"}),
        ({"keys": {"name": "text", "tags": "text"}},
         stored("t", {"_fts": "text", "_ftsx": 1}, weights={"tags": 1, "name": 1}), set()),
        ({"keys": ["name"], "collation": {"locale": "de"}},
         stored("n", {"name": 1}, collation={"locale": "de", "strength": 3, "caseLevel": False,
                                             "numericOrdering": False, "backwards": False}), set()),
        ({"keys": ["name"], "collation": {"locale": "de"}},
         stored("n", {"name": 1}, collation={"locale": "de", "strength": 1, "caseLevel": False,
                                             "numericOrdering": False}), {"collation"}),
        ({"keys": ["name"], "collation": {"locale": "simple"}}, stored("n", {"name": 1}), set()),
    ],
)  # fmt: skip
def test_differences(wanted: Any, existing: dict[str, Any], differing: set[str]) -> None:
    assert differences(compiled(wanted), compiled_from(existing)).keys() == differing


PLANS: list[tuple[list[Any], list[dict[str, Any]], str]] = [
    ([], [], "missing= changed= extra= same="),
    (["name"], [], "missing=name_1 changed= extra= same="),
    ([], [stored("name_1", {"name": 1})], "missing= changed= extra=name_1 same="),
    (["name"], [stored("name_1", {"name": 1})], "missing= changed= extra= same=name_1"),
    (["name"], [stored("by_hand", {"name": 1})], "missing= changed= extra= same=by_hand"),
    ([{"keys": ["name"], "sparse": True}], [stored("name_1", {"name": 1})], "missing= changed=name_1! extra= same="),
    ([{"keys": ["name"], "unique": True}], [stored("name_1", {"name": 1})], "missing= changed=name_1 extra= same="),
    # MongoDB has both at once, so the new one is built before the old one goes.
    ([{"keys": ["name"], "unique": True}], [stored("old", {"name": 1})], "missing=name_1 changed= extra=old same="),
    # It would refuse this one, because only the expiry differs.
    ([{"keys": ["born"], "expire_after_seconds": 5}], [stored("old", {"born": 1})],
     "missing= changed=old extra= same="),
    ([{"keys": {"tags": "text"}}], [stored("t", {"_fts": "text", "_ftsx": 1}, weights={"name": 1})],
     "missing= changed=t! extra= same="),
    (["name", "age"], [stored("age_1", {"age": 1}), stored("name_1", {"name": -1})],
     "missing= changed=name_1! extra= same=age_1"),
    (["name", "name"], [], "missing=name_1 changed= extra= same="),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "existing", "words"), PLANS)
def test_plans(declared: list[Any], existing: list[dict[str, Any]], words: str) -> None:
    def names(indexes: Any) -> str:
        return ",".join(
            index.name + ("!" if isinstance(index, IndexDifference) and index.needs_rebuild else "")
            for index in indexes
        )

    plan = plan_indexes(spec_of(model_with(*declared)), [stored("_id_", {"_id": 1}), *existing])
    assert words == (
        f"missing={names(plan.missing)} changed={names(plan.changed)} extra={names(plan.extra)} "
        f"same={names(plan.unchanged)}"
    )
    assert bool(plan) == bool(plan.missing or plan.changed or plan.extra)


def test_a_plan_reads_as_words() -> None:
    spec = spec_of(
        model_with({"keys": ["nick"], "unique": True}, {"keys": ["born"], "expire_after_seconds": 60}, "age", "tags")
    )
    existing = [
        stored("born_1", {"born": 1}), stored("age_1", {"age": -1}), stored("tags_1", {"tags": 1}),
        stored("old", {"home.zip": -1}, hidden=True),
    ]  # fmt: skip
    assert str(plan_indexes(spec, existing)).splitlines() == [
        "Indexes of Other (person):",
        "+ build nickName_1 on nick ascending (unique)",
        "~ change born_1: expireAfterSeconds is None, declared 60",
        "~ rebuild age_1: keys is (('age', -1),), declared (('age', 1),)",
        "- not declared: old on home.code descending (hidden)",
        "= as declared: tags_1",
    ]
    assert str(IndexPlan("A", "a")) == "Indexes of A (a):\nnothing declared"


@pytest.mark.parametrize(
    "declared",
    [
        [{"keys": ["name"], "name": "a"}, {"keys": ["age"], "name": "a"}],
        ["born", {"keys": ["born"], "expire_after_seconds": 5, "name": "other"}],
        [{"keys": {"name": "text"}}, {"keys": {"nick": "text"}}],
    ],
)
def test_declarations_that_exclude_each_other_are_refused(declared: list[Any]) -> None:
    with pytest.raises(ConfigurationError):
        plan_indexes(spec_of(model_with(*declared)), [])


@pytest.mark.parametrize(
    ("filter_", "seen"),
    [
        ({"a": 1, "b": {"$gt": 1, "$lt": 2}}, ("a", ("b", "$gt", "$lt"))),
        ({"a": {"secret": 1}, "b": {}}, ("a", "b")),
        ({"$or": [{"a": 1}, {"b": {"$in": [1]}}]}, (("$or", ("a",), (("b", "$in"),)),)),
    ],
)
def test_no_value_is_remembered(filter_: dict[str, Any], seen: Any) -> None:
    assert seen_filter(filter_) == seen


def test_what_is_remembered_is_bounded_and_keeps_the_frequent() -> None:
    spec = spec_of(model_with())
    for _ in range(3):
        note(spec, {"often": 1}, (), 0.001)
    for number in range(3 * LIMIT):
        note(spec, {f"field{number}": 1}, (), 0.001)
    assert len(spec.sightings) <= LIMIT
    assert spec.sightings[(("often",), ())].count == 3
    note(spec, {"_id": 5}, (), 0.001)
    note(spec, {"_id": {"$in": [5]}}, (), 0.001)
    note(spec, {"name": 1}, (("score", {"$meta": "textScore"}),), 0.001)
    assert not any("_id" in shape[0] for shape in spec.sightings)


@pytest.mark.parametrize(
    ("filter_", "sort", "shapes"),
    [
        ({"name": 1, "age": {"$gt": 1}}, (), [QueryShape(("name",), ("age",))]),
        ({"$and": [{"name": 1}, {"$or": [{"age": 1}, {"tags": 1}]}]}, (),
         [QueryShape(("name", "age")), QueryShape(("name", "tags"))]),
        ({"name": {"$ne": 1}, "age": {"$exists": True}}, (), []),
        ({"name": {"$gt": 1, "$eq": 2}}, (("born", -1),), [QueryShape(("name",), (), (("born", -1),))]),
        ({"$text": {"$search": "x"}, "name": 1}, (), []),
        ({"$nor": [{"name": 1}]}, (), []),
        ({"$and": [{"$or": [{"a": 1}, {"b": 1}, {"c": 1}]}, {"$or": [{"d": 1}, {"e": 1}, {"f": 1}]}]}, (), []),
    ],
)  # fmt: skip
def test_query_shapes(filter_: dict[str, Any], sort: Any, shapes: list[QueryShape]) -> None:
    assert query_shapes(spec_of(Person), seen_filter(filter_), sort) == shapes


@pytest.mark.parametrize(
    ("keys", "shape", "served"),
    [
        (["a"], QueryShape(("a",)), "whole"),
        (["a", "b"], QueryShape(("b", "a")), "whole"),
        (["a", "b"], QueryShape(("b",)), "not"),
        (["a"], QueryShape(("a", "b")), "partly"),
        (["a", "-c", "b"], QueryShape(("a",), ("b",), (("c", -1),)), "whole"),
        (["a", "c"], QueryShape(("a",), (), (("c", -1),)), "whole"),
        (["a", "c", "d"], QueryShape(("a",), (), (("c", 1), ("d", -1))), "not"),
        (["a", "-c", "d"], QueryShape(("a",), (), (("c", 1), ("d", -1))), "whole"),
        (["a", "b", "c"], QueryShape(("a",), ("b",), (("c", 1),)), "not"),
        (["c"], QueryShape((), (), (("c", -1),)), "whole"),
        (["c"], QueryShape((), ("b",), (("c", 1),)), "partly"),
        (["c"], QueryShape(("b",), (), (("c", 1),)), "not"),
        (["$**"], QueryShape(("b",)), "partly"),
        (["x.$**"], QueryShape(("b",)), "not"),
    ],
)
def test_how_well_an_index_serves(keys: list[str], shape: QueryShape, served: str) -> None:
    index = CompiledIndex(tuple((key.lstrip("-"), -1 if key.startswith("-") else 1) for key in keys), {})
    assert service(index, shape) == served


@pytest.mark.parametrize(
    ("queries", "existing", "advised"),
    [
        ([({"name": 1}, ())], [], [["name"]]),
        ([({"name": 1}, ()), ({"name": 1, "age": {"$gt": 1}}, ())], [], [["name", "age"]]),
        ([({"name": 1, "age": 1}, ())], [stored("n", {"name": 1}, unique=True)], []),
        ([({"name": 1, "age": 1}, ())], [stored("n", {"name": 1})], []),
        ([({"name": 1}, ())], [stored("n", {"name": 1}, hidden=True)], [["name"]]),
        ([({"name": 1}, ())], [stored("n", {"name": 1}, partialFilterExpression={"age": 1})], [["name"]]),
        ([({"nickName": 1, "home.zip": 1}, ())], [], [["nick", "home.code"]]),
        ([({}, (("_id", -1),))], [stored("_id_", {"_id": 1})], []),
        ([({"tags": 1, "places.zip": 1, "age": 1}, ())], [], [["tags", "age"]]),
    ],
)
def test_advice(queries: Any, existing: Any, advised: list[list[str]]) -> None:
    spec = spec_of(model_with())
    for filter_, sort in queries:
        note(spec, filter_, sort, 0.002)
    indexes = [compiled_from(document) for document in existing]
    found = advise(spec, spec.sightings, indexes, slow_ms=100)
    assert [[path for path, _ in advice.keys] for advice in found] == advised
    assert sum(advice.queries for advice in found) == (len(queries) if advised else 0)


def test_slow_queries_get_a_better_index() -> None:
    spec = spec_of(model_with())
    note(spec, {"name": 1, "age": 1}, (), 0.5)
    (advice,) = advise(spec, spec.sightings, [compiled_from(stored("n", {"name": 1}))], slow_ms=100)
    assert advice.index == IndexSpec(keys=(("name", 1), ("age", 1)))
    assert str(advice) == (
        "Other: index {'name': 1, 'age': 1}. 1 query with name =, age =; an index serves these only in part "
        "(500.0 ms on average, 500.0 ms at most)."
    )


def test_a_unique_index_without_deleted_documents_serves_reads() -> None:
    spec = spec_of(Kept)
    indexes = [compiled({"keys": ["email"], "unique": True}, Kept)]
    note(spec, {"mail": "a", **DELETED}, (), 0.001)
    assert advise(spec, spec.sightings, indexes, slow_ms=100) == []
    note(spec, {"mail": "a"}, (), 0.001)  # with_deleted()
    assert [advice.keys for advice in advise(spec, spec.sightings, indexes, slow_ms=100)] == [(("email", 1),)]
