"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

import mongodb_orm
from mongodb_orm import DatabaseConfig, ModelConfig, exceptions
from mongodb_orm.compiler.operators import LOOKUPS

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "mongodb_orm").rglob("*.py"))
BROAD = {"repository/aside.py": 1}
"""How many broad excepts a module may have: a cache backend is the user's code, and no operation may fail by it."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    broad = 0
    assert source.count("\n") <= 400
    assert ast.get_docstring(tree), "a module says what it is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno
            documented = ast.get_docstring(node) is not None
            assert length <= (90 if documented else 60), f"{node.name} has {length} lines"
            for inner in ast.walk(node):
                assert not isinstance(inner, ast.Import | ast.ImportFrom), f"{node.name} hides an import"
        if isinstance(node, ast.ImportFrom):
            assert node.module != "mongodb_orm", "no module imports the package root"
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            broad += caught in ("", "Exception")
    assert broad <= BROAD.get(str(path.relative_to(ROOT / "mongodb_orm")), 0), "no broad except"


def test_the_public_names_are_sorted_complete_and_documented() -> None:
    names = mongodb_orm.__all__
    assert names == sorted(names)
    assert all(hasattr(mongodb_orm, name) for name in names)
    assert all(getattr(mongodb_orm, name).__doc__ for name in names if name not in ("__version__", "ValidationError"))


def test_every_error_is_exported_and_drawn_in_the_tree() -> None:
    for name, value in vars(exceptions).items():
        if isinstance(value, type) and issubclass(value, exceptions.MongoDBORMError):
            assert name in exceptions.__all__
            assert name in mongodb_orm.__all__
            assert name in (exceptions.__doc__ or "")
            assert name in (ROOT / "docs" / "errors.md").read_text() or name in ("DocumentError", "MongoDBORMError")


def test_every_setting_and_lookup_is_documented() -> None:
    models, querying, connections = (
        (ROOT / "docs" / f"{page}.md").read_text() for page in ("models", "querying", "connections")
    )
    assert all(f"`{field.name}`" in models for field in fields(ModelConfig))
    assert all(f"`{name}`" in querying for name in LOOKUPS)
    assert all(f"`{name}`" in connections for name in DatabaseConfig.model_fields)


def test_importing_loads_no_driver() -> None:
    code = "import sys, mongodb_orm; print([m for m in ('pymongo', 'motor', 'mongomock') if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert output.stdout.strip() == "[]"


def test_every_floor_is_explained() -> None:
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = {room.strip() for layer in layers for room in layer.split(":")}
    explained = set(re.findall(r"`(\w+)`", (ROOT / "CONTRIBUTING.md").read_text()))
    assert sorted(rooms - explained) == []


def test_make_help_lists_every_target() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    shown = subprocess.run(["make", "help"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert re.findall(r"make (\w+) ", shown) == targets.group(1).split()
