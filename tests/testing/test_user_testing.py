"""What the package gives to the tests of applications."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Annotated, Any

import pydantic
import pytest
from pydantic import EmailStr, Field

from mongodb_orm import BaseModel, DuplicateDocumentError, NotSupportedError, ObjectId, SoftDeleteMixin, register_models
from mongodb_orm.commands import Count, Find, FindOne, InsertOne, RunCommand, Update
from mongodb_orm.testing import RecordingDriver, assert_commands
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

def test_write_the_uri(mongo_server, tmp_path_factory):
    with open(os.environ["URIS"], "a") as file:
        file.write(mongo_server + "\\\\n")
"""


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


def run_pytest(folder: Path, *options: str, settings: str = "") -> str:
    package = folder / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "models.py").write_text(MODELS)
    (folder / "test_shop.py").write_text(textwrap.dedent(TESTS).replace("\\\\n", "\\n"))
    (folder / "pytest.ini").write_text(
        f"[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n{settings}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "pytest_asyncio.plugin", "-p", "xdist.plugin", *options],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "mongodb_orm.testing.plugin",
            "URIS": str(folder / "uris"),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_plugin(tmp_path: Path) -> None:
    assert "11 passed" in run_pytest(tmp_path)


def test_the_plugin_starts_one_server_for_all_workers(tmp_path: Path) -> None:
    printed = run_pytest(tmp_path, "-n", "2", settings="mongodb_orm_models = shop.models")
    assert "11 passed" in printed


def test_the_plugin_on_a_loop_for_the_whole_session(tmp_path: Path, server_uri: str) -> None:
    settings = f"asyncio_default_test_loop_scope = session\nmongodb_orm_uri = {server_uri}\nmongodb_orm_models = shop"
    assert "11 passed" in run_pytest(tmp_path, settings=settings)
    assert (tmp_path / "uris").read_text().strip() == server_uri


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
