"""Several models written by one command, MongoDB 8's `bulkWrite`.

Verified on a stand-in: a proxy before the real MongoDB 6 announces MongoDB 8's wire version and runs the command by the
real server's `insert`, `update` and `delete`, see `mongodb8.py`. PyMongo and Motor really send it. What MongoDB 8
itself says to it was not seen.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from urllib.parse import urlsplit

import pydantic
import pymongo
import pytest
from mongodb8 import MongoDB8
from motor.motor_asyncio import AsyncIOMotorClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import Field
from pymongo.monitoring import CommandListener

from mongodb_orm import (
    BaseModel,
    BulkError,
    BulkWriter,
    ConnectionClosedError,
    ConnectionError,
    DatabaseConfig,
    DocumentNotFoundError,
    DuplicateDocumentError,
    HistoryMixin,
    Indexed,
    ObjectId,
    SoftDeleteMixin,
    StaleDocumentError,
    UnconfirmedWriteError,
    ValidationError,
    VersionedMixin,
    after,
    async_validator,
    before,
    comment_with_caller,
    register_models,
    run_transaction,
    transaction,
    unit_of_work,
)
from mongodb_orm.hooks import Create, Delete, Save, Update
from mongodb_orm.integrations.opentelemetry import instrument
from mongodb_orm.persistence import bulk
from mongodb_orm.persistence.notices import Written, observe
from mongodb_orm.testing import assert_commands


class User(BaseModel):
    id: ObjectId
    name: Annotated[str, Indexed(unique=True)]
    age: int = 0


class Order(BaseModel):
    id: ObjectId
    number: Annotated[int, Indexed(unique=True), Field(alias="no")] = 0


class Line(BaseModel, VersionedMixin):
    id: ObjectId
    text: str = ""


class Note(BaseModel, SoftDeleteMixin):
    id: ObjectId
    text: str = ""


MODELS = (User, Order, Line, Note)


@pytest.fixture
def newer(server_uri: str) -> Iterator[MongoDB8]:
    with MongoDB8(urlsplit(server_uri).port or 0) as server:
        yield server


@pytest.fixture
async def config(newer: MongoDB8, config: DatabaseConfig) -> DatabaseConfig:
    """The stand-in in the place of the real server."""
    return DatabaseConfig(mongo_uri=newer.uri, database_name=config.database_name, driver=config.driver)


class Counting(CommandListener):
    """The names of the writing commands that the driver sends."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: Any) -> None:
        if event.command_name in ("insert", "update", "delete") or event.command.get("ops"):
            self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


@pytest.mark.parametrize("version", [25, 17])
async def test_three_models_are_one_command_from_mongodb_8_on(
    newer: MongoDB8, config: DatabaseConfig, version: int
) -> None:
    newer.wire_version = version
    counting = Counting()
    kind: Any = AsyncIOMotorClient if config.driver == "motor" else pymongo.AsyncMongoClient
    client = kind(newer.uri, event_listeners=[counting], uuidRepresentation="standard")
    await register_models(*MODELS, client=client, database_name=config.database_name)
    with assert_commands(1 if version == 25 else 3) as sent:
        async with BulkWriter() as writer:
            for number in range(5):
                await writer.save(User(name=f"u{number}"), Order(number=number), Line(text=f"l{number}"))
    assert counting.names == (["bulkWrite"] if version == 25 else ["insert"] * 3)
    assert (writer.saved, await User.count(), await Order.count(), await Line.count()) == (15, 5, 5, 5)
    if version == 25:
        event = sent[0]
        assert (event.model, event.operation, event.shape) == ("User, Order, Line", "bulk_write", {})
        assert (event.database, event.collection) == (config.database_name, "user, order, line")
    closing = client.close()
    if closing is not None:
        await closing


async def stored_users() -> dict[str, int]:
    return {user.name: user.age async for user in User.all()}


async def test_everything_is_as_on_the_single_path(newer: MongoDB8, register: Any, raw: Any) -> None:
    await register(*MODELS)
    ann, gone = await User.bulk_create([{"name": "ann"}, {"name": "gone"}])
    line, old = await Line.bulk_create([{"text": "a"}, {"text": "old"}])
    note = await Note.create(text="n")
    same = await Order.create(number=7)
    raw.user.update_one({"_id": ann.id}, {"$set": {"age": 99, "unknown": 1}})
    before_ = ann.updated_at
    ann.name = "Ann"
    line.text = "b"
    new = Order(number=1)
    async with BulkWriter() as writer:
        await writer.save(ann, line, new, same)
        await writer.delete(gone, note, old)
    assert newer.requests[-1].kinds == [
        ("update", "user"),
        ("update", "line"),
        ("insert", "order"),
        ("delete", "user"),
        ("update", "note"),
        ("delete", "line"),
    ]
    assert len(newer.requests) == 1
    assert (writer.saved, writer.deleted) == (3, 3)
    assert raw.user.find_one({"_id": ann.id}) | {"updated_at": 0, "created_at": 0} == {
        "_id": ann.id, "name": "Ann", "age": 99, "unknown": 1, "created_at": 0, "updated_at": 0,
    }  # fmt: skip
    assert ann.updated_at > before_
    assert not any(document.is_changed for document in (ann, line, new, same))
    assert (line.version, raw.line.find_one({"_id": line.id})["version"]) == (2, 2)
    assert new.id is not None
    assert raw.order.find_one({"_id": new.id})["no"] == 1
    assert note.is_deleted
    assert raw.note.find_one({"_id": note.id})["is_deleted"] is True
    assert (await User.count(), await Line.count(), await Note.count()) == (1, 1, 0)
    for document in (gone, old):
        with pytest.raises(DocumentNotFoundError):
            await document.save()
    line.text = "c"
    await line.save()
    await note.restore()


async def test_counters_give_ids_in_one_trip_for_each_model(newer: MongoDB8, register: Any) -> None:
    class Plain(BaseModel):
        name: str

    class Other(BaseModel):
        name: str

    await register(Plain, Other)
    plains = [Plain(name=f"p{number}") for number in range(3)] + [Plain(id=50, name="given")]
    async with BulkWriter() as writer:
        for plain in plains:
            await writer.save(plain, Other(name=plain.name))
    assert [plain.id for plain in plains] == [1, 2, 3, 50]
    assert len(newer.requests) == 1
    assert (await Plain.create(name="next")).id == 51
    assert sorted([other.id async for other in Other.all()]) == [1, 2, 3, 4]


async def test_an_ordered_writer_keeps_the_order_and_stops_at_the_first_failure(newer: MongoDB8, register: Any) -> None:
    await register(*MODELS)
    ann, bob = await User.bulk_create([{"name": "ann"}, {"name": "bob"}])
    ann.age = bob.age = 5
    first, twin, last = Order(number=1), User(name="bob"), Line(text="x")
    writer = BulkWriter(ordered=True)
    await writer.save(first, ann, twin, bob)
    await writer.delete(ann)
    await writer.save(last)
    with pytest.raises(BulkError) as caught:
        await writer.flush()
    error = caught.value
    assert isinstance(error, DuplicateDocumentError)
    assert (error.model, error.index, error.fields, error.value) == (None, "name_1", ("name",), "bob")
    assert [(failure.index, type(failure.error), failure.fields) for failure in error.failures] == [
        (2, DuplicateDocumentError, ("name",))
    ]
    assert error.written == (0,)  # ann was given to be saved and then, instead, to be deleted
    assert str(error).startswith(
        "1 of the documents could not be written; 1 were. The first is item 2: Another User has"
    )
    assert (writer.saved, writer.deleted) == (1, 0)
    assert (twin.id, last.id) == (None, None)
    assert not first.is_changed
    assert bob.is_changed
    assert await stored_users() == {"ann": 0, "bob": 0}
    await User.get_by_id(ann.id)

    async with BulkWriter(ordered=True) as again:  # a name that is freed can be taken, by the order
        await again.delete(bob)
        await again.save(twin, last)
    assert newer.requests[-1].kinds == [("delete", "user"), ("insert", "user"), ("insert", "line")]


async def test_an_unordered_writer_tells_of_every_failure_and_writes_the_rest(newer: MongoDB8, register: Any) -> None:
    await register(*MODELS)
    ann = await User.create(name="ann")
    order = await Order.create(number=1)
    ann.age = 5
    entries = [Order(number=1), User(name="ann"), ann, Line(text="x"), User(name="new")]
    writer = BulkWriter()
    await writer.delete(order)
    for entry in entries:
        await writer.save(entry)
    await writer.save(Order(number=2), Order(number=2))
    with pytest.raises(BulkError) as caught:
        await writer.flush()
    assert [failure.index for failure in caught.value.failures] == [2, 7]
    assert caught.value.written == (0, 1, 3, 4, 5, 6)
    assert (writer.saved, writer.deleted) == (5, 1)
    assert await stored_users() == {"ann": 5, "new": 0}
    await writer.save(User(name="ann"), Note())  # positions go on
    with pytest.raises(BulkError) as caught:
        await writer.flush()
    assert [failure.index for failure in caught.value.failures] == [8]
    assert caught.value.failures[0].error.fields == ("name",)
    with pytest.raises(BulkError) as caught:
        async with BulkWriter() as other:
            await other.save(Order(number=2), User(name="newer"))
    assert caught.value.failures[0].error.fields == ("number",)  # by its name in the model, not by the stored one
    assert caught.value.__cause__ is caught.value.failures[0].error


async def test_what_somebody_else_changed_is_told(newer: MongoDB8, register: Any, raw: Any) -> None:
    await register(*MODELS)
    stale, fresh, doomed, absent = await Line.bulk_create([{"text": text} for text in "abcd"])
    lost, kept = await User.bulk_create([{"name": "lost"}, {"name": "kept"}])
    note, gone_note = await Note.bulk_create([{"text": "x"}, {"text": "y"}])
    raw.line.update_many({"_id": {"$in": [stale.id, doomed.id]}}, {"$inc": {"version": 1}})
    raw.line.delete_one({"_id": absent.id})
    raw.user.delete_many({"_id": {"$in": [lost.id, kept.id]}})
    raw.note.delete_one({"_id": gone_note.id})
    for line in (stale, fresh):
        line.text = "new"
    lost.age = 1
    for ordered in (False, True):
        fresh.text += "er"
        writer = BulkWriter(ordered=ordered)
        await writer.save(stale, fresh, lost)
        await writer.delete(doomed, note)
        if not ordered:
            await writer.delete(absent, kept, gone_note)
        with pytest.raises(BulkError) as caught:
            await writer.flush()
        found = {failure.index: failure.error for failure in caught.value.failures}
        assert {index: type(error) for index, error in found.items()} == {
            0: StaleDocumentError, 2: DocumentNotFoundError, 3: StaleDocumentError,
        }  # fmt: skip
        assert (found[0].expected, found[0].found) == (1, 2)
        assert caught.value.written == ((1,) if ordered else (1, 4))
        assert (writer.saved, writer.deleted) == (1, 0 if ordered else 1)
        assert (stale.version, stale.is_changed, fresh.is_changed) == (1, True, False)
    assert note.is_deleted
    assert not gone_note.is_deleted
    for document in (absent, kept):  # they are gone, as was wanted
        with pytest.raises(DocumentNotFoundError):
            await document.save()
    assert (await Line.get_by_id(doomed.id)) is not None


async def test_nothing_is_claimed_when_the_connection_is_lost(newer: MongoDB8, config: DatabaseConfig) -> None:
    await register_models(*MODELS, db_config=config.model_copy(update={"retry_writes": False}))
    ann = await User.create(name="ann")
    ann.age = 5
    updated_at = ann.updated_at
    new, late = Order(number=1), Line(text="x")
    seen: list[Written] = []
    stop = observe(BaseModel, seen.append)
    newer.breaks = [2]
    writer = BulkWriter(ordered=True)
    await writer.save(ann, new, late)
    with pytest.raises(ConnectionError) as caught:
        await writer.flush()
    stop()
    assert caught.value.is_outcome_unknown
    assert any("items 0 to 2 may be stored or not" in note for note in caught.value.__notes__)
    assert (writer.saved, writer.deleted) == (0, 0)
    assert ann.is_changed
    assert ann.updated_at == updated_at
    assert new.id is not None  # saving it again cannot store it twice
    assert [(written.model, written.is_certain) for written in seen] == [(User, False), (Order, False), (Line, False)]
    assert (await User.count(age=5), await Order.count(), await Line.count()) == (1, 1, 0)
    assert len(newer.requests) == 1
    with pytest.raises(BulkError) as again:
        async with BulkWriter() as writer:
            await writer.save(ann, new, late)
    assert [(failure.index, failure.fields) for failure in again.value.failures] == [(1, ("id",))]
    assert await Line.count() == 1


@pytest.mark.parametrize("broken_after", [0, 2, 4])
async def test_the_driver_tries_again_and_each_write_is_done_once(
    newer: MongoDB8, register: Any, raw: Any, broken_after: int
) -> None:
    await register(*MODELS)
    line, gone = await Line.bulk_create([{"text": "a"}, {"text": "gone"}])
    line.text = "b"
    newer.breaks = [broken_after]
    async with BulkWriter() as writer:
        await writer.save(User(name="ann"), line, Order(number=1))
        await writer.delete(gone)
    assert (writer.saved, writer.deleted) == (3, 1)
    first, second = newer.requests
    assert first.command["txnNumber"] == second.command["txnNumber"]
    assert (await User.count(), await Order.count(), await Line.count()) == (1, 1, 1)
    assert raw.line.find_one({"_id": line.id})["version"] == 2
    line.text = "c"
    await line.save()


async def test_nothing_is_claimed_when_the_task_is_cancelled(newer: MongoDB8, register: Any) -> None:
    await register(*MODELS)
    ann = await User.create(name="ann")
    ann.age, new, writer = 5, Order(number=1), BulkWriter()
    await writer.save(ann, new)
    seen: list[Written] = []
    stop = observe(BaseModel, seen.append)
    newer.pause = 0.5
    task = asyncio.create_task(writer.flush())
    while not newer.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stop()
    assert (writer.saved, ann.is_changed, new.is_changed) == (0, True, True)
    assert new.id is not None
    assert [(written.model, written.is_certain) for written in seen] == [(User, False), (Order, False)]


@pytest.fixture
def fail(admin: Any) -> Iterator[Callable[..., None]]:
    """Let the real server fail the next commands of a kind."""

    def set_(command: str, times: int = 1, **data: Any) -> None:
        admin.admin.command(
            {"configureFailPoint": "failCommand", "mode": {"times": times}, "data": {"failCommands": [command], **data}}
        )

    yield set_
    admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


async def test_a_unit_of_work_is_one_command_in_its_transaction(
    newer: MongoDB8, register: Any, fail: Any, raw: Any
) -> None:
    await register(*MODELS)
    ann, gone = await User.bulk_create([{"name": "ann"}, {"name": "gone"}])
    new = Order(number=1)
    ann.age = 5
    with assert_commands(1):
        async with unit_of_work() as work:
            work.add(ann, new, Line(text="x"))
            work.delete(gone)
    assert newer.requests[0].command["autocommit"] is False
    assert (await stored_users(), await Order.count(), await Line.count()) == ({"ann": 5}, 1, 1)

    ann.age, twin, other = 6, Order(number=1), Line(text="y")
    with pytest.raises(BulkError) as caught:
        async with unit_of_work() as work:
            work.add(ann, other, twin)
    assert isinstance(caught.value, DuplicateDocumentError)
    assert ([failure.index for failure in caught.value.failures], caught.value.written) == ([2], ())
    assert (ann.is_changed, other.id, twin.id) == (True, None, None)
    assert (await stored_users(), await Order.count(), await Line.count()) == ({"ann": 5}, 1, 1)

    line = await Line.filter(text="x").one()
    raw.line.update_one({"_id": line.id}, {"$inc": {"version": 1}})
    line.text = "stale"
    with pytest.raises(BulkError) as caught:
        async with unit_of_work() as work:
            work.add(ann, line)
    assert ([failure.index for failure in caught.value.failures], caught.value.written) == ([1], ())
    assert (line.version, line.is_changed, await stored_users()) == (1, True, {"ann": 5})

    fail("insert", times=2, errorCode=112, errorLabels=["TransientTransactionError"])
    newer.requests.clear()
    async with unit_of_work() as work:
        work.add(ann, other)
    assert len(newer.requests) == 3
    assert await stored_users() == {"ann": 6}
    assert await Line.get_by_id(other.id) == other

    newer.requests.clear()
    newer.breaks = [1]  # a lost connection drops the transaction, which is done again
    ann.age = 7
    async with unit_of_work() as work:
        work.add(ann, Line(text="z"))
    assert len(newer.requests) == 2
    assert (await stored_users(), await Line.count()) == ({"ann": 7}, 3)


async def test_a_writer_takes_part_in_the_transaction_around_it(newer: MongoDB8, register: Any, raw: Any) -> None:
    await register(*MODELS)
    line = await Line.create(text="a")
    users = [User(name="ann"), User(name="bob")]
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            async with BulkWriter(size=2) as writer:
                await writer.save(users[0], Order(number=1))
                await writer.save(users[1], Order(number=2))
            assert (writer.saved, await User.count(), raw.user.count_documents({})) == (4, 2, 0)
            raise ZeroDivisionError
    assert [user.id for user in users] == [None, None]
    assert await User.count() == 0

    async def work() -> None:
        async with BulkWriter() as writer:
            await writer.save(*users)
            line.text = "b"
            await writer.save(line, Order(number=3))

    await run_transaction(work)
    assert (await User.count(), await Order.count()) == (2, 1)
    raw.line.update_one({}, {"$inc": {"version": 1}})
    line.text = "c"
    with pytest.raises(BulkError) as caught:
        async with transaction(), BulkWriter() as writer:
            await writer.save(line, Order(number=4))
    assert isinstance(caught.value.failures[0].error, StaleDocumentError)
    assert await Order.count() == 1
    with pytest.raises(BulkError) as caught:
        async with transaction(), BulkWriter() as writer:
            await writer.save(Note(), Order(number=3), User(name="late"))
    assert ([failure.index for failure in caught.value.failures], caught.value.written) == ([1], ())
    assert (await Note.count(), await User.count()) == (0, 2)


async def test_a_write_that_too_few_members_confirm(newer: MongoDB8, register: Any, fail: Any) -> None:
    await register(*MODELS)
    fail("insert", writeConcernError={"code": 100, "errmsg": "too few"})
    with pytest.raises(UnconfirmedWriteError):
        async with BulkWriter() as writer:
            await writer.save(User(name="ann"), Order(number=1))
    assert (writer.saved, await User.count()) == (0, 1)


async def test_a_server_in_the_midst_of_an_upgrade_has_commands_for_each_collection(
    newer: MongoDB8, register: Any
) -> None:
    newer.is_downgraded = True
    await register(*MODELS)
    for number in range(2):
        with assert_commands(2):
            async with unit_of_work() as work:
                work.add(User(name=f"u{number}"), Order(number=number))
    assert (await User.count(), newer.requests) == (2, [])


async def test_the_server_is_asked_once_what_it_can(newer: MongoDB8, register: Any) -> None:
    await register(*MODELS)
    for number in range(3):
        async with BulkWriter() as writer:
            await writer.save(User(name=f"u{number}"), Order(number=number))
        async with BulkWriter() as writer:
            await writer.save(Order(number=10 + number))  # one command anyway
    assert (newer.probes, len(newer.requests)) == (1, 3)


async def test_models_on_several_connections_have_commands_of_their_own(
    newer: MongoDB8, config: DatabaseConfig, raw: Any
) -> None:
    elsewhere = DatabaseConfig(mongo_uri=newer.uri, database_name=config.database_name, app_name="elsewhere")
    await register_models(User, Line, db_config=config)
    await register_models(Order, db_config=elsewhere)
    await User.create(name="ann")
    writer = BulkWriter()
    with assert_commands(2):
        await writer.save(Order(number=1), User(name="ann"), Order(number=1), User(name="bob"))
        with pytest.raises(BulkError) as caught:
            await writer.flush()
    assert newer.requests == []
    assert sorted((failure.index, failure.error.model) for failure in caught.value.failures) == [
        (1, "User"),
        (2, "Order"),
    ]
    assert (caught.value.written, writer.saved) == ((0, 3), 2)


@pytest.mark.filterwarnings("ignore:write_concern")
async def test_writes_that_nobody_acknowledges_have_commands_of_their_own(
    newer: MongoDB8, config: DatabaseConfig
) -> None:
    careless = DatabaseConfig(mongo_uri=newer.uri, database_name=config.database_name, write_concern=0)
    await register_models(User, Order, db_config=careless)
    async with BulkWriter() as writer:
        await writer.save(User(name="ann"), Order(number=1))
    assert newer.requests == []


async def test_large_flushes_are_cut_into_commands(
    newer: MongoDB8, config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 4)
    await register_models(*MODELS, db_config=config.model_copy(update={"retry_writes": False}))
    async with BulkWriter(ordered=True) as writer:
        for number in range(5):
            await writer.save(User(name=f"u{number}"), Order(number=number))
    assert [len(request.ops) for request in newer.requests] == [4, 4, 2]
    newer.requests.clear()
    with pytest.raises(BulkError) as caught:
        async with BulkWriter(ordered=True) as writer:
            for number in range(5, 10):
                await writer.save(User(name=f"u{number}"), Order(number=2 if number == 6 else number))
    assert [len(request.ops) for request in newer.requests] == [4]
    assert ([failure.index for failure in caught.value.failures], caught.value.written) == ([3], (0, 1, 2))
    newer.breaks = [None, 1]
    with pytest.raises(ConnectionError) as lost:
        async with BulkWriter() as writer:
            for number in range(10, 20):
                await writer.save(User(name=f"u{number}"), Order(number=number))
    assert lost.value.__notes__[-1] == (
        "4 of 20 documents were stored before; items 4 to 7 may be stored or not; 12 were not sent."
    )


class Colour(Enum):
    RED = "red"


class Key(pydantic.BaseModel):
    code: uuid.UUID
    moment: datetime


class Rich(BaseModel):
    id: uuid.UUID = Field(default_factory=uuid.uuid4)
    key: Annotated[Key, Indexed(unique=True)]
    price: Decimal = Decimal("1.50")
    colours: set[Colour] = set()


async def test_values_are_encoded_as_on_the_single_path(newer: MongoDB8, register: Any) -> None:
    await register(Rich, User)
    key = Key(code=uuid.uuid4(), moment=datetime(2026, 1, 2, 3, tzinfo=UTC))
    rich = Rich(key=key)
    async with BulkWriter() as writer:
        await writer.save(rich, User(name="ann"))
    rich.price, rich.colours = Decimal("2.75"), {Colour.RED}
    async with BulkWriter() as writer:
        await writer.save(rich, User(name="bob"))
    assert await Rich.get_by_id(rich.id) == rich
    with pytest.raises(BulkError) as caught:
        async with BulkWriter() as writer:
            await writer.save(Rich(key=key), User(name="cec"))
    assert caught.value.value == key.model_dump()
    async with BulkWriter() as writer:
        await writer.delete(rich)
        await writer.save(User(name="dan"))
    assert await Rich.count() == 0


log: list[str] = []


class Watched(BaseModel):
    id: ObjectId
    name: str

    @before(Save)
    def tidy(self) -> None:
        self.name = self.name.strip()
        log.append(f"before save {self.name}")

    @before(Delete)
    async def veto(self) -> None:
        if self.name == "dear":
            raise PermissionError(self.name)

    @after(Create)
    def made(self) -> None:
        log.append(f"made {self.name}")

    @after(Update)
    async def changed(self) -> None:
        log.append(f"changed {self.name}")

    @after(Delete)
    def removed(self) -> None:
        log.append(f"removed {self.name}")


class Kept(BaseModel, HistoryMixin):
    id: ObjectId
    name: str


async def test_hooks_run_around_the_one_command(newer: MongoDB8, register: Any, raw: Any) -> None:
    await register(Watched, User, Kept)
    known, dear, gone = await Watched.bulk_create([{"name": name} for name in ("known", "dear", "gone")])
    kept = await Kept.create(name="k")
    kept.name = "K"
    raw.watched.delete_one({"_id": gone.id})
    log.clear()
    known.name = " changed "
    seen: list[Any] = []
    stop = observe(BaseModel, lambda written: seen.append((written.model, written.kind, written.matched)))
    async with BulkWriter() as writer:
        await writer.save(Watched(name=" new "), User(name="ann"), known, kept)
        await writer.delete(gone)
    stop()
    assert log == ["before save changed", "before save new", "changed changed", "made new"]  # gone was gone already
    assert seen == [
        (Watched, "update", 1), (Kept, "update", 1), (Watched, "create", 1), (User, "create", 1)
    ]  # fmt: skip
    assert [version.kind for version in await kept.history()] == ["update", "create"]
    known.name = " again "
    user = User(name="bob")
    with pytest.raises(PermissionError):
        async with BulkWriter() as writer:
            await writer.save(known, user)
            await writer.delete(dear)
    assert (known.name, user.id) == (" again ", None)
    assert len(newer.requests) == 1
    with pytest.raises(BulkError):
        async with BulkWriter() as writer:
            await writer.save(Watched(id=known.id, name="twin"), known, User(name="cec"))
    assert await User.exists(name="cec")
    assert await Watched.exists(name="again")
    assert (known.name, known.is_changed) == ("again", False)  # what its hook did stays, since it was written


async def test_everything_is_validated_before_anything_is_sent(newer: MongoDB8, register: Any) -> None:
    await register(*MODELS)
    ann = await User.create(name="ann")
    bad_order, bad_line = Order(number=1), Line(text="x")
    bad_order.number = "many"  # type: ignore[assignment]
    bad_line.text = 5  # type: ignore[assignment]
    with pytest.raises(ValidationError) as caught:
        async with BulkWriter() as writer:
            await writer.save(User(name="bob"), bad_order, bad_line)
    assert [error["loc"] for error in caught.value.errors()] == [(1, "number"), (2, "text")]
    ann.age = "old"  # type: ignore[assignment]
    with pytest.raises(ValidationError) as caught:
        async with BulkWriter() as writer:
            await writer.save(User(name="bob"), ann)
    assert [error["loc"] for error in caught.value.errors()] == [(1, "age")]
    with pytest.raises(DocumentNotFoundError):
        async with BulkWriter() as writer:
            await writer.save(Order(number=5))
            await writer.delete(User(name="new"))
    assert newer.requests == []
    assert (await User.count(), await Order.count()) == (1, 0)


async def test_objects_of_other_databases_stay_there(newer: MongoDB8, register: Any, config: Any, admin: Any) -> None:
    await register(*MODELS)
    other = f"{config.database_name}_other"
    admin[other].user.insert_one({"_id": ObjectId(), "name": "far", "age": 1})
    far = await User.all().using(database=other).one()
    far.age = 2
    try:
        async with BulkWriter() as writer:
            await writer.save(far, User(name="near"))
        assert newer.requests[-1].namespaces == [f"{other}.user", f"{config.database_name}.user"]
        assert admin[other].user.find_one()["age"] == 2
    finally:
        admin.drop_database(other)


async def test_comments_go_along(newer: MongoDB8, register: Any) -> None:
    await register(*MODELS)
    comment_with_caller()
    try:
        async with BulkWriter() as writer:
            await writer.save(User(name="ann"), Order(number=1))
    finally:
        comment_with_caller(False)
    assert "test_comments_go_along" in newer.requests[0].command["comment"]


async def test_a_span_tells_of_the_command(newer: MongoDB8, register: Any) -> None:
    await register(*MODELS)
    spans, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    stop = instrument(tracers)
    try:
        async with BulkWriter() as writer:
            await writer.save(User(name="ann"), Order(number=1), User(name="bob"))
    finally:
        stop()
    (span,) = spans.get_finished_spans()
    assert span.name == "User, Order.bulk_write"
    assert span.attributes is not None
    assert span.attributes["db.operation.name"] == "bulkWrite"
    assert span.attributes["db.query.summary"] == "bulkWrite user, order"
    assert span.attributes["db.operation.batch.size"] == 3
    assert "db.collection.name" not in span.attributes


async def test_a_validator_and_an_actor_that_do_not_fit_leave_no_ids(newer: MongoDB8, register: Any) -> None:
    class Numbered(BaseModel):
        name: str

        @async_validator("name")
        async def not_odd(self, value: str) -> None:
            if value == "odd":
                raise ValueError("odd")

    await register(Numbered, User)
    fine, odd = Numbered(name="fine"), Numbered(name="odd")
    with pytest.raises(ValidationError) as caught:
        async with BulkWriter() as writer:
            await writer.save(User(name="ann"), fine, odd)
    assert [error["loc"] for error in caught.value.errors()] == [(2, "name")]
    assert fine.id is None
    assert newer.requests == []


async def test_a_client_of_another_event_loop_is_a_typed_error(newer: MongoDB8) -> None:
    client: pymongo.AsyncMongoClient[Any] = pymongo.AsyncMongoClient(newer.uri)
    await asyncio.to_thread(lambda: asyncio.run(client.admin.command("ping")))
    await register_models(User, Order, client=client, database_name="elsewhere", create_indexes=False)
    with pytest.raises(ConnectionClosedError):
        async with BulkWriter() as writer:
            await writer.save(User(name="ann"), Order(number=1))
