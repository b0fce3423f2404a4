"""Every verb that writes is told of: each document that differs afterwards is covered, and nothing else is claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Annotated, Any

import pydantic
import pymongo
import pytest

from mongodb_orm import (
    BaseModel,
    BulkWriter,
    ConnectionError,
    DuplicateDocumentError,
    HistoryMixin,
    Indexed,
    MongoDBORMError,
    NotSupportedError,
    SoftDeleteMixin,
    TimeoutError,
    TransactionError,
    UnconfirmedWriteError,
    VersionedMixin,
    Written,
    observe,
    transaction,
    unit_of_work,
)
from mongodb_orm.executor import connection_for


class Person(BaseModel):
    name: Annotated[str, Indexed(unique=True)]
    age: int = 0


class Kept(BaseModel, SoftDeleteMixin, VersionedMixin):
    name: Annotated[str, Indexed(unique=True)]


class People:
    """The documents that are there when a verb begins."""

    ann: Person
    ben: Person
    old: Kept
    gone: Kept
    rest: list[Kept]


class Age(pydantic.BaseModel):
    age: int


@pytest.fixture
def heard() -> Iterator[list[Written]]:
    notices: list[Written] = []
    stop = observe(BaseModel, notices.append)
    yield notices
    stop()


async def people() -> People:
    await Person.all().hard_delete()
    await Kept.with_deleted().hard_delete()
    them = People()
    them.ann, them.ben = await Person.bulk_create([{"name": "ann"}, {"name": "ben"}])
    them.old, them.gone, *them.rest = await Kept.bulk_create([{"name": name} for name in "abcd"])
    await them.gone.delete()
    for number in range(4):  # which leaves ids in stock, so that a new object needs no other trip
        await (await Person.create(name=str(number))).delete()
        await (await Kept.create(name=str(number))).hard_delete()
    return them


def older(person: Person) -> Person:
    person.age += 1
    return person


async def write_many(them: People) -> None:
    async with BulkWriter() as writer:
        await writer.save(older(them.ann), Person(name="new"), Kept(name="new"))
        await writer.delete(them.ben, them.old)


async def work(them: People) -> None:
    async with unit_of_work() as unit:
        unit.add(older(them.ann), Person(name="new"), Kept(name="new"))
        unit.delete(them.ben, them.old)


async def twice(them: People) -> None:
    await older(them.ann).save()
    await them.ann.delete()


SAVED = [("update", False)]
BY_QUERY = [("update", True)]
VERBS: dict[str, tuple[Callable[[People], Awaitable[Any]], list[tuple[str, bool]]]] = {
    "create": (lambda them: Person.create(name="new"), [("create", False)]),
    "save a new one": (lambda them: Person(name="new").save(), [("create", False)]),
    "save": (lambda them: older(them.ann).save(), SAVED),
    "save with force": (lambda them: them.ann.save(force=True), SAVED),
    "save with merge": (lambda them: older(them.ann).save(merge=True), SAVED),
    "save without changes": (lambda them: them.ann.save(), []),
    "update of an object": (lambda them: them.ann.update(age__inc=1), SAVED),
    "patch": (lambda them: them.ann.patch(Age(age=5)), SAVED),
    "patch with what is there": (lambda them: them.ann.patch(Age(age=0)), []),
    "delete": (lambda them: them.ann.delete(), [("delete", False)]),
    "delete softly": (lambda them: them.old.delete(), [("delete", False)]),
    "delete what is marked": (lambda them: them.gone.delete(), []),
    "hard delete": (lambda them: them.old.hard_delete(), [("delete", False)]),
    "restore": (lambda them: them.gone.restore(), [("restore", False)]),
    "restore what is there": (lambda them: them.old.restore(), []),
    "save and delete": (twice, [("update", False), ("delete", False)]),
    "get_or_create, make": (lambda them: Person.get_or_create(name="new"), [("create", False)]),
    "get_or_create, find": (lambda them: Person.get_or_create(name="ann"), []),
    "update_or_create, make": (lambda them: Person.update_or_create({"age": 5}, name="new"), [("create", False)]),
    "update_or_create, find": (lambda them: Person.update_or_create({"age": 5}, name="ann"), SAVED),
    "upsert, make": (lambda them: Person.upsert({"name": "new"}, age=5), [("create", False)]),
    "upsert, find": (lambda them: Person.upsert({"name": "ann"}, age=5), BY_QUERY),
    "update by query": (lambda them: Person.filter(age=0).update(age__inc=1), BY_QUERY),
    "update by query, none": (lambda them: Person.filter(age=7).update(age=1), []),
    "update_one": (lambda them: Person.filter(age=0).update_one(age=5), BY_QUERY),
    "update_one in order": (lambda them: Person.all().order_by("-name").update_one(age=5), BY_QUERY),
    "update_many": (lambda them: Person.update_many({"age": 0}, {"$set": {"age": 5}}), BY_QUERY),
    "find_one_and_update": (lambda them: Person.find_one_and_update({"name": "ann"}, age=5), BY_QUERY),
    "find_one_and_update, none": (lambda them: Person.find_one_and_update({"name": "x"}, age=5), []),
    "find_one_and_replace": (lambda them: Person.find_one_and_replace({"name": "ann"}, {"name": "x"}), BY_QUERY),
    "replace": (lambda them: Person.filter(name="ann").replace({"name": "x"}), BY_QUERY),
    "find_one_and_delete": (lambda them: Person.find_one_and_delete(name="ann"), [("delete", True)]),
    "find_one_and_delete softly": (lambda them: Kept.find_one_and_delete(name="a"), [("delete", True)]),
    "delete by query": (lambda them: Person.filter(age=0).delete(), [("delete", True)]),
    "delete by query, none": (lambda them: Person.filter(age=7).delete(), []),
    "delete by query softly": (lambda them: Kept.all().delete(), [("delete", True)]),
    "delete_many": (lambda them: Person.delete_many(), [("delete", True)]),
    "restore by query": (lambda them: Kept.all().restore(), [("restore", True)]),
    "hard delete by query": (lambda them: Kept.all().hard_delete(), [("delete", True)]),
    "purge": (lambda them: Kept.purge(older_than=timedelta(0)), [("delete", True)]),
    "bulk_create": (lambda them: Person.bulk_create([{"name": "x"}, {"name": "y"}]), [("create", False)]),
    "bulk_create of nothing": (lambda them: Person.bulk_create([]), []),
    "bulk_insert": (lambda them: Person.bulk_insert([{"name": "x"}, {"name": "y"}]), [("create", False)]),
    "bulk_save": (lambda them: Person.bulk_save([older(them.ann), them.ben]), SAVED),
    "bulk_save of both": (
        lambda them: Person.bulk_save([older(them.ann), Person(name="x")]),
        [*SAVED, ("create", False)],
    ),
    "bulk_save of nothing": (lambda them: Person.bulk_save([them.ann]), []),
    "bulk_update": (lambda them: Person.bulk_update({them.ann.id: {"age": 5}, 99: {"age": 5}}), BY_QUERY),
    "bulk_update, none": (lambda them: Person.bulk_update({99: {"age": 5}}), []),
    "bulk_delete of objects": (lambda them: Person.bulk_delete([them.ann, them.ben]), [("delete", False)]),
    "bulk_delete softly": (lambda them: Kept.bulk_delete([them.old, *them.rest]), [("delete", False)]),
    "bulk_delete of marked ones": (lambda them: Kept.bulk_delete([them.gone]), []),
    "bulk_delete by id": (lambda them: Person.bulk_delete([them.ann.id, 99]), [("delete", True)]),
    "BulkWriter": (write_many, [*SAVED, ("create", False), ("create", False), ("delete", False), ("delete", False)]),
}
UNITS = {"unit_of_work": (work, VERBS["BulkWriter"][1])}


async def stored() -> dict[tuple[str, Any], dict[str, Any]]:
    found: dict[tuple[str, Any], dict[str, Any]] = {}
    for model in (Person, Kept):
        connection = await connection_for(model)
        rows = connection.driver.client[connection.database][model.__mongo_spec__.collection].find({})
        found |= {(model.__name__, row["_id"]): row for row in await rows.to_list(None)}
    return found


def same(raw: dict[str, Any] | None, row: dict[str, Any] | None) -> bool:
    """Return whether a document of a notice is a stored row, whatever a plain client makes of its dates."""
    if raw is None or row is None:
        return raw is row
    return raw.keys() == row.keys() and all(
        value == raw[name] for name, value in row.items() if name in ("_id", "name", "age", "is_deleted", "version")
    )


def check(notices: list[Written], before: dict[Any, Any], after: dict[Any, Any]) -> None:
    """Prove that the notices cover what differs, that their documents are the stored ones, and claim nothing more."""
    differing = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    covered: set[Any] = set()
    for notice in notices:
        name = notice.model.__name__
        covered |= {(name, id_) for id_ in notice.ids}
        if notice.is_by_query:
            assert notice.matched or not notice.is_certain
            covered |= {key for key in differing if key[0] == name}
        elif notice.is_certain:
            assert {(name, id_) for id_ in notice.ids} <= differing
            assert notice.matched == len(notice.ids)
    assert differing <= covered
    assert differing or not [notice for notice in notices if notice.is_certain]


async def test_a_verb_is_told(register_any: Any, heard: list[Written]) -> None:
    await register_any(Person, Kept)
    for verb, (write, expected) in VERBS.items():
        them, before = await people(), await stored()
        heard.clear()
        try:
            await write(them)
        except NotSupportedError:
            assert (await connection_for(Person)).driver.name == "memory"
            continue
        after = await stored()
        check(heard, before, after)
        assert [(notice.kind, notice.is_by_query) for notice in heard] == expected, verb
        for notice in heard:
            assert notice.is_certain
            for old, new in notice.pairs() if not notice.is_by_query and verb != "save and delete" else ():
                key = (notice.model.__name__, (new or old or {})["_id"])
                assert same(old, before.get(key)) and same(new, after.get(key)), verb


async def test_inside_a_transaction_it_is_told_after_the_commit(register: Any, heard: list[Written]) -> None:
    await register(Person, Kept)
    for verb, (write, expected) in (VERBS | UNITS).items():
        them, before = await people(), await stored()
        heard.clear()
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await write(them)
                raise ZeroDivisionError
        assert (heard, await stored()) == ([], before), verb
        them.ann.age = 0
        async with transaction():
            await write(them)
            assert heard == []
        check(heard, before, await stored())
        assert [(notice.kind, notice.is_by_query) for notice in heard] == expected, verb


@pytest.fixture
def fail(admin: Any) -> Iterator[Callable[..., int]]:
    """Sets the failpoint, and returns how often it was entered so far."""

    def set_(*commands: str, times: Any = 2, **data: Any) -> int:
        mode: Any = {"times": times} if isinstance(times, int) else times
        data = {"failCommands": list(commands), **data}
        return int(admin.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})["count"])

    yield set_
    admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


WRITES = ("insert", "update", "delete", "findAndModify")


FAILING = (
    "create", "save", "update of an object", "delete", "delete softly", "restore", "upsert, make", "upsert, find",
    "update by query", "find_one_and_update", "find_one_and_delete", "bulk_create", "bulk_save of both", "bulk_update",
    "bulk_delete softly", "BulkWriter",
)  # fmt: skip


@pytest.mark.parametrize("way", ["lost", "refused", "unconfirmed", "cancelled"])
async def test_a_write_that_fails(register: Any, heard: list[Written], fail: Any, admin: Any, way: str) -> None:
    await register(Person, Kept)
    for verb in FAILING[::3] if way == "lost" else FAILING:  # a lost connection takes half a second
        write, _ = VERBS[verb]
        them, before = await people(), await stored()
        heard.clear()
        if way == "cancelled":
            entered = fail(*WRITES, times="alwaysOn", blockConnection=True, blockTimeMS=150)
            task = asyncio.ensure_future(write(them))
            await asyncio.to_thread(
                admin.admin.command,
                {"waitForFailPoint": "failCommand", "timesEntered": entered + 1, "maxTimeMS": 10_000},
            )
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            fail(times="off")
            await asyncio.sleep(0.2)  # till the server is through with it
        elif way == "lost":
            fail(*WRITES, times="alwaysOn", closeConnection=True)
            with pymongo.timeout(0.1), pytest.raises((ConnectionError, TimeoutError)) as lost:
                await write(them)
            assert lost.value.is_outcome_unknown
            fail(times="off")
        elif way == "unconfirmed":
            fail(*WRITES, times=1, writeConcernError={"code": 100, "errmsg": "too few members"})
            with pytest.raises(UnconfirmedWriteError) as unconfirmed:
                await write(them)
            assert unconfirmed.value.is_outcome_unknown
        else:
            fail(*WRITES, times=1, errorCode=13)
            with pytest.raises(MongoDBORMError) as refused:
                await write(them)
            assert not refused.value.is_outcome_unknown
        check(heard, before, await stored())
        doubts = [notice for notice in heard if not notice.is_certain]
        assert bool(doubts) == (way != "refused" or verb == "update by query"), verb


async def test_a_passing_lack_of_confirmation_is_not_noticed(register: Any, heard: list[Written], fail: Any) -> None:
    await register(Person, Kept)
    for verb in ("create", "save", "update of an object", "find_one_and_update", "find_one_and_delete"):
        write, expected = VERBS[verb]
        them, before = await people(), await stored()
        heard.clear()
        # The answer of a primary that steps down, with a code for which the driver does not look for another one.
        passing = {"code": 100, "errmsg": "the members change"}
        fail(*WRITES, times=1, writeConcernError=passing, errorLabels=["RetryableWriteError"])
        await write(them)
        check(heard, before, await stored())
        assert [(notice.kind, notice.is_by_query) for notice in heard] == expected, verb


async def test_a_write_by_query_that_fails_half_way(register_any: Any, heard: list[Written]) -> None:
    await register_any(Person, Kept)
    await people()
    before = await stored()
    heard.clear()
    with pytest.raises(DuplicateDocumentError):
        await Person.all().update(name="x")
    check(heard, before, await stored())
    assert [(notice.kind, notice.is_certain, notice.is_by_query) for notice in heard] == [("update", False, True)]
    heard.clear()
    with pytest.raises(DuplicateDocumentError):
        await Person.filter(name="x").update_one(name="ben")
    assert heard == []


async def test_the_history_keeps_what_a_write_by_query_did_before_it_failed(register_any: Any) -> None:
    class Page(BaseModel, HistoryMixin):
        title: Annotated[str, Indexed(unique=True)]

    await register_any(Page)
    pages = await Page.bulk_create([{"title": "a"}, {"title": "b"}])
    with pytest.raises(DuplicateDocumentError):
        await Page.all().update(title="x")
    assert sorted([len(await page.history()) for page in pages]) == [1, 2]


async def test_a_commit_whose_outcome_is_unknown(
    register: Any, heard: list[Written], fail: Any, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mongodb_orm.connections.transactions._COMMIT_SECONDS", 0.0)
    await register(Person, Kept)
    them = await people()
    before = await stored()
    heard.clear()
    fail("commitTransaction", times=1, errorCode=50)
    with pytest.raises(TransactionError) as caught:
        async with transaction():
            await older(them.ann).save()
            await Person.filter(name="ben").update(age=5)
    admin.admin.command("killAllSessions", [])  # the server still has the transaction, with its locks
    assert caught.value.is_outcome_unknown
    assert [(notice.is_certain, notice.is_by_query) for notice in heard] == [(False, False), (False, True)]
    check(heard, before, await stored())


async def test_the_history_and_observers_do_not_depend_on_one_another(register_any: Any) -> None:
    class Page(BaseModel, HistoryMixin):
        title: str

    await register_any(Page)

    def refuse(written: Written) -> None:
        raise RuntimeError("no")

    stop = observe(Page, refuse)
    try:
        for write in (Page(title="a").save, lambda: Page.filter(title="a").update(title="b")):
            with pytest.raises(RuntimeError):
                await write()
    finally:
        stop()
    page = await Page.filter(title="b").one()
    assert [version.kind for version in await page.history()] == ["update", "create"]
