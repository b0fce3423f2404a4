"""Bad input, case by case: each gets a typed error that names the culprit; compiled without a server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pydantic
import pytest
from pydantic import EmailStr, Field
from typing_extensions import TypedDict

from mongodb_orm import (
    BaseModel,
    ConfigurationError,
    DatabaseConfig,
    IndexSpec,
    InvalidTokenError,
    InvalidValueError,
    NotSupportedError,
    Q,
    QueryError,
    SoftDeleteMixin,
    UnencodableValueError,
    UnknownFieldError,
    UnknownLookupError,
    UnsafeQueryError,
    ValidationError,
    setup_logging,
)
from mongodb_orm.codec import codec_of, decode, encode
from mongodb_orm.compiler.operators import LOOKUPS
from mongodb_orm.compiler.pipelines import compile_pipeline
from mongodb_orm.compiler.updates import compile_operators, compile_values
from mongodb_orm.queryset.tokens import TokenMaker
from mongodb_orm.schema import index_from, spec_of


class Address(BaseModel):
    class Meta:
        abstract = True

    city: str
    zip_code: str = Field(default="", alias="zip")


class User(BaseModel):
    username: str = Field(min_length=3)
    email: EmailStr = "a@example.com"
    age: int | None = None
    price: Decimal = Decimal(1)
    is_active: bool = True
    tags: list[str] = Field(default_factory=list)
    address: Address | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    anything: Any = None


DEEP: dict[str, Any] = {}
_cursor = DEEP
for _ in range(110):
    _cursor["k"] = {}
    _cursor = _cursor["k"]

_cyclic: list[Any] = []
_cyclic.append(_cyclic)

CONDITIONS: list[tuple[Any, type[Exception], str]] = [
    ({"usrname": "x"}, UnknownFieldError, "username"),
    ({"nope": 1}, UnknownFieldError, "nope"),
    ({"": 1}, UnknownFieldError, ""),
    ({"__class__": 1}, UnknownFieldError, "User"),
    ({"$where": "1"}, UnknownFieldError, "where"),
    ({"username\0": 1}, UnknownFieldError, "username"),
    ({"age__foo": 1}, UnknownLookupError, "foo"),
    ({"age__gtee": 1}, UnknownLookupError, "gte"),
    ({"age__": 1}, UnknownLookupError, "age"),
    ({"age__gte__lt": 1}, UnknownLookupError, "age"),
    ({"age__startswith": "1"}, UnknownLookupError, "startswith"),
    ({"price__regex": "1"}, UnknownLookupError, "regex"),
    ({"is_active__icontains": "t"}, UnknownLookupError, "icontains"),
    ({"address__citty": "x"}, UnknownLookupError, "city"),
    ({"address__city__foo": "x"}, UnknownLookupError, "foo"),
    ({"tags__0__foo": "x"}, UnknownLookupError, "foo"),
    ({"age": "five"}, InvalidValueError, "age"),
    ({"address": {"city": "x", "zipcode": "1"}}, UnknownFieldError, "zip_code"),
    ({"age": 1.5}, InvalidValueError, "age"),
    ({"age": []}, InvalidValueError, "age"),
    ({"age": 2**63}, InvalidValueError, "64 bits"),
    ({"age__gt": -(2**63) - 1}, InvalidValueError, "64 bits"),
    ({"age__gt": None}, InvalidValueError, "isnull"),
    ({"username": 5}, InvalidValueError, "username"),
    ({"username": "\ud800"}, InvalidValueError, "username"),
    ({"username": re.compile("x")}, InvalidValueError, "username"),
    ({"is_active": "perhaps"}, InvalidValueError, "is_active"),
    ({"price": "cheap"}, InvalidValueError, "price"),
    ({"id": "abc"}, InvalidValueError, "id"),
    ({"id": {}}, InvalidValueError, "id"),
    ({"created_at": "yesterday"}, InvalidValueError, "created_at"),
    ({"username": {"$ne": ""}}, UnsafeQueryError, "$ne"),
    ({"age": {"$gt": 0}}, UnsafeQueryError, "$gt"),
    ({"id": {"$exists": True}}, UnsafeQueryError, "$exists"),
    ({"username__ne": {"$ne": ""}}, UnsafeQueryError, "$ne"),
    ({"username__in": [{"$ne": ""}]}, UnsafeQueryError, "$ne"),
    ({"address": {"city": {"$ne": ""}}}, UnsafeQueryError, "$ne"),
    ({"anything": {"$ne": ""}}, UnsafeQueryError, "$ne"),
    ({"anything": [{"a": {"$where": "1"}}]}, UnsafeQueryError, "$where"),
    ({"settings__a": {"$ne": 1}}, UnsafeQueryError, "$ne"),
    ({"tags": {"$size": 0}}, UnsafeQueryError, "$size"),
    ({"username__in": "ann"}, InvalidValueError, "list"),
    ({"username__in": 5}, InvalidValueError, "list"),
    ({"username__in": {"a": 1}}, InvalidValueError, "list"),
    ({"username__nin": None}, InvalidValueError, "list"),
    ({"age__between": 5}, InvalidValueError, "between"),
    ({"age__between": (1,)}, InvalidValueError, "pair"),
    ({"age__between": (1, None)}, InvalidValueError, "pair"),
    ({"age__isnull": 1}, InvalidValueError, "True or False"),
    ({"age__exists": "yes"}, InvalidValueError, "True or False"),
    ({"tags__size": -1}, InvalidValueError, "whole number"),
    ({"tags__size": True}, InvalidValueError, "whole number"),
    ({"age__mod": (0, 1)}, InvalidValueError, "divisor"),
    ({"age__type": []}, InvalidValueError, "type"),
    ({"age__type": "integer"}, InvalidValueError, "int"),
    ({"anything": _cyclic}, InvalidValueError, "levels"),
    ({"username__regex": "a\0"}, InvalidValueError, "NUL"),
    ({"username__regex": "a" * 1001}, InvalidValueError, "1000"),
    ({"username__regex": 5}, InvalidValueError, "text"),
    ({"username__contains": None}, InvalidValueError, "text"),
    ({"tags__elem_match": 5}, InvalidValueError, "elem_match"),
    ({"tags__elem_match": {"$gt": ""}}, InvalidValueError, "operators"),
]


@pytest.mark.parametrize(("lookups", "error", "names"), CONDITIONS)
def test_conditions(lookups: dict[str, Any], error: type[Exception], names: str) -> None:
    for build in (lambda: User.filter(Q(**lookups)), lambda: User.exclude(Q(**lookups))):
        with pytest.raises(error) as caught:
            build().filter_document()
        assert names in str(caught.value)
        assert isinstance(caught.value, QueryError)
        assert isinstance(caught.value, ValueError)


RAW: list[tuple[Any, type[Exception]]] = [
    ({"$where": "sleep(1)"}, UnsafeQueryError),
    ({"$and": [{"$where": "1"}]}, UnsafeQueryError),
    ({"$or": [{"a": 1}, {"$nor": [{"$where": "1"}]}]}, UnsafeQueryError),
    ({"$expr": {"$function": {"body": "", "args": [], "lang": "js"}}}, UnsafeQueryError),
    ({"$expr": {"$eq": [1, {"$function": {}}]}}, UnsafeQueryError),
    ({"tags": {"$elemMatch": {"$where": "1"}}}, UnsafeQueryError),
    ({"age": {"$not": {"$where": "1"}}}, UnsafeQueryError),
    ({"$and": {"a": 1}}, InvalidValueError),
    ({"$or": "x"}, InvalidValueError),
    ({"$or": [1]}, InvalidValueError),
    ({"": 1}, InvalidValueError),
    ({5: 1}, InvalidValueError),
    ({"a\0b": 1}, InvalidValueError),
]


@pytest.mark.parametrize(("filter_", "error"), RAW)
def test_raw_filters(filter_: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        User.filter(filter_).filter_document()


def test_javascript_may_be_asked_for() -> None:
    assert User.filter({"$where": "1"}).allow_javascript().filter_document() == {"$where": "1"}


QUERIES: list[tuple[Any, type[Exception]]] = [
    (lambda: User.filter(limit=-1), InvalidValueError),
    (lambda: User.filter(limit="5"), InvalidValueError),
    (lambda: User.all().limit(None), InvalidValueError),  # type: ignore[arg-type]
    (lambda: User.filter(limit=True), InvalidValueError),
    (lambda: User.filter(limit=2**63), InvalidValueError),
    (lambda: User.filter(skip=-1), InvalidValueError),
    (lambda: User.filter(skip=1.5), InvalidValueError),
    (lambda: User.all()[-1:], InvalidValueError),
    (lambda: User.all()[:-1], InvalidValueError),
    (lambda: User.all()[::2], InvalidValueError),
    (lambda: User.all().hint(5), InvalidValueError),
    (lambda: User.all().hint(""), InvalidValueError),
    (lambda: list(User.all()), TypeError),
    (lambda: 5 in User.all(), TypeError),
    (lambda: User.all()[3], InvalidValueError),
    (lambda: User.all().limit(5).filter(age=1), InvalidValueError),
    (lambda: User.all().batch_size(-1), InvalidValueError),
    (lambda: User.all().max_time(0), InvalidValueError),
    (lambda: User.filter(sort_by={"nope": 1}), UnknownFieldError),
    (lambda: User.filter(sort_by={"age": 2}), InvalidValueError),
    (lambda: User.filter(sort_by={"age": True}), InvalidValueError),
    (lambda: User.filter(sort_by={"age": "up"}), InvalidValueError),
    (lambda: User.filter(sort_by=5), InvalidValueError),
    (lambda: User.filter(sort_by="$where"), UnknownFieldError),
    (lambda: User.all().order_by("-nope"), UnknownFieldError),
    (lambda: User.all().order_by("--age"), UnknownFieldError),
    (lambda: User.all().using(database="x" * 64), InvalidValueError),
    (lambda: User.filter(projection={"nope": 1}), UnknownFieldError),
    (lambda: User.filter(projection={"age": 2}), InvalidValueError),
    (lambda: User.filter(projection={"age": 1, "email": 0}), InvalidValueError),
    (lambda: User.filter(projection={}), InvalidValueError),
    (lambda: User.filter(projection="age"), InvalidValueError),
    (lambda: User.filter(projection={5: 1}), InvalidValueError),
    (lambda: User.filter(projection={"x": {"$function": {}}}), UnsafeQueryError),
    (lambda: User.filter("age"), TypeError),
    (lambda: User.filter(5), TypeError),
    (lambda: User.filter(User.f.age > 1 and User.f.age < 5), TypeError),
    (lambda: User.filter(User.f == 5).filter_document(), QueryError),
    (lambda: User.filter(User.f.agee > 1).filter_document(), UnknownFieldError),
    (lambda: User.filter(User.f.address.nope == 1).filter_document(), UnknownFieldError),
    (lambda: User.only_deleted_(), AttributeError),
    (lambda: User.all().only_deleted().filter_document(), NotSupportedError),
]


@pytest.mark.parametrize(("build", "error"), QUERIES)
def test_queries(build: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        build()


PAGES: list[tuple[dict[str, Any], str]] = [
    ({"page": 0}, "page"),
    ({"page": -1}, "page"),
    ({"page": 1.5}, "page"),
    ({"page": True}, "page"),
    ({"page": "2"}, "page"),
    ({"page": None}, "page"),
    ({"page": 2**62, "size": 4}, "page"),
    ({"size": 0}, "size"),
    ({"size": -5}, "size"),
    ({"size": 1001}, "size"),
    ({"size": 11, "max_size": 10}, "size"),
    ({"size": "20"}, "size"),
    ({"size": None}, "size"),
    ({"max_size": 0}, "max_size"),
    ({"max_size": 2**31}, "max_size"),
    ({"max_size": None}, "max_size"),
]


@pytest.mark.parametrize(("arguments", "names"), PAGES, ids=str)
async def test_pages(arguments: dict[str, Any], names: str) -> None:
    calls = [User.all().paginate(**arguments)]
    if "page" not in arguments:
        calls.append(User.all().paginate_after(**arguments))
    for call in calls:
        with pytest.raises(InvalidValueError, match=f"^{names} is a whole number") as caught:
            await call
        assert (caught.value.model, caught.value.field) == ("User", names)


TOKENS: list[Any] = [
    "",
    " ",
    "x",
    "AAAA",
    "=",
    "é",
    "A" * 99,
    "A" * 100_000,
    "$where",
    "null",
    0,
    5,
    True,
    b"AAAA",
    [],
    {},
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: repr(token)[:12])
def test_page_tokens(token: Any) -> None:
    with pytest.raises(InvalidTokenError, match="page token for User"):
        TokenMaker(spec_of(User), b"12345678", None).read(token)


UPDATES: list[tuple[Any, type[Exception]]] = [
    ({"nope": 1}, UnknownFieldError),
    ({"age__foo": 1}, UnknownLookupError),
    ({"username": "x"}, ValidationError),
    ({"age": "five"}, ValidationError),
    ({"email": "no email"}, ValidationError),
    ({"username": {"$ne": 1}}, ValidationError),
    ({"anything": {"$ne": 1}}, UnsafeQueryError),
    ({"id": 5}, InvalidValueError),
    ({"created_at": None}, InvalidValueError),
    ({"updated_at": None}, InvalidValueError),
    ({"age__inc": None}, InvalidValueError),
    ({"age__inc": "many"}, InvalidValueError),
    ({"tags__pop": 5}, InvalidValueError),
    ({"tags__push": 5}, ValidationError),
]


@pytest.mark.parametrize(("values", "error"), UPDATES)
def test_update_values(values: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        compile_values(spec_of(User), values)
    assert next(iter(values)).split("__")[0] in str(caught.value)


@pytest.mark.parametrize(
    "update", [{"$set": 5}, {"$set": {"id": 5}}, {"$inc": {"_id": 1}}, {"$set": {"age": 1}, "age": 2}, {"age": 2}]
)
def test_update_operators(update: Any) -> None:
    with pytest.raises(InvalidValueError):
        compile_operators(spec_of(User), update)


PIPELINES: list[tuple[Any, type[Exception]]] = [
    ({}, InvalidValueError),
    ("x", InvalidValueError),
    (None, InvalidValueError),
    ([5], InvalidValueError),
    ([{}], InvalidValueError),
    ([{"$match": {}, "$sort": {}}], InvalidValueError),
    ([{"match": {}}], InvalidValueError),
    ([{5: {}}], InvalidValueError),
    ([{"$match": {"$where": "1"}}], UnsafeQueryError),
    ([{"$project": {"x": {"$function": {}}}}], UnsafeQueryError),
    ([{"$group": {"_id": 1, "x": {"$accumulator": {}}}}], UnsafeQueryError),
    ([{"$facet": {"a": [{"$match": {"$where": "1"}}]}}], UnsafeQueryError),
    ([{"$lookup": {"from": "x", "pipeline": [{"$match": {"$where": "1"}}], "as": "y"}}], UnsafeQueryError),
    ([{"$unionWith": {"coll": "x", "pipeline": [{"$match": {"$where": "1"}}]}}], UnsafeQueryError),
    ([{"$unknown": {"x": {"$function": {}}}}], UnsafeQueryError),
]


@pytest.mark.parametrize(("pipeline", "error"), PIPELINES)
def test_pipelines(pipeline: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        compile_pipeline(spec_of(User), pipeline)


DOCUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"age": 2**64}, "age"),
    ({"anything": 2**64}, "anything"),
    ({"settings": {"a": [1, {"b": -(2**70)}]}}, "settings.a.1.b"),
    ({"settings": {"a": object()}}, "settings.a"),
    ({"settings": {"a\0": 1}}, "settings"),
    ({"anything": "\ud800"}, "anything"),
    ({"anything": {1: 2}}, "anything"),
    ({"price": Decimal("1." + "1" * 40)}, "price"),
    ({"price": Decimal("1e9999")}, "price"),
    ({"settings": DEEP}, "100 levels"),
    ({"anything": "a" * (17 * 1024 * 1024)}, "16,777,216"),
]


@pytest.mark.parametrize(("values", "names"), DOCUMENTS, ids=[names for _, names in DOCUMENTS])
def test_documents_that_bson_cannot_hold(values: dict[str, Any], names: str) -> None:
    with pytest.raises(UnencodableValueError) as caught:
        codec_of(User).dump(User(id=1, username="ann", **values))
    assert names in str(caught.value)


@pytest.mark.parametrize(
    "values", [{}, {"username": "x"}, {"username": "ann", "nope": 1}, {"username": "ann", "id": "x"}]
)
def test_objects(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        User(**values)


CONFIGS: list[dict[str, Any]] = [
    {"mongo_uri": "localhost:27017"},
    {"mongo_uri": "http://localhost"},
    {"mongo_uri": "mongodb://"},
    {"mongo_uri": "mongodb://a,,b"},
    {"mongo_uri": "mongodb://host:port"},
    {"mongo_uri": "mongodb://host:70000"},
    {"mongo_uri": "mongodb://ann:se@cret@host"},
    {"database_name": "a b"},
    {"database_name": "a/b"},
    {"database_name": "$a"},
    {"database_name": "x" * 64},
    {"database_name": ""},
    {"max_pool_size": 0},
    {"max_pool_size": -1},
    {"max_pool_size": "many"},
    {"min_pool_size": -1},
    {"max_pool_size": 5, "min_pool_size": 6},
    {"timeout_ms": -1},
    {"server_selection_timeout_ms": -1},
    {"driver": "pymongoo"},
    {"ssl_cert_reqs": "maybe"},
    {"ssl": False, "ssl_cert_reqs": "required"},
    {"ssl_ca_file": "/no/such/file"},
    {"write_concern": -1},
    {"token_secret": "short"},
    {"token_secret": ""},
    {"nope": 1},
]


@pytest.mark.parametrize("values", CONFIGS, ids=str)
def test_configurations(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        DatabaseConfig(**values)
    assert any(name in str(caught.value) for name in values)
    assert "se@cret" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("declaration", [5, "", [], {}, {"a": 3}, [("a", "up")], None])
def test_index_declarations(declaration: Any) -> None:
    with pytest.raises(ConfigurationError):
        index_from(declaration)


def test_indexes_with_impossible_options() -> None:
    with pytest.raises(ConfigurationError):
        IndexSpec(keys=(("a", 1),), expire_after_seconds=-1)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"colection_name": "x"}, "collection_name"),
        ({"collection_name": ""}, "collection_name"),
        ({"collection_name": "a$b"}, "collection_name"),
        ({"strict_mode": 1}, "strict_mode"),
        ({"indexes": "email"}, "indexes"),
        ({"id_factory": 5}, "id_factory"),
        ({"validation_on_load": "none"}, "validation_on_load"),
    ],
)
def test_settings(settings: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigurationError, match=names):
        type(
            "Bad",
            (BaseModel,),
            {
                "Meta": type("Meta", (), {**settings, "__qualname__": "Bad.Meta", "__module__": __name__}),
                "__module__": __name__,
                "__qualname__": "Bad",
            },
        )


def test_two_fields_cannot_share_a_stored_name() -> None:
    class Twice(BaseModel):
        a: int = Field(alias="x")
        b: int = Field(alias="x")

    with pytest.raises(ConfigurationError):
        spec_of(Twice)


def test_a_soft_delete_needs_its_fields() -> None:
    class Gone(BaseModel, SoftDeleteMixin):
        pass

    assert spec_of(Gone).deletion is not None


def test_a_log_level_must_exist() -> None:
    with pytest.raises(ConfigurationError):
        setup_logging("LOUD")


class Schemaless(BaseModel):
    class Meta:
        strict_mode = False

    settings: dict[str, Any] = {}


@pytest.mark.parametrize(
    "name", ["$where", "$or", "$expr", "$comment", "$where__ne", "x\0", "", "settings.$where", "settings.$or.a"]
)
def test_names_that_are_kept_as_they_come_are_never_operators(name: str) -> None:
    for build in (
        lambda: Schemaless.filter(**{name.replace(".", "__"): "1"}).filter_document(),
        lambda: Schemaless.filter(extra__elem_match={name.replace(".", "__"): "1"}).filter_document(),
        lambda: Schemaless.all().order_by(name).find_command(),
        lambda: Schemaless.all().values(name),
    ):
        with pytest.raises(QueryError):
            build()


class Free(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")


class Rooted(pydantic.RootModel[dict[str, Any]]):
    pass


class Typed(TypedDict, total=False):
    a: int


@dataclass
class Plain:
    a: Any = None


class Holder(BaseModel):
    text: str = ""
    number: int = 0
    anything: Any = None
    mapping: dict[str, Any] = {}
    mappings: list[dict[str, Any]] = []
    nested: dict[str, dict[str, Any]] = {}
    items: list[Any] = []
    free: Free | None = None
    frees: list[Free] = []
    rooted: Rooted | None = None
    typed: Typed | None = None
    plain: Plain | None = None
    union: dict[str, Any] | str = ""


_OF_DICTS = ("mapping", "mappings", "nested", "rooted", "typed")

_HOSTILE: list[Any] = [
    {"$gt": ""},
    {"$elemMatch": {"$exists": True}},
    {"a": {"$gt": ""}},
    [{"$gt": ""}],
    ({"$elemMatch": {"$exists": True}},),
    Free.model_validate({"$gt": ""}),
    [Free.model_validate({"$gt": ""})],
    Rooted({"$gt": ""}),
    [Rooted({"$elemMatch": {}})],
]


@pytest.mark.parametrize(
    "field", [name for name in Holder.model_fields if name not in ("id", "created_at", "updated_at")]
)
def test_no_value_carries_an_operator_through_any_lookup(field: str) -> None:
    for lookup in (*LOOKUPS, "not", "not__all", "elem_match"):
        for value in _HOSTILE:
            try:
                compiled = Holder.filter(**{f"{field}__{lookup}": value}).filter_document()
            except QueryError:
                continue
            assert field in _OF_DICTS
            assert isinstance(value, dict)
            for operators in decode(encode(compiled, model="Holder")).values():
                assert operators.keys() == {"$eq"}, "below which it is data"


def test_in_a_field_of_dicts_a_mapping_is_data_and_never_an_operator() -> None:
    hostile = {"$gt": {"x": 1}, "a": {"$ne": 1}}
    for field in ("mapping", "nested"):
        assert Holder.filter(**{field: hostile}).filter_document() == {field: {"$eq": hostile}}
        assert Holder.exclude(**{field: hostile}).filter_document() == {"$nor": [{field: {"$eq": hostile}}]}


def test_what_is_nested_too_deeply_is_a_typed_error() -> None:
    deep = Q(age=1)
    for _ in range(5000):
        deep = ~Q(deep, Q(age=2))
    raw: dict[str, Any] = {"age": 1}
    for _ in range(5000):
        raw = {"$and": [raw]}
    for query in (User.filter(deep), User.filter(raw), User.filter({"age": _cyclic})):
        with pytest.raises(QueryError, match="nested"):
            query.filter_document()
    with pytest.raises(QueryError, match="nested"):
        compile_pipeline(spec_of(User), [{"$match": raw}])


def test_a_query_shows_what_it_would_send_and_hides_secrets() -> None:
    class Account(BaseModel):
        name: str
        password: pydantic.SecretStr

    query = Account.filter(name="ann", password="hunter2").order_by("-id")
    assert repr(query) == '<QuerySet db.account.find({name: "ann", password: "**********"}).sort({_id: -1})>'
    assert f"<QuerySet {query}>" == repr(query)
    assert "hunter2" in query.mql()
    assert repr(Account.filter(nme="ann")) == "<QuerySet of Account: UnknownFieldError>"
    assert repr(Account.filter({"name": 2**70})) == "<QuerySet of Account: UnencodableValueError>"
