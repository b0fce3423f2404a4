"""Bad arguments, verb by verb, on a server: each is a typed error that names the culprit, and changes nothing.

What the compiler alone can answer stands in `tests/unit/test_bad_input.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel as PydanticModel
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    BulkDuplicateError,
    ConfigurationError,
    DocumentNotFoundError,
    DocumentTooLargeError,
    InvalidTokenError,
    InvalidValueError,
    MissingIndexError,
    MongoDBORMError,
    OperationError,
    QueryError,
    RegistrationError,
    SoftDeleteMixin,
    UnencodableValueError,
    UnknownFieldError,
    UnknownLookupError,
    UnsafeQueryError,
    ValidationError,
    count,
    create_test_data,
    observe,
    on,
    on_commit,
    on_rollback,
    register_all_models,
    register_model,
    transaction,
    updates,
)


class Address(PydanticModel):
    city: str = "Oslo"


class User(BaseModel, SoftDeleteMixin):
    class Meta:
        scopes = {"adults": {"age__gte": 18}}

    username: str = Field(min_length=3)
    age: int | None = None
    tags: list[str] = Field(default_factory=list)
    address: Address | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    when: datetime | None = None


class Other(BaseModel):
    n: int = 0


BIG = 2**63
CYCLE: list[Any] = []
CYCLE.append(CYCLE)


async def saved(user: User, name: str, value: Any) -> None:
    copy = await User.get_by_id(user.id)
    setattr(copy, name, value)
    await copy.save()


async def in_transaction(*arguments: Any) -> None:
    async with transaction(*arguments):
        pass


Case = tuple[Callable[[User], Any], type[Exception], str]

CREATING: list[Case] = [
    (lambda _: User.create(), ValidationError, "username"),
    (lambda _: User.create(username="abc", nope=1), ValidationError, "nope"),
    (lambda _: User.create(username="ab"), ValidationError, "username"),
    (lambda _: User.create(username="abc\ud800"), ValidationError, "username"),
    (lambda _: User.create(username="abc", id="zz"), ValidationError, "id"),
    (lambda _: User.create(username="abc", id=BIG), UnencodableValueError, "_id"),
    (lambda _: User.create(username="abc", age=BIG), UnencodableValueError, "User.age"),
    (lambda _: User.create(username="abc", settings={"a\0b": 1}), UnencodableValueError, "User.settings.a"),
    (lambda _: User.create(username="abc", settings={"a": CYCLE}), UnencodableValueError, "contains itself"),
    (lambda _: User.create(username="abc", settings={"a": object()}), UnencodableValueError, "User.settings.a"),
    (lambda _: User.create(username="abc", settings={"a": len}), UnencodableValueError, "User.settings.a"),
    (lambda _: User.create(username="x" * 17_000_000), DocumentTooLargeError, "17,000"),
    (lambda _: User.bulk_create(None), InvalidValueError, "list"),
    (lambda _: User.bulk_create("abc"), InvalidValueError, "list"),
    (lambda _: User.bulk_create({"username": "abc"}), InvalidValueError, "list"),
    (lambda _: User.bulk_create([{"username": "abc"}, 5]), InvalidValueError, "int"),
    (lambda _: User.bulk_create([{"username": "abc"}, Other()]), InvalidValueError, "Other"),
    (lambda _: User.bulk_create([{"username": "abc"}, {"username": "a"}]), ValidationError, "1.username"),
    (lambda _: User.bulk_create([{"username": "abc"}, {"username": "abc", "x": 1}]), ValidationError, "1.x"),
    (lambda _: User.bulk_create([{"username": "abc"}, {1: 2}]), InvalidValueError, "Item 1"),
    (lambda _: User.bulk_create([{"username": "abc", "age": BIG}]), UnencodableValueError, "User.age"),
    (lambda user: User.bulk_create([user]), InvalidValueError, "stored already"),
    (lambda user: User.bulk_create([{"username": "abc", "id": user.id}]), BulkDuplicateError, "id"),
    (lambda _: User.bulk_insert(None), InvalidValueError, "iterable"),
    (lambda _: User.bulk_insert([1]), InvalidValueError, "int"),
    (lambda _: User.bulk_save(None), InvalidValueError, "list"),
    (lambda _: User.bulk_save([1]), InvalidValueError, "int"),
    (lambda _: User.bulk_delete(None), InvalidValueError, "list"),
    (lambda _: User.get_or_create(5, username="xyz"), InvalidValueError, "mapping"),
    (lambda _: User.get_or_create({"nope": 1}, username="xyz"), ValidationError, "nope"),
    (lambda _: User.get_or_create(username__startswith="qq"), ValidationError, "username"),
    (lambda _: User.update_or_create({"nope": 1}, username="base"), InvalidValueError, "nope"),
    (lambda _: User.upsert(None, age=1), InvalidValueError, "mapping"),
    (lambda _: User.upsert({"nope": 1}, age=1), UnknownFieldError, "nope"),
    (lambda _: User.upsert({"username": {"$ne": 1}}, age=1), UnsafeQueryError, "$ne"),
    (lambda _: User.upsert({"username": "ab"}, age=1), ValidationError, "username"),
    (lambda _: create_test_data(User, -1), InvalidValueError, "-1"),
]

READING: list[Case] = [
    (lambda _: User.get_by_id("zz"), InvalidValueError, "zz"),
    (lambda _: User.get_by_id([1]), InvalidValueError, "id"),
    (lambda _: User.get_by_id(1.5), InvalidValueError, "1.5"),
    (lambda _: User.get_by_id(BIG), InvalidValueError, "64 bits"),
    (lambda _: User.get_by_id({"$ne": 1}), UnsafeQueryError, "$ne"),
    (lambda _: User.all().in_bulk(None), InvalidValueError, "in_bulk"),
    (lambda _: User.all().in_bulk(["zz"]), InvalidValueError, "zz"),
    (lambda _: User.count(nope=1), UnknownFieldError, "nope"),
    (lambda _: User.exists(nope=1), UnknownFieldError, "nope"),
    (lambda _: User.get(username={"$ne": ""}), UnsafeQueryError, "$ne"),
    (lambda _: User.distinct("nope"), UnknownFieldError, "nope"),
    (lambda _: User.filter(limit=-1), InvalidValueError, "limit"),
    (lambda _: User.filter(skip=1.5), InvalidValueError, "skip"),
    (lambda _: User.filter(sort_by={"nope": 1}), UnknownFieldError, "nope"),
    (lambda _: User.filter(sort_by={"age": 2}), InvalidValueError, "2"),
    (lambda _: User.filter(projection={"age": 1, "username": 0}), InvalidValueError, "projection"),
    (lambda _: User.filter({"$bad": 1}), OperationError, "$bad"),
    (lambda _: User.filter({"age": {"$bad": 1}}), OperationError, "$bad"),
    (lambda _: User.filter().hint("nope"), MissingIndexError, "hint"),
    (lambda _: User.filter().scope("nope"), QueryError, "nope"),
    (lambda _: User.filter().scope(None), QueryError, "None"),
    (lambda _: User.filter().using(database="a b"), InvalidValueError, "a b"),
    (lambda _: User.filter().max_time(-1), InvalidValueError, "max_time"),
    (lambda _: User.filter().collation("nope_nope"), OperationError, "nope_nope"),
    (lambda _: User.filter().read_preference("zzz"), InvalidValueError, "zzz"),
    (lambda _: User.filter().sum("username"), InvalidValueError, "username"),
    (lambda _: User.filter().sample(-1), InvalidValueError, "-1"),
    (lambda _: User.filter().paginate(0, 10), InvalidValueError, "page"),
    (lambda _: User.filter().paginate(1, 10**9), InvalidValueError, "size"),
    (lambda _: User.filter().paginate_after("garbage", 10), InvalidTokenError, "token"),
    (lambda _: User.search("words"), MissingIndexError, "text index"),
    (lambda _: User.search(None), InvalidValueError, "text"),
    (lambda _: User.nearest("address", (1, 2)), MissingIndexError, "2dsphere"),
    (lambda _: User.aggregate(None), InvalidValueError, "pipeline"),
    (lambda _: User.aggregate([{"$match": {}, "$limit": 1}]), InvalidValueError, "Stage 0"),
    (lambda _: User.aggregate([{"$bad": 1}]), OperationError, "$bad"),
    (lambda _: User.aggregate([{"$match": {"$where": "1"}}]), UnsafeQueryError, "$where"),
    (lambda _: User.aggregate([{"$out": "stolen"}]), UnsafeQueryError, "$out"),
    (lambda _: User.aggregate([], nope=1), InvalidValueError, "nope"),
    (lambda _: User.pipeline().match(nope=1), UnknownFieldError, "nope"),
    (lambda _: User.pipeline().group(by="nope", n=count()), UnknownFieldError, "nope"),
    (lambda _: User.pipeline().group(by="age", n=5), InvalidValueError, "n=5"),
    (lambda _: User.pipeline().sort("nope"), UnknownFieldError, "nope"),
    (lambda _: User.pipeline().limit(0), InvalidValueError, "limit"),
]

CHANGING: list[Case] = [
    (lambda _: User.update_many(None, 5), InvalidValueError, "update"),
    (lambda _: User.update_many(None, {"$bad": {"age": 1}}), InvalidValueError, "$bad"),
    (lambda _: User.update_many(None, {"$set": {"age": 1}, "age": 2}), InvalidValueError, "age"),
    (lambda _: User.update_many(None, nope=1), UnknownFieldError, "nope"),
    (lambda _: User.update_many(None, id=5), InvalidValueError, "id"),
    (lambda _: User.update_many(None, age={"$gt": 1}), ValidationError, "age"),
    (lambda _: User.update_many(None, username="ab"), ValidationError, "username"),
    (lambda _: User.update_many(None, age=BIG), UnencodableValueError, "User.age"),
    (lambda _: User.update_many(None, {"$set": {"settings.a": BIG}}), UnencodableValueError, "User.settings.a"),
    (lambda _: User.update_many(None, settings={"a": object()}), UnencodableValueError, "User.settings"),
    (lambda _: User.update_many(None, age__inc="a"), InvalidValueError, "age"),
    (lambda _: User.update_many(None, age__inc=BIG), InvalidValueError, "64 bits"),
    (lambda _: User.update_many(None, age__foo=1), UnknownLookupError, "foo"),
    (lambda _: User.update_many(None, age__push=1), InvalidValueError, "age"),
    (lambda _: User.update_many(None, age=1, age__inc=1), InvalidValueError, "age"),
    (lambda _: User.update_many(None, address__city=5), ValidationError, "address__city"),
    (lambda _: User.filter().update(updates.push(User.f.age, 1)), InvalidValueError, "age"),
    (lambda _: User.delete_many(nope=1), UnknownFieldError, "nope"),
    (lambda _: User.delete_many(username={"$ne": ""}), UnsafeQueryError, "$ne"),
    (lambda _: User.find_one_and_update({"id": 1}, age=BIG), UnencodableValueError, "User.age"),
    (lambda _: User.find_one_and_update({"id": 1}), InvalidValueError, "nothing"),
    (lambda _: User.find_one_and_replace({"id": 1}, 5), InvalidValueError, "5"),
    (lambda _: User.find_one_and_replace({"id": 1}, {"username": "ab"}), ValidationError, "username"),
    (lambda _: User.find_one_and_delete(nope=1), UnknownFieldError, "nope"),
    (lambda user: user.patch(5), InvalidValueError, "int"),
    (lambda user: user.patch({"nope": 1}), UnknownFieldError, "nope"),
    (lambda user: user.patch({"id": 7}), InvalidValueError, "id"),
    (lambda user: user.patch({"created_at": datetime(2026, 1, 1)}), InvalidValueError, "created_at"),
    (lambda user: user.patch({"username": "ab"}), ValidationError, "username"),
    (lambda user: user.update(nope=1), UnknownFieldError, "nope"),
    (lambda user: user.save(if_match=5), InvalidValueError, "if_match"),
    (lambda user: user.save(if_match={"nope": 1}), UnknownFieldError, "nope"),
    (lambda user: saved(user, "age", "x"), ValidationError, "age"),
    (lambda user: saved(user, "age", BIG), UnencodableValueError, "User.age"),
    (lambda user: saved(user, "id", 77), InvalidValueError, "77"),
    (lambda _: User(username="abc").save(only_update=True), DocumentNotFoundError, "never stored"),
    (lambda _: User(username="abc").delete(), DocumentNotFoundError, "never stored"),
    (lambda _: User(username="abc").restore(), DocumentNotFoundError, "never stored"),
    (lambda _: User(username="abc").refresh_from_db(), DocumentNotFoundError, "never stored"),
]

AROUND: list[Case] = [
    (lambda _: User.create_index("nope"), UnknownFieldError, "nope"),
    (lambda _: User.create_index("age", direction=5), ConfigurationError, "5"),
    (lambda _: User.create_index("age", index_type="zzz"), ConfigurationError, "zzz"),
    (lambda _: User.create_index("age", name=""), ConfigurationError, "name"),
    (lambda _: User.create_index("age", partial_filter_expression=5), ConfigurationError, "partial_filter_expression"),
    (lambda _: User.create_index("when", expire_after_seconds=-5), ConfigurationError, "expire_after_seconds"),
    (lambda _: User.create_compound_index({}), ConfigurationError, "field"),
    (lambda _: User.create_compound_index({"age": 1, "nope": 1}), UnknownFieldError, "nope"),
    (lambda _: User.drop_index("_id_"), InvalidValueError, "id"),
    (lambda _: register_model(5), RegistrationError, "5"),
    (lambda _: register_model(Other, 5), ConfigurationError, "db_config"),
    (lambda _: register_model(Other, client="mongodb://h"), ConfigurationError, "str"),
    (lambda _: register_all_models(None), RegistrationError, "None"),
    (lambda _: in_transaction(5), RegistrationError, "5"),
    (lambda _: on_commit(None), ConfigurationError, "function"),
    (lambda _: on_rollback(None), ConfigurationError, "lambda"),
    (lambda _: observe(User, 5), ConfigurationError, "5"),
    (lambda _: observe(5, print), RegistrationError, "5"),
    (lambda _: on(User, after=5), ConfigurationError, "5"),
    (lambda _: on(User), ConfigurationError, "event"),
]


@pytest.mark.parametrize("case", [*CREATING, *READING, *CHANGING, *AROUND])
async def test_a_bad_call_is_a_typed_error_and_changes_nothing(case: Case, register: Any, raw: Any) -> None:
    call, error, culprit = case
    await register(User)
    user = await User.create(username="base", tags=["a"], settings={"k": 1})
    before, indexes = list(raw["user"].find()), raw["user"].index_information()
    with pytest.raises((MongoDBORMError, ValidationError)) as caught:
        answer = call(user)
        if inspect.isawaitable(answer):
            await answer
    assert isinstance(caught.value, error), f"{type(caught.value).__name__}: {caught.value}"
    assert culprit in str(caught.value)
    assert list(raw["user"].find()) == before
    assert raw["user"].index_information() == indexes
