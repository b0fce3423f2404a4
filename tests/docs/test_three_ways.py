"""The table of the page "Querying": keywords, expressions and mongosh find the same, and are the same command."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import types
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.command_cursor import CommandCursor
from pymongo.cursor import Cursor

from mongodb_orm import BaseModel, Nearby, Page, QuerySet, close_all_connections
from mongodb_orm.compiler.operators import LOOKUPS

PAGE = Path(__file__).parents[2] / "docs" / "querying.md"
TEXT = PAGE.read_text(encoding="utf-8")
TABLE, VERBS = (
    part.split("\n\n")[0].splitlines()[1:] for part in TEXT.split("| task | keywords | expressions | MongoDB |\n")[1:]
)
REFERENCE = TEXT[TEXT.index("| lookup | takes |") :].split("\n\n")[0].splitlines()[2:]
INTERNAL = {
    *(
        "but",
        "stages",
        "find_command",
        "read_command",
        "count_command",
        "aggregate_command",
        "write_options",
        "narrowed",
    ),
    *("refuse_window", "whole_number"),
}
METHODS = {"countDocuments", "estimatedDocumentCount", "findOne", "maxTimeMS", "allowDiskUse"}
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEY = re.compile(r"([{,]\s*)([$A-Za-z_][\w$]*)\s*:")


def cells(row: str) -> list[str]:
    parts = [part.strip().replace("\\|", "|") for part in re.split(r"(?<!\\)\|", row.strip().strip("|"))]
    return [part.strip("`") for part in parts]


def in_python(shell: str) -> str:
    """Return a mongosh command as the same call of PyMongo's."""
    quoted = KEY.sub(r'\1"\2":', shell)
    for method in METHODS:
        quoted = quoted.replace(f".{method}(", "." + re.sub("([A-Z]+)", r"_\1", method).lower() + "(")
    return re.sub(r"\bnull\b", "None", re.sub(r"\btrue\b", "True", re.sub(r"\bfalse\b", "False", quoted)))


@pytest.fixture
async def page(server_uri: str, admin: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MONGO_URI", server_uri)
    monkeypatch.setenv("MONGO_DATABASE", "docs_three_ways")
    admin.drop_database("docs_three_ways")
    module = types.ModuleType("docs_three_ways")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for source in BLOCK.findall(TEXT[: TEXT.index("| task | keywords |")]):
        result = eval(compile(source, str(PAGE), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), module.__dict__)
        if inspect.isawaitable(result):
            await result
    yield module.__dict__
    await close_all_connections()
    admin.drop_database("docs_three_ways")


def on_one_line(shell: str) -> str:
    return re.sub(r"\n\s*", "", re.sub(r",\n\s*", ", ", shell))


def plain(found: Any) -> Any:
    """Return what was found as ids and values, whoever found it."""
    if isinstance(found, BaseModel):
        return found.id
    if isinstance(found, Page):
        return plain(found.items)
    if isinstance(found, Nearby):
        return plain(found.document)
    if isinstance(found, dict) and found.get("_id") is not None:
        return found["_id"]
    if isinstance(found, dict):
        return found["value"] if "value" in found else plain(list(found.values())) if 1 in found else found
    if isinstance(found, list | Cursor | CommandCursor):
        items = [plain(item) for item in found]
        return items[0] if len(items) == 1 else items
    return found


async def test_every_row(page: Any, admin: Any) -> None:
    assert len(TABLE) > 20
    names = {"db": admin["docs_three_ways"], "ISODate": lambda text: datetime.fromisoformat(text)}
    for row in TABLE:
        task, keywords, expressions, shell = cells(row)
        by_keyword, by_expression = eval(keywords, page), eval(expressions, page)
        assert on_one_line(by_keyword.mql()) == shell, task
        assert on_one_line(by_expression.mql()) == shell, task
        found = list(eval(in_python(shell), names))
        assert await by_keyword.raw() == await by_expression.raw(), task
        assert [each["_id"] for each in await by_keyword.raw()] == [each["_id"] for each in found], task
        assert found, f"the row {task!r} finds nothing, so it shows nothing"


async def test_every_verb(page: Any, admin: Any) -> None:
    assert len(VERBS) > 10
    for row in VERBS:
        task, keywords, expressions, shell = cells(row)
        by_shell = plain(eval(in_python(shell), {"db": admin["docs_three_ways"]}))
        assert plain(await eval(keywords, page)) == by_shell, task
        assert plain(await eval(expressions, page)) == by_shell, task
        assert by_shell, f"the row {task!r} gives nothing, so it shows nothing"


def test_every_lookup_is_on_the_page() -> None:
    said = {name for row in REFERENCE for name in re.findall(r"`([a-z_]+)`", row.split("|")[1]) if "__" not in name}
    builtin = {row.name for row in LOOKUPS.values() if row.compile.__module__.startswith("mongodb_orm.")}
    assert builtin <= said
    shown = " ".join(TABLE)
    assert sorted(name for name in said - {"eq"} if f"__{name}" not in shown and f".{name}(" not in shown) == []


def test_every_method_of_a_query_is_on_the_page() -> None:
    methods = {name for name in dir(QuerySet) if not name.startswith("_") and callable(getattr(QuerySet, name))}
    table = TEXT[TEXT.index("| to | write |") :].split("\n\n")[0]
    assert sorted(name for name in methods - INTERNAL if f"`{name}" not in table) == []
