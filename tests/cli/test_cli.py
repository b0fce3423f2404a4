"""The command line, as a user types it, on the real server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson import Decimal128, ObjectId

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

HELP = """\
Usage: mongodb-orm [OPTIONS] COMMAND [ARGS]...

  Look at and take care of a MongoDB database and its models.

Options:
  -u, --uri URI        The server. Default: MONGO_URI.
  -d, --database NAME  Default: MONGO_DATABASE.
  --driver NAME        motor or pymongo.
  -m, --models MODULE  A module or package with models. May be repeated.
  --help               Show this message and exit.

Commands:
  models   List the models: collection, id, fields, indexes.
  health   Ask whether the database answers; exit code 1 when it does not.
  inspect  Propose a model class for a collection, as Python source.
  check    Report the documents that no longer fit their model.
  shell    Open a shell with the models and top-level await.
  server   Run the embedded mongod until Ctrl-C, and print its URI.
  indexes  Compare the declared indexes with the server's, and build them.

  Exit codes: 0 all is well, 1 something was found, 2 wrong use, 3 the work
  could not be done.
"""


class CommandLine:
    def __init__(self, folder: Path, uri: str, database: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "MONGO_URI": uri,
            "MONGO_DATABASE": database,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "COLUMNS": "80",
            "NO_COLOR": "1",
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "mongodb_orm.cli", *arguments]

    def __call__(self, *arguments: str, stdin: str | None = None, code: int = 0) -> str:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def database(admin: pymongo.MongoClient[dict[str, Any]]) -> Iterator[Any]:
    name = f"cli_{uuid.uuid4().hex[:10]}"
    yield admin[name]
    admin.drop_database(name)


@pytest.fixture
def cli(tmp_path: Path, server_uri: str, database: Any) -> CommandLine:
    (tmp_path / "shop_models.py").write_text(MODELS)
    return CommandLine(tmp_path, server_uri, database.name)


def test_help_is_what_it_was(cli: CommandLine) -> None:
    assert cli("--help").replace("python -m mongodb_orm.cli", "mongodb-orm") == HELP


@pytest.mark.parametrize(
    "command", ["models", "indexes", "indexes plan", "indexes apply", "health", "inspect", "check", "shell", "server"]
)
def test_every_command_explains_itself(cli: CommandLine, command: str) -> None:
    shown = cli(*command.split(), "--help")
    assert shown.startswith("Usage: ")
    assert "--help" in shown


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
        == '''"""Proposed from 3 documents of 'users'; read it before you use it."""

from mongodb_orm import BaseModel


class Users(BaseModel):
    class Meta:
        collection_name = 'users'

    kind: str  # one of 'a', 'b'
    n: float  # 1 to 2.5
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
    lines = 'shop = await Shop.create(name="x")\nprint("made", shop.id)\n1/0\nawait Shop.count()\n'
    shown = cli("-m", "shop_models", "shell", stdin=lines)
    assert "made 1" in shown
    assert "ZeroDivisionError" in shown
    assert shown.rstrip().splitlines()[-1].endswith("1") or ">>> 1" in shown


def test_the_server_runs_until_it_is_told_to_end(cli: CommandLine) -> None:
    process = subprocess.Popen(
        cli.command("server"), cwd=cli.folder, env=cli.environment, stdout=subprocess.PIPE, text=True
    )
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
        process.stdout.close()
        process.wait()
