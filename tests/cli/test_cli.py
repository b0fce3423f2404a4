"""The command line, as a user types it, on the real server."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson import Decimal128, ObjectId
from typer.testing import CliRunner

from mongodb_orm.cli.application import app
from mongodb_orm.cli.inspecting import propose_model

MODELS = """
from typing import Annotated

from mongodb_orm import BaseModel, Indexed, SoftDeleteMixin


class Shop(BaseModel):
    name: Annotated[str, Indexed(unique=True)]
    city: str = "Oslo"


class Order(BaseModel, SoftDeleteMixin):
    shop_id: int
    amount: float = 0
"""

HELP = Path(__file__).parent / "help"
COMMANDS = ["", "models", "indexes", "indexes plan", "indexes apply", "health", "inspect", "check", "shell", "server"]


class CommandLine:
    """The command line, called in this process, or as a program, which is what users do and takes a second longer."""

    def __init__(self, folder: Path, uri: str, database: str) -> None:
        self.folder = folder
        self.environment = {"MONGO_URI": uri, "MONGO_DATABASE": database, "COLUMNS": "80", "NO_COLOR": "1"}

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, arguments, prog_name="mongodb-orm", env=self.environment)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        assert done.exit_code == code, done.output
        return done.output

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-m", "mongodb_orm.cli", *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen(command, cwd=self.folder, env=environment, **pipes)

    def program(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        process = self.start(*arguments, stderr=subprocess.STDOUT)
        try:
            output, _ = process.communicate(stdin, timeout=60)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == code, output
        return output


@pytest.fixture
def database(admin: pymongo.MongoClient[dict[str, Any]]) -> Iterator[Any]:
    name = f"cli_{uuid.uuid4().hex[:10]}"
    yield admin[name]
    admin.drop_database(name)


@pytest.fixture
def cli(tmp_path: Path, server_uri: str, database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    (tmp_path / "shop_models.py").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    yield CommandLine(tmp_path, server_uri, database.name)
    for module in ("shop_models", "proposed"):
        sys.modules.pop(module, None)


def page_of(command: str) -> Path:
    return HELP / f"{command.replace(' ', '-') or 'mongodb-orm'}.txt"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_what_it_was(command: str) -> None:
    """Each page of help is a file; run this with GOLDEN=write to write them anew, and read what changed."""
    done = CliRunner().invoke(app, [*command.split(), "--help"], prog_name="mongodb-orm", env={"COLUMNS": "80"})
    shown = re.sub(r" <list\[str\]>|[{}]| <str>", "", done.stdout)  # versions of typer name types differently
    if os.environ.get("GOLDEN") == "write":
        page_of(command).write_text(shown)
    assert shown == page_of(command).read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", page_of(command).read_text(), re.MULTILINE)
    assert [option for option in options if f"`{option}`" not in documented] == ["--help"]


def test_it_is_a_program(cli: CommandLine) -> None:
    assert cli.program(code=2).startswith("Usage: ")
    assert "no model 'Shp'" in cli.program("-m", "shop_models", "check", "Shp", code=2)
    assert "Traceback" not in cli.program("-u", "gopher://x", "health", code=3)
    assert cli.program("health").startswith("healthy: MongoDB 6")


def test_models(cli: CommandLine) -> None:
    listed = cli("-m", "shop_models", "models")
    assert re.search(r"Shop +│ shop ", listed)
    described = json.loads(cli("-m", "shop_models", "models", "--json"))
    assert [(row["model"], row["collection"], row["indexes"], row["deletes"]) for row in described] == [
        ("Shop", "shop", 1, "for good"),
        ("Order", "order", 0, "softly"),
    ]


def test_wrong_use(cli: CommandLine) -> None:
    assert "Say where the models are" in cli("models", code=2)
    assert "no model 'Shp'" in cli("-m", "shop_models", "check", "Shp", code=2)
    assert "cannot be imported" in cli("-m", "nowhere", "models", code=3)
    assert "Traceback" not in cli("-u", "gopher://x", "health", code=3)


def test_indexes_are_planned_and_applied(cli: CommandLine, database: Any) -> None:
    planned = cli("-m", "shop_models", "indexes", "plan", code=1)
    assert "+ build name_1 on name ascending (unique)" in planned
    assert database.list_collection_names() == []
    assert "created name_1" in cli("-m", "shop_models", "indexes", "apply", "Shop")
    assert "= as declared: name_1" in cli("-m", "shop_models", "indexes", "plan")
    database.shop.create_index("city")
    assert "- not declared: city_1" in cli("-m", "shop_models", "indexes", "plan", code=1)
    cli("-m", "shop_models", "indexes", "apply")
    assert "city_1" in database.shop.index_information()
    assert "dropped city_1" in cli("-m", "shop_models", "indexes", "apply", "--drop")
    assert "city_1" not in database.shop.index_information()


def test_health(cli: CommandLine) -> None:
    assert cli("health").startswith("healthy: MongoDB 6")
    assert json.loads(cli("health", "--json"))["topology"] == "replica_set"
    down = cli("-u", "mongodb://me:s3cret@localhost:1", "health", "--timeout", "0.3", code=1)
    assert down.startswith("not healthy: ")
    assert "s3cret" not in down


def test_check_finds_documents_that_do_not_fit(cli: CommandLine, database: Any) -> None:
    database.shop.insert_many([{"_id": n, "name": f"shop {n}"} for n in range(5)])
    assert "Every document fits." in cli("-m", "shop_models", "check")
    database.shop.insert_many([{"_id": 7, "name": "x", "city": 5}, {"_id": 8, "city": "Oslo"}, {"_id": 9, "name": "y"}])
    database.shop.update_one({"_id": 9}, {"$set": {"nickname": "zz"}})
    found = cli("-m", "shop_models", "check", code=1)
    assert "Shop 7: city: Input should be a valid string" in found
    assert "Shop 8: name: Field required" in found
    assert "Shop 9" not in found
    assert "Shop 9: nickname: unknown field" in cli("-m", "shop_models", "check", "--unknown", code=1)
    assert "stopped after 1" in cli("-m", "shop_models", "check", "Shop", "--limit", "1", code=1)


def test_inspect_proposes_a_class_that_reads_the_collection(cli: CommandLine, database: Any) -> None:
    database.person.insert_many(
        [
            {"_id": ObjectId(), "name": "Ann", "age": 31, "address": {"city": "Oslo", "zip": "0150"}, "tags": ["a"]},
            {"_id": ObjectId(), "name": "Bob", "age": None, "address": {"city": "Rome"}, "class": "b", "tags": []},
            {"_id": ObjectId(), "name": "Cecil", "balance": Decimal128("1.5"), "by_date": {"2026-01-01": 3}},
        ]
    )
    source = cli("inspect", "person")
    (cli.folder / "proposed.py").write_text(source)
    assert "class Person(BaseModel):" in source
    assert "    age: int | None = None  # in 67%; 31 to 31" in source
    assert "Every document fits." in cli("-m", "proposed", "check", "--unknown")
    assert "is empty" in cli("inspect", "nothing", code=1)


def test_a_proposal_word_by_word() -> None:
    assert (
        propose_model(
            "users",
            [{"_id": 1, "kind": "a", "n": 1}, {"_id": 2, "kind": "a", "n": 2.5}, {"_id": 3, "kind": "b", "n": 2}],
        )
        == '''"""Proposed from 3 documents of "users"; read it before you use it."""

from mongodb_orm import BaseModel


class Users(BaseModel):
    kind: str  # one of "a", "b"
    n: float  # 1 to 2.5
'''
    )


def test_a_proposal_knows_soft_deletion_nulls_and_names() -> None:
    stored = [{"_id": 1, "is_deleted": False, "deleted_at": None, "note": None, "many": [None], "a b": 'x"y'}]
    assert (
        propose_model("old-things", stored, name="Thing")
        == '''"""Proposed from 1 documents of "old-things"; read it before you use it."""

from typing import Any

from pydantic import Field

from mongodb_orm import BaseModel, SoftDeleteMixin


class Thing(BaseModel, SoftDeleteMixin):
    class Meta:
        collection_name = "old-things"

    note: Any = None  # always null
    many: list[Any]
    a_b: str = Field(alias="a b")  # 3 to 3 characters
'''
    )


@pytest.mark.parametrize(
    "document",
    [
        {"_id": {"a": 1}, "x": None},
        {"_id": "a", "class": 1, "model_config": 2, "é": 3, "with space": 4, "0": 5, "": 6},
        {"_id": 1, "mixed": [1, "a", None, {"b": 1}, [2]], "empty": [], "nothing": {}},
        {"_id": 1, "person": {"person": {"person": 1}}},
        {"_id": 1, "x": float("nan"), "y": b"\0", "z": uuid.UUID(int=1)},
        {"_id": 1, "address": {"city": "x"}, "billing": {"address": {"street": "y"}}},
    ],
)
def test_any_document_gives_source_that_compiles(document: dict[str, Any]) -> None:
    source = propose_model("odd-näme.x", [document])
    exec(compile(source, "proposed", "exec"), {"__name__": "proposed"})


def test_the_shell_awaits(cli: CommandLine) -> None:
    typed = [
        'shop = await Shop.create(name="x")',
        'print("made", shop.id)',
        "1/0",
        'await Shop.filter(nmae="x")',
        "await Shop.count()",
    ]
    lines = "\n".join([*typed, ""])
    shown = cli.program("-m", "shop_models", "shell", stdin=lines)
    assert "made 1" in shown
    assert "ZeroDivisionError" in shown
    assert "UnknownFieldError: Shop has no field 'nmae'. Did you mean 'name'?\n" in shown
    assert shown.count("Traceback") == 1
    assert shown.rstrip().splitlines()[-1].endswith("1") or ">>> 1" in shown


def test_the_server_runs_until_it_is_told_to_end(cli: CommandLine) -> None:
    process = cli.start("server")
    assert process.stdout is not None
    try:
        uri = process.stdout.readline().strip()
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(uri, serverSelectionTimeoutMS=5000)
        with client:
            client.test.things.insert_one({"_id": 1})
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        with (
            pytest.raises(pymongo.errors.ServerSelectionTimeoutError),
            pymongo.MongoClient(uri, serverSelectionTimeoutMS=200) as gone,
        ):
            gone.admin.command("ping")
    finally:
        process.kill()
        process.communicate()


def test_a_server_on_a_port_of_ones_own(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
        assert f"Port {port} is taken" in cli("server", "--port", port, code=3)
    process = cli.start("server", "--port", port, "--path", "data of mine")
    assert process.stdout is not None
    try:
        assert f"127.0.0.1:{port}/" in process.stdout.readline()
        assert (cli.folder / "data of mine" / "mongod.log").exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
