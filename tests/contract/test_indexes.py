"""Indexes: declared, planned, applied, advised, on the real server with both drivers."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel as Plain
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    DatabaseConfig,
    DuplicateDocumentError,
    IndexConflictError,
    Indexed,
    IndexSpec,
    InvalidValueError,
    MissingIndexError,
    NotSupportedError,
    SoftDeleteMixin,
    register_model,
)


class Place(Plain):
    city: Annotated[str, Indexed()] = ""
    code: Annotated[str, Indexed(sparse=True)] = Field(default="", alias="zip")


class Account(BaseModel):
    class Meta:
        indexes = [[("name", 1), ("age", -1)]]

    email: Annotated[str, Indexed(unique=True, collation={"locale": "en", "strength": 2})] = Field(alias="mail")
    name: str = ""
    age: int = 0
    home: Place | None = None
    seen_at: Annotated[datetime | None, Indexed(expire_after_seconds=timedelta(hours=1))] = None


class Member(BaseModel, SoftDeleteMixin):
    email: Annotated[str, Indexed(unique=True)]
    nick: Annotated[str | None, Indexed(unique=True, sparse=True)] = None


class Shop(BaseModel):
    class Meta:
        auto_create_indexes = False

    name: str = ""
    city: str = ""
    rank: int = 0
    tags: list[str] = Field(default_factory=list)
    labels: list[str] = Field(default_factory=list)


def declared(*indexes: Any, base: type[BaseModel] = Shop) -> type[Any]:
    """Return a class on the same collection that declares other indexes."""

    class Declared(base):  # type: ignore[misc, valid-type]
        class Meta:
            collection_name = "shop"
            auto_create_indexes = False

        Meta.indexes = indexes  # type: ignore[attr-defined]

    return Declared


async def winning_stages(raw: Any, filter_: dict[str, Any], **options: Any) -> set[str]:
    explained = raw.command("explain", {"find": "shop", "filter": filter_, **options})
    stages: set[str] = set()
    todo = [explained["queryPlanner"]["winningPlan"]]
    while todo:
        stage = todo.pop()
        stages.add(stage["stage"])
        todo += [stage["inputStage"]] if "inputStage" in stage else stage.get("inputStages", [])
    return stages


async def test_registration_builds_what_fields_and_meta_declare(register: Any, raw: Any) -> None:
    await register(Account)
    found = {index["name"]: index for index in raw.account.list_indexes()}
    assert list(found) == ["_id_", "mail_1", "home.city_1", "home.zip_1", "seen_at_1", "name_1_age_-1"]
    assert found["mail_1"]["unique"]
    assert found["mail_1"]["collation"]["strength"] == 2
    assert found["home.zip_1"]["sparse"]
    assert found["seen_at_1"]["expireAfterSeconds"] == 3600
    assert [list(index["key"]) for index in await Account.indexes.list()] == [
        ["id"], ["email"], ["home.city"], ["home.code"], ["seen_at"], ["name", "age"],
    ]  # fmt: skip
    assert not await Account.indexes.plan()
    await register(Account)


class Every(BaseModel):
    class Meta:
        auto_create_indexes = False
        indexes = [
            IndexSpec(keys=(("place", "2dsphere"), ("rank", 1))),
            IndexSpec(keys=(("spot", "2d"),), options={"bits": 20}),
            IndexSpec(keys=(("key", "hashed"),)),
            IndexSpec(keys=(("$**", 1),), wildcard_projection={"extra": 1, "id": 1}),
            IndexSpec(keys=(("extra.$**", 1),), hidden=True),
            IndexSpec(keys=(("rank", -1),), partial_filter_expression={"rank": {"$gt": 5}, "key": "a"}, name="high"),
            IndexSpec(keys=(("rank", -1),), collation={"locale": "de", "numericOrdering": True}, name="german"),
        ]

    title: Annotated[str, Indexed(index_type="text", weight=5, default_language="german")] = Field("", alias="t")
    body: Annotated[str, Indexed(index_type="text", language_override="lang")] = ""
    place: dict[str, Any] | None = None
    spot: list[float] | None = None
    key: str = Field(default="", alias="k")
    rank: int = 0
    extra: dict[str, Any] = Field(default_factory=dict, alias="x")


async def test_every_kind_and_option_comes_back_as_declared(register: Any, raw: Any) -> None:
    await register(Every)
    plan = await Every.indexes.plan()
    assert len(plan.missing) == 8
    changes = await Every.indexes.apply()
    assert set(changes.created) == {index.name for index in plan.missing}
    found = {index["name"]: index for index in raw.every.list_indexes()}
    assert found["t_text_body_text"]["weights"] == {"t": 5, "body": 1}
    assert found["t_text_body_text"]["default_language"] == "german"
    assert found["t_text_body_text"]["language_override"] == "lang"
    assert found["$**_1"]["wildcardProjection"] == {"x": 1, "_id": 1}
    assert found["x.$**_1"]["hidden"]
    assert found["high"]["partialFilterExpression"] == {"rank": {"$gt": 5}, "k": "a"}
    assert list(found["spot_2d"]["key"]) == ["spot"]
    after = await Every.indexes.plan()
    assert not after, str(after)
    assert len(after.unchanged) == 8
    assert not await Every.indexes.apply()


async def test_apply_drops_only_when_told_and_hides_first(
    register: Any, raw: Any, caplog: pytest.LogCaptureFixture
) -> None:
    Wanted = declared("name")
    await register(Wanted)
    raw.shop.create_index("old")
    plan = await Wanted.indexes.plan()
    assert [index.name for index in plan.missing] == ["name_1"]
    assert [index.name for index in plan.extra] == ["old_1"]
    assert (await Wanted.indexes.apply()).created == ("name_1",)
    assert "old_1" in raw.shop.index_information()
    changes = await Wanted.indexes.apply(drop="hide")
    assert (changes.hidden, changes.dropped) == (("old_1",), ())
    assert raw.shop.index_information()["old_1"]["hidden"]
    assert not await Wanted.indexes.apply(drop="hide")
    await Wanted.indexes.unhide("old_1")
    assert "hidden" not in raw.shop.index_information()["old_1"]
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="mongodb_orm.commands"):
        assert (await Wanted.indexes.apply(drop=True)).dropped == ("old_1",)
    sent = [message.split()[0] for message in caplog.messages]
    assert sent == [f"Declared.{name}" for name in ("list_indexes", "command", "drop_index")], "hidden, then dropped"
    assert list(raw.shop.index_information()) == ["_id_", "name_1"]
    with pytest.raises(MissingIndexError):
        await Wanted.indexes.hide("old_1")
    with pytest.raises(InvalidValueError):
        await Wanted.indexes.apply(drop="yes")


@pytest.mark.parametrize(
    ("before", "after", "option", "value"),
    [
        ({"expire_after_seconds": 60}, {"expire_after_seconds": 90}, "expireAfterSeconds", 90),
        ({}, {"expire_after_seconds": 90}, "expireAfterSeconds", 90),
        ({}, {"hidden": True}, "hidden", True),
        ({"hidden": True}, {}, "hidden", None),
        ({}, {"unique": True}, "unique", True),
        ({"expire_after_seconds": 60, "hidden": True}, {"expire_after_seconds": 5}, "expireAfterSeconds", 5),
    ],
)
async def test_what_can_be_changed_in_place_is(
    register: Any, raw: Any, before: Any, after: Any, option: str, value: Any
) -> None:
    Before = declared(IndexSpec(keys=(("created_at", 1),), **before))
    After = declared(IndexSpec(keys=(("created_at", 1),), **after))
    await register(Before, After)
    await Before.indexes.apply()
    (change,) = (await After.indexes.plan()).changed
    assert not change.needs_rebuild
    assert (await After.indexes.apply()).modified == ("created_at_1",)
    assert raw.shop.index_information()["created_at_1"].get(option) == value
    assert not await After.indexes.plan()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"unique": True}, {}),
        ({"expire_after_seconds": 60}, {}),
        ({}, {"sparse": True}),
        ({}, {"partial_filter_expression": {"rank": 1}}),
        ({}, {"collation": {"locale": "de"}}),
        ({"collation": {"locale": "de", "strength": 1}}, {"collation": {"locale": "de"}}),
        ({}, {"name": "mine"}),
    ],
)
async def test_the_rest_is_rebuilt_when_told(register: Any, before: Any, after: Any) -> None:
    Before = declared(IndexSpec(keys=(("name", 1),), **before))
    After = declared(IndexSpec(keys=(("name", 1),), **after))
    await register(Before, After)
    await Before.indexes.apply()
    (change,) = (await After.indexes.plan()).changed
    assert change.needs_rebuild
    assert not await After.indexes.apply()
    assert (await After.indexes.apply(drop=True)).rebuilt
    assert not await After.indexes.plan()


async def test_a_unique_index_over_duplicates_tells_which(register: Any, raw: Any) -> None:
    Wanted = declared(IndexSpec(keys=(("name", 1), ("tags", 1)), unique=True))
    await register(Wanted)
    await Wanted.bulk_create(
        [
            {"name": "a", "tags": ["x", "y"]}, {"name": "a", "tags": ["y"]}, {"name": "a", "tags": ["y", "z"]},
            {"name": "b", "tags": ["q", "q"]}, {"name": "c"}, {"name": "d", "tags": ["x"]},
        ]
    )  # fmt: skip
    raw.shop.create_index("old")
    with pytest.raises(DuplicateDocumentError) as caught:
        await Wanted.indexes.apply(drop=True)
    error = caught.value
    (collision,) = error.collisions
    assert (collision.value, sorted(collision.ids), collision.count) == (("a", "y"), [1, 2, 3], 3)
    assert error.fields == ("name", "tags")
    assert error.index == "name_1_tags_1"
    assert "'y'" not in str(error)
    assert "hidden" not in raw.shop.index_information()["old_1"]
    await Wanted.filter(name="a").delete()
    assert (await Wanted.indexes.apply()).created == ("name_1_tags_1",)


async def test_collisions_are_found_as_the_index_compares(register: Any) -> None:
    options: dict[str, Any] = {
        "unique": True, "collation": {"locale": "en", "strength": 2}, "partial_filter_expression": {"rank": {"$gt": 0}},
    }  # fmt: skip
    Wanted = declared(IndexSpec(keys=(("name", 1),), **options))
    await register(Wanted)
    items = [("Ann", 1), ("ann", 1), ("ann", 0), ("Bob", 1), ("bob", 0)]
    await Wanted.bulk_create([{"name": name, "rank": rank} for name, rank in items])
    with pytest.raises(DuplicateDocumentError) as caught:
        await Wanted.indexes.apply()
    assert [collision.ids for collision in caught.value.collisions] == [(1, 2)]


async def test_a_build_may_take_longer_than_other_operations(config: DatabaseConfig, admin: Any) -> None:
    Wanted = declared("name")
    await register_model(Wanted, config.model_copy(update={"timeout_ms": 400}))
    await Wanted.count()
    block = {"failCommands": ["createIndexes"], "blockConnection": True, "blockTimeMS": 900}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": block})
    assert (await Wanted.indexes.apply()).created == ("name_1",)


async def test_becoming_unique_over_duplicates_changes_nothing(register: Any, raw: Any) -> None:
    Before, After = declared("name"), declared(IndexSpec(keys=(("name", 1),), unique=True))
    await register(Before, After)
    await Before.indexes.apply()
    await Before.bulk_create([{"name": "a"}, {"name": "a"}])
    for attempt in (After.indexes.apply(), After.create_index("name", unique=True, name="second")):
        with pytest.raises(DuplicateDocumentError) as caught:
            await attempt
        assert [collision.ids for collision in caught.value.collisions] == [(1, 2)]
    await Before.create(name="a")
    assert raw.shop.index_information()["name_1"].keys() == {"v", "key"}


async def test_a_rebuild_that_cannot_succeed_drops_nothing(register: Any, raw: Any) -> None:
    Before, After = declared("name"), declared(IndexSpec(keys=(("name", 1),), unique=True, sparse=True))
    await register(Before, After)
    await Before.indexes.apply()
    await Before.bulk_create([{"name": "a"}, {"name": "a"}])
    with pytest.raises(DuplicateDocumentError):
        await After.indexes.apply(drop=True)
    assert raw.shop.index_information()["name_1"].keys() == {"v", "key"}


async def test_registration_refuses_an_index_with_other_options(register: Any, config: DatabaseConfig) -> None:
    await register(Shop)
    await Shop.create_index("name")

    class Shop2(Shop):
        class Meta:
            collection_name = "shop"
            auto_create_indexes = True
            indexes = ["rank", IndexSpec(keys=(("name", 1),), sparse=True)]

    with pytest.raises(IndexConflictError) as caught:
        await register_model(Shop2, config)
    assert "apply(drop=True)" in caught.value.hint
    assert "rank_1" in [index["name"] for index in await Shop2.indexes.list()]
    await Shop2.indexes.apply(drop=True)
    await register_model(Shop2, config)
    await Shop2.indexes.hide("rank_1")
    await register_model(Shop2, config)


async def test_unique_and_soft_delete_coexist(register_any: Any) -> None:
    await register_any(Member)
    assert not await Member.indexes.plan()
    first = await Member.create(email="ann@example.com")
    with pytest.raises(DuplicateDocumentError):
        await Member.create(email="ann@example.com")
    await first.delete()
    second, made = await Member.get_or_create(email="ann@example.com", nick="ann")
    assert made
    with pytest.raises(DuplicateDocumentError):
        await first.restore()
    assert first.is_deleted
    await second.delete()
    assert await first.restore()
    assert await Member.all() == [first]


async def test_reads_use_a_unique_index_that_ignores_deleted(register: Any, raw: Any) -> None:
    await register(Member)
    raw.member.insert_one({"_id": 1, "email": "legacy@example.com"})  # from before the model deleted softly
    with pytest.raises(DuplicateDocumentError):
        await Member.create(email="legacy@example.com")
    filter_ = Member.filter(email="legacy@example.com").filter_document()
    plan = raw.command("explain", {"find": "member", "filter": filter_})["queryPlanner"]["winningPlan"]
    assert plan["inputStage"]["indexName"] == "email_1"
    with pytest.raises(DuplicateDocumentError):
        await Member.create(email="a@example.com", nick="n")
        await Member.create(email="b@example.com", nick="n")


async def test_uniqueness_may_count_deleted_documents(register: Any) -> None:
    class Strict(BaseModel, SoftDeleteMixin):
        email: Annotated[str, Indexed(unique=True, ignore_deleted=False)]

    await register(Strict)
    one = await Strict.create(email="a")
    await one.delete()
    with pytest.raises(DuplicateDocumentError):
        await Strict.create(email="a")


async def test_advice_makes_the_server_use_an_index(register: Any, raw: Any) -> None:
    await register(Shop)
    Shop.indexes.forget()
    await Shop.bulk_create([{"name": f"n{i}", "city": f"c{i % 7}", "rank": i} for i in range(200)])
    query = Shop.filter(city="c1", rank__gte=5).order_by("-name")
    for _ in range(3):
        await query
    await Shop.count(city="c2")
    await Shop.get_by_id(1)
    (advice,) = await Shop.indexes.advise()
    assert advice.keys == (("city", 1), ("name", -1), ("rank", 1))
    assert advice.queries == 4
    assert "sorted by -name" in advice.reason
    sent: dict[str, Any] = {"filter_": query.filter_document(), "sort": {"name": -1}}
    assert await winning_stages(raw, **sent) == {"SORT", "COLLSCAN"}
    assert await Shop.indexes.create(advice)
    assert await winning_stages(raw, **sent) == {"FETCH", "IXSCAN"}
    assert await winning_stages(raw, {"city": "c2"}) == {"FETCH", "IXSCAN"}
    assert await Shop.indexes.advise() == []


async def test_advice_covers_updates_pipelines_and_every_branch(register: Any, raw: Any) -> None:
    await register(Shop)
    Shop.indexes.forget()
    await Shop.filter(name="a").update(rank=1)
    await Shop.aggregate([{"$match": {"rank": {"$gt": 1}}}, {"$sort": {"rank": 1}}])
    await Shop.filter((Shop.f.city == "x") | (Shop.f.tags == "t"))
    await Shop.filter(tags="a", labels="b", city="c")
    advised = {advice.keys for advice in await Shop.indexes.advise()}
    assert advised == {(("name", 1),), (("rank", 1),), (("tags", 1), ("city", 1)), (("city", 1),)}
    for advice in await Shop.indexes.advise():
        assert await Shop.indexes.create(advice)
    assert "COLLSCAN" not in await winning_stages(raw, {"$or": [{"city": "x"}, {"tags": "t"}]})
    assert await Shop.indexes.advise() == []


async def test_memory_applies_what_it_can(any_config: DatabaseConfig) -> None:
    Wanted = declared(IndexSpec(keys=(("name", 1),), unique=True), "-rank")
    await register_model(Wanted, any_config)
    assert (await Wanted.indexes.apply()).created == ("name_1", "rank_-1")
    assert not await Wanted.indexes.plan()
    await Wanted.create(name="a")
    with pytest.raises(DuplicateDocumentError):
        await Wanted.create(name="a")
    Other = declared("-rank", IndexSpec(keys=(("city", 1),), unique=True))
    await register_model(Other, any_config)
    assert (await Other.indexes.apply(drop=True)).dropped == ("name_1",)
    with pytest.raises(DuplicateDocumentError) as caught:
        await Other.bulk_create([{"name": "b", "city": "Oslo"}, {"name": "c", "city": "Oslo"}])
    assert caught.value.model == "Declared"


@pytest.mark.parametrize(
    "index",
    [
        {"keys": [("name", "text")]},
        {"keys": [("name", "hashed")]},
        {"keys": ["$**"]},
        {"keys": ["name"], "collation": {"locale": "de"}},
        {"keys": ["name"], "hidden": True},
    ],
)
async def test_memory_refuses_what_it_has_not(index: Any) -> None:
    Wanted = declared(index)
    await register_model(Wanted, DatabaseConfig(mongo_uri="memory://indexes"))
    with pytest.raises(NotSupportedError):
        await Wanted.indexes.apply()


async def test_memory_lacks_hiding_and_changing() -> None:
    Before, After = declared("name"), declared(IndexSpec(keys=(("name", 1),), expire_after_seconds=5))
    for model in (Before, After):
        await register_model(model, DatabaseConfig(mongo_uri="memory://changes"))
    await Before.indexes.apply()
    with pytest.raises(NotSupportedError):
        await After.indexes.apply()
    with pytest.raises(NotSupportedError):
        await Before.indexes.hide("name_1")
