"""What the package gives to the tests of applications."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pydantic
import pytest
from pydantic import EmailStr, Field

from mongodb_orm import (
    BaseModel,
    DuplicateDocumentError,
    NotSupportedError,
    ObjectId,
    SoftDeleteMixin,
    TransactionError,
    on_commit,
    register_models,
)
from mongodb_orm.commands import Count, Find, FindOne, InsertOne, RunCommand, Update
from mongodb_orm.testing import RecordingDriver, assert_commands, rolled_back
from mongodb_orm.testing.factories import DocumentFactory
from mongodb_orm.types import Target

ROOT = Path(__file__).parents[2]

MODELS = """
from typing import Annotated
from mongodb_orm import BaseModel, Indexed

class User(BaseModel):
    username: Annotated[str, Indexed(unique=True)]

class Event(BaseModel):
    name: str
"""

TESTS = """
import os
import pytest
import mongodb_orm
from shop.models import Event, User

async def test_two_lines(mongo):
    assert (await User.create(username="ann")).id == 1

@pytest.mark.parametrize("turn", range(6))
async def test_the_database_is_clean_each_time(mongo, turn):
    assert await User.count() == 0
    user = await User.create(username="ann")
    assert user.id == 1
    await Event.create(name="x")

async def test_indexes_are_there(mongo):
    await User.create(username="ann")
    with pytest.raises(mongodb_orm.DuplicateDocumentError):
        await User.create(username="ann")

async def test_the_configuration(mongo):
    assert await mongodb_orm.health_check(db_config=mongo)
    assert mongo.database_name.startswith("test_")

async def test_without_the_fixture_nothing_is_connected():
    with pytest.raises(mongodb_orm.ModelNotInitializedError):
        await User.count()

@pytest.mark.parametrize("turn", range(3))
async def test_a_transaction_leaves_nothing(mongo_transaction, an_event, turn):
    assert await User.count() == 0
    await User.create(username="ann")
    async with mongodb_orm.transaction():
        await User.create(username="bob")
    assert await User.count() == 2
    assert await Event.count() == 1
    assert mongodb_orm.in_transaction()

@pytest.fixture
async def an_event(mongo_transaction):
    return await Event.create(name="begun")

@pytest.mark.parametrize("turn", range(4))
def test_write_the_uri(mongo_server, turn):
    with open(os.environ["URIS"], "a") as file:
        print(os.environ.get("PYTEST_XDIST_WORKER"), mongo_server, file=file)
"""

COUNT = 17


class Address(pydantic.BaseModel):
    city: str


class Member(BaseModel, SoftDeleteMixin):
    username: Annotated[str, Field(min_length=3, max_length=10)]
    email: EmailStr
    age: Annotated[int, Field(ge=18, le=99)]
    address: Address
    tags: list[str]


class Note(BaseModel):
    id: ObjectId
    text: str


class MemberFactory(DocumentFactory[Member]):
    age = 30


class NoteFactory(DocumentFactory[Note]): ...


def run_pytest(folder: Path, *options: str, settings: str = "", loop: str = "function", code: int = 0) -> str:
    package = folder / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "models.py").write_text(MODELS)
    (folder / "test_shop.py").write_text(TESTS)
    (folder / "pytest.ini").write_text(
        f"[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = {loop}\n{settings}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "pytest_asyncio.plugin", "-p", "xdist.plugin", *options],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")},
            "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "mongodb_orm.testing.plugin",
            "URIS": str(folder / "uris"),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def uris(folder: Path) -> tuple[set[str], set[str]]:
    """Return the workers that ran, and the servers that they used."""
    lines = [line.split() for line in (folder / "uris").read_text().splitlines()]
    return {worker for worker, _ in lines}, {uri for _, uri in lines}


def test_the_plugin(tmp_path: Path) -> None:
    assert f"{COUNT} passed" in run_pytest(tmp_path)


def test_the_plugin_starts_one_server_for_all_workers(tmp_path: Path) -> None:
    printed = run_pytest(tmp_path, "-n", "2", "--dist", "each")
    assert f"{2 * COUNT} passed" in printed
    workers, servers = uris(tmp_path)
    assert workers == {"gw0", "gw1"}
    assert len(servers) == 1


def test_workers_are_told_why_there_is_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_ORM_MONGOD", str(tmp_path / "nothing"))
    printed = run_pytest(tmp_path, "-n", "1", "-k", "write_the_uri", code=1)
    assert "EmbeddedServerError" in printed
    assert str(tmp_path / "nothing") in printed


@pytest.mark.parametrize("loop, chosen, count", [("session", "", COUNT), ("function", "not leaves_nothing", COUNT - 3)])
def test_the_plugin_on_a_loop_for_the_whole_session(
    tmp_path: Path, server_uri: str, loop: str, chosen: str, count: int
) -> None:
    settings = f"asyncio_default_test_loop_scope = session\nmongodb_orm_uri = {server_uri}\nmongodb_orm_models = shop"
    assert f"{count} passed" in run_pytest(tmp_path, "-k", chosen, settings=settings, loop=loop)
    assert uris(tmp_path) == ({"None"}, {server_uri})


async def test_what_is_rolled_back(register: Any, raw: Any) -> None:
    await register(Note)
    told: list[str] = []
    async with rolled_back() as session:
        note = await Note.create(text="x")
        assert session is not None
        assert await Note.count() == 1
        await on_commit(lambda: told.append("committed"))
    assert await Note.count() == 0
    assert raw["note"].count_documents({}) == 0
    assert (note.id, told) == (None, [])
    with pytest.raises(ZeroDivisionError):
        async with rolled_back(Note):
            await Note.create(text="x")
            raise ZeroDivisionError
    assert await Note.count() == 0


async def test_a_transaction_that_is_still_used_belongs_to_its_task(register: Any) -> None:
    await register(Note)
    async with rolled_back():
        with pytest.raises(TransactionError, match="another task"):
            await asyncio.create_task(Note.count())


async def test_commands_are_counted(register: Any) -> None:
    await register(Note)
    with assert_commands(2) as sent:
        note = await Note.create(text="secret")
        await Note.get_by_id(note.id)
    assert [event.operation for event in sent] == ["create", "get_by_id"]
    with assert_commands(0):
        await note.save()
    with assert_commands(at_most=1):
        await Note.filter(text="secret")
    with pytest.raises(AssertionError, match=r"1 commands were expected, 2 were sent") as caught, assert_commands(1):
        await Note.filter(text="secret")
        await Note.count()
    assert "Note.filter {'text': '?'}" in str(caught.value)
    assert "secret" not in str(caught.value)
    with pytest.raises(ZeroDivisionError), assert_commands(1):
        raise ZeroDivisionError


async def test_code_without_a_server() -> None:
    driver = RecordingDriver()
    await register_models(Member, Note, client=driver)
    driver.answer(Find, [{"_id": ObjectId(), "text": "found"}], [])
    driver.answer(Count, 7)
    assert [note.text for note in await Note.filter(text__startswith="f")] == ["found"]
    assert await Note.filter() == []
    assert await Note.filter() == []
    assert await Note.count() == 7
    assert await Note.get_by_id(ObjectId()) is None
    note = await Note.create(text="x")
    note.text = "y"
    await note.save()
    assert await Note.delete_many(text="y") == 1
    kinds = [type(command) for command in driver.commands]
    assert kinds[:5] == [Find, Find, Find, Count, FindOne]
    assert InsertOne in kinds
    update = next(command for command in driver.commands if isinstance(command, Update))
    assert isinstance(update.update, dict)
    assert update.update["$set"]["text"] == "y"
    first = driver.commands[0]
    assert isinstance(first, Find)
    assert first.filter == {"text": {"$regex": "^f"}}


async def test_the_recording_driver_counts_ids_and_raises() -> None:
    class Task(BaseModel):
        name: str

    driver = RecordingDriver()
    await register_models(Task, client=driver)
    assert [(await Task.create(name="a")).id, (await Task.create(name="b")).id] == [1, 2]
    driver.answer(InsertOne, DuplicateDocumentError("It is there.", model="Task"))
    with pytest.raises(DuplicateDocumentError):
        await Task.create(name="c")
    with pytest.raises(NotSupportedError, match=r"answer\(RunCommand"):
        await driver.execute(Target("db", "task", "Task"), RunCommand(command={"ping": 1}))


async def test_factories(register: Any) -> None:
    await register(Member, Note)
    built = MemberFactory.build()
    assert built.id is None
    assert built.age == 30
    assert not built.is_deleted
    assert 3 <= len(built.username) <= 10
    stored = await MemberFactory.create(age=18)
    assert (await Member.get_by_id(stored.id)) == stored
    batch = await MemberFactory.create_batch(5, address={"city": "Oslo"})
    assert await Member.count(address__city="Oslo") == 5
    assert len({member.username for member in batch}) > 1
    note = await NoteFactory.create()
    assert isinstance(note.id, ObjectId)
