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

from mongodb_orm import close_all_connections

PAGE = Path(__file__).parents[2] / "docs" / "querying.md"
TEXT = PAGE.read_text(encoding="utf-8")
TABLE = TEXT[TEXT.index("| task | keywords |") :].split("\n\n")[0].splitlines()[2:]
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEY = re.compile(r"([{,]\s*)([$A-Za-z_][\w$]*)\s*:")


def cells(row: str) -> list[str]:
    parts = [part.strip().replace("\\|", "|") for part in re.split(r"(?<!\\)\|", row.strip().strip("|"))]
    return [part.strip("`") for part in parts]


def in_python(shell: str) -> str:
    """Return a mongosh command as the same call of PyMongo's."""
    quoted = KEY.sub(r'\1"\2":', shell)
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


async def test_every_row(page: Any, admin: Any) -> None:
    assert len(TABLE) > 20
    names = {"db": admin["docs_three_ways"], "ISODate": lambda text: datetime.fromisoformat(text)}
    for row in TABLE:
        task, keywords, expressions, shell = cells(row)
        by_keyword, by_expression = eval(keywords, page), eval(expressions, page)
        assert by_keyword.mql() == shell, task
        assert by_expression.mql() == shell, task
        found = list(eval(in_python(shell), names))
        assert await by_keyword.raw() == await by_expression.raw(), task
        assert [each["_id"] for each in await by_keyword.raw()] == [each["_id"] for each in found], task
        assert found, f"the row {task!r} finds nothing, so it shows nothing"
