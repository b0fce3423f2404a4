"""The documentation's site: built strictly, complete, and without anything from other hosts."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from blocks import PAGES, ROOT, blocks_of

import mongodb_orm
from mongodb_orm import exceptions

PACKAGES = ("mongodb_orm", "mongodb_orm.repository", "mongodb_orm.testing", "mongodb_orm.integrations.fastapi")
UNDESCRIBED = {"__version__", "ValidationError"}
"""A text, and Pydantic's own."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def described() -> set[str]:
    """Return the names that the reference asks mkdocstrings to describe."""
    pages = (ROOT / "docs" / "reference").glob("*.md")
    return {name for page in pages for name in re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.MULTILINE)}


def test_every_public_name_is_in_the_reference() -> None:
    names = {
        f"mongodb_orm.{name}" if hasattr(mongodb_orm, name) else f"{package}.{name}"
        for package in PACKAGES
        for name in importlib.import_module(package).__all__
        if name not in UNDESCRIBED
    }
    assert sorted(names - described()) == []


def test_every_name_that_a_page_imports_is_in_the_reference() -> None:
    known = described() | {f"mongodb_orm.{name}" for name in UNDESCRIBED}
    for page in PAGES:
        for block in blocks_of(page):
            if block.language != "python":
                continue
            for node in ast.walk(compile(block.source, str(page), "exec", ast.PyCF_ONLY_AST)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mongodb_orm"):
                    for alias in node.names:
                        name = f"{node.module}.{alias.name}"
                        assert {name, node.module, f"mongodb_orm.{alias.name}"} & known, f"{page.name} imports {name}"


def test_every_error_has_a_section_to_link_to(site: Path) -> None:
    page = (site / "errors" / "index.html").read_text("utf-8")
    names = [name for name in exceptions.__all__ if name.endswith("Error")]
    assert [name for name in names if f'id="{name.lower()}"' not in page] == []


class _Loads(HTMLParser):
    """Collects what a page makes the browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "video"):
            self.found.append(given.get("src") or "")
        if tag == "link" and "canonical" not in (given.get("rel") or ""):
            self.found.append(given.get("href") or "")


def test_nothing_is_loaded_from_other_hosts(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES) / 2
    for page in pages:
        loads = _Loads()
        loads.feed(page.read_text("utf-8"))
        assert loads.found, "every page loads the theme"
        assert [url for url in loads.found if re.match(r"(https?:)?//", url)] == [], page.name
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", sheet.read_text("utf-8")), sheet.name
