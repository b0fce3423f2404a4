"""Every code block of README and docs runs, in order, page by page, on a real server; `blocks.py` says how."""

from __future__ import annotations

import ast
import asyncio
import codeop
import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blocks import OTHER_LIBRARIES, PAGES, ROOT, blocks_of, name_of, project_of, write

from mongodb_orm import close_all_connections
from mongodb_orm.compiler.operators import LOOKUPS


@pytest.fixture(autouse=True)
def lookups_are_forgotten() -> Iterator[None]:
    kept = dict(LOOKUPS)
    yield
    for name in LOOKUPS.keys() - kept.keys():
        del LOOKUPS[name]


@pytest.fixture
def project(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The reader's files before the page's own, in a folder that Python imports from."""
    own = [block for block in blocks_of(page) if block.is_file]
    write([block for block in project_of(page) if block not in own], tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    own_packages = {path.stem for path in tmp_path.iterdir()}
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in own_packages:
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
async def test_page(page: Path, project: Path, server_uri: str, admin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"docs_{name_of(page)}"
    monkeypatch.setenv("MONGO_URI", server_uri)
    monkeypatch.setenv("MONGO_DATABASE", name)
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    printed, tests = "", []
    for block in blocks_of(page):
        if block.language == "text":
            assert printed.strip() == block.source.strip()
        elif block.is_file:
            written = write([block], project)
            tests += [path for path in written if path.name.startswith("test_")]
        elif block.language == "python":
            code = compile(block.source, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                result = eval(code, module.__dict__)
                if inspect.isawaitable(result):
                    await result
            printed = output.getvalue()
    await close_all_connections()
    admin.drop_database(name)
    if tests:
        await run_tests(tests, project, server_uri)


async def run_tests(tests: list[Path], project: Path, server_uri: str) -> None:
    """Run the test files that a page shows as its reader would."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto", "--rootdir", str(project), *map(str, tests)],
        cwd=project,
        env={**os.environ, "MONGODB_ORM_TEST_URI": server_uri, "PYTHONPATH": f"{project}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_block_escapes() -> None:
    files: Counter[str] = Counter()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"^[ \t]+```", text, re.MULTILINE), f"{page.name}: an indented block would not be run"
        for block in blocks_of(page):
            if block.language == "py":
                assert block.title in OTHER_LIBRARIES, f"{page.name}: only other libraries' code may be `py`"
            if block.title.endswith(".py"):
                files[block.title] += 1
    assert [name for name, times in files.items() if times > 1] == []


TO_PASTE = [page for page in PAGES if page.stem == "quickstart" or page.parent.name == "tutorial"]


@pytest.mark.parametrize("page", TO_PASTE, ids=name_of)
def test_blocks_can_be_pasted_into_a_prompt(page: Path) -> None:
    """`python -m asyncio` ends a statement of several lines at an empty one: it must stand there, and only there."""
    compiler = codeop.CommandCompiler()
    compiler.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    for block in blocks_of(page):
        if block.language != "python" or block.is_file:
            continue
        lines: list[str] = []
        for line in [*block.source.splitlines(), ""]:
            lines.append(line)
            if compiler("\n".join(lines), "<prompt>", "single") is not None:
                lines = []
        assert not any(lines), f"{page.name}: a statement is never ended:\n" + "\n".join(lines)


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:  # those of docs/ are checked by building the site
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
