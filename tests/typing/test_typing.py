"""Type checkers accept what the documentation shows, infer what it says, and refuse misspelt fields."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from blocks import PAGES, blocks_of, name_of, project_of, write

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MARKED = {
    number for number, line in enumerate((HERE / "refused.py").read_text().splitlines(), 1) if "# refused" in line
}


PLAIN_ID = '"id" overrides a field of the same name but is missing a default value'
"""Pyright alone wants a default for `id: ObjectId`; docs/models.md says how to give it one."""


def mypy(*paths: Path, root: Path = ROOT) -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(ROOT / ".mypy_cache")]
    command += ["--config-file", str(ROOT / "pyproject.toml"), "--explicit-package-bases"]
    environment = {**os.environ, "MYPYPATH": str(root)}
    done = subprocess.run(
        [*command, *map(str, paths)], capture_output=True, text=True, cwd=ROOT, timeout=300, env=environment
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    print(done.stdout)
    found = re.findall(r"^(.+?):(\d+): error:", done.stdout, re.MULTILINE)
    return {(Path(name).name, int(line)) for name, line in found}


def pyright(*paths: Path, root: Path = ROOT) -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=300)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(paths)
    errors = [
        entry
        for entry in report["generalDiagnostics"]
        if entry["severity"] == "error" and not entry["message"].startswith(PLAIN_ID)
    ]
    print(*[f"{entry['file']}: {entry['message']}" for entry in errors], sep="\n")
    return {(Path(entry["file"]).name, entry["range"]["start"]["line"] + 1) for entry in errors}


EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))


def test_mypy_accepts_the_examples() -> None:
    assert mypy(*EXAMPLES) == set()


def test_pyright_accepts_the_examples() -> None:
    assert pyright(*EXAMPLES) == set()


def test_every_public_type_is_known(tmp_path: Path) -> None:
    """Pyright finds nothing in the package whose type users' checkers would have to guess."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "pyright", "--verifytypes", "mongodb_orm", "--ignoreexternal", "--outputjson"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300)
    report = json.loads(done.stdout)
    guessed = [entry["message"] for entry in report["generalDiagnostics"] if entry["severity"] == "error"]
    assert guessed == []
    assert report["typeCompleteness"]["exportedSymbolCounts"]["withKnownType"] > 3000
    assert report["typeCompleteness"]["completenessScore"] == 1


def test_mypy_accepts_and_refuses() -> None:
    assert mypy(HERE / "accepted.py", HERE / "refused.py") == {("refused.py", line) for line in MARKED}


def test_type_checkers_accept_the_examples() -> None:
    examples = sorted((ROOT / "examples").rglob("*.py"))
    assert mypy(*examples) == set()
    assert pyright(*examples) == set()


def test_pyright_accepts_and_refuses() -> None:
    found = pyright(HERE / "accepted.py", HERE / "refused.py")
    assert {name for name, _ in found} == {"refused.py"}
    assert {line for _, line in found} >= MARKED


_DECLARATIONS = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def as_function(page: Path) -> str:
    """Return a page's blocks as a module: classes and imports at the top, what awaits inside a coroutine."""
    top: list[str] = []
    body: list[str] = []
    for source in [block.source for block in blocks_of(page) if block.language == "python" and not block.is_file]:
        for node in compile(source, str(page), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT).body:
            text = "\n".join(source.splitlines()[_first_line(node) - 1 : node.end_lineno])
            is_declared = isinstance(node, _DECLARATIONS) or _names_a_type(node)
            (top if is_declared or not _awaits(node) and not body else body).append(text)
    return "\n".join([*top, "", "async def page() -> None:", textwrap.indent("\n".join(body) or "pass", "    "), ""])


def _first_line(node: Any) -> int:
    return min([node.lineno, *[decorator.lineno for decorator in getattr(node, "decorator_list", [])]])


def _names_a_type(node: Any) -> bool:
    """Return whether the statement is `T = TypeVar("T")`, `PlainText = Annotated[...]` or the like."""
    return isinstance(node, ast.Assign) and re.fullmatch(r"[A-Z][A-Za-z]*", ast.unparse(node.targets[0])) is not None


def _awaits(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.Await | ast.AsyncFor | ast.AsyncWith) for inner in ast.walk(node))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module for each page, and the files that the reader of the pages has."""
    folder = tmp_path_factory.mktemp("pages")
    for page in PAGES:
        (folder / f"page_{name_of(page)}.py").write_text(as_function(page), encoding="utf-8")
        write([block for block in project_of(page) if block.title.endswith(".py")], folder)
    return folder


def test_mypy_accepts_the_documentation(folder: Path) -> None:
    assert mypy(*sorted(folder.rglob("*.py")), root=folder) == set()


def test_pyright_accepts_the_documentation(folder: Path) -> None:
    assert pyright(*sorted(folder.rglob("*.py")), root=folder) == set()
