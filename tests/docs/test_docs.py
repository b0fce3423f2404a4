"""Every code block of README and docs runs, in order, page by page, on a real server."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mongodb_orm import close_all_connections
from mongodb_orm.compiler.operators import LOOKUPS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(python|text)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def lookups_are_forgotten() -> Iterator[None]:
    kept = dict(LOOKUPS)
    yield
    for name in LOOKUPS.keys() - kept.keys():
        del LOOKUPS[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
async def test_page(page: Path, server_uri: str, admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    database = f"docs_{page.stem.lower().replace('-', '_')}"
    monkeypatch.setenv("MONGO_URI", server_uri)
    monkeypatch.setenv("MONGO_DATABASE", database)
    module = types.ModuleType(f"docs_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    printed = ""
    for kind, source in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "text":
            assert printed.strip() == source.strip()
            continue
        code = compile(source, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            result = eval(code, module.__dict__)
            if inspect.isawaitable(result):
                await result
        printed = output.getvalue()
    await close_all_connections()
    admin.drop_database(database)


def test_links_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


async def test_the_quick_start_runs(server_uri: str) -> None:
    program = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(ROOT / "examples" / "quickstart.py")],
        env={"MONGO_URI": server_uri, "PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert program.returncode == 0, program.stderr
    assert "healthy" in program.stdout
    assert "True (replica_set, MongoDB" in program.stdout
