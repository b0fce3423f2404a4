"""How the documentation's code blocks are read. The rules, for whoever writes a page:

* A ```` ```python ```` block runs, in the page's module, on the real server; ``await`` may stand at the top.
* A ```` ```python title="blog/models.py" ```` block is a file of the reader's project. It is written to disk, can be
  imported by the blocks that follow, on this page and on later ones of its folder, and is run by pytest when it is
  called ``test_*.py``.
* A ```` ```text ```` block is what the block before it prints.
* A ```` ```py title="Beanie" ```` block is the code of another library: shown, never run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHER_LIBRARIES = ("Motor", "PyMongo", "Beanie", "MongoEngine", "ODMantic", "br_mongodb_orm")

_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Block:
    language: str
    title: str
    source: str

    @property
    def is_file(self) -> bool:
        return self.title.endswith((".py", ".ini", ".toml"))


def blocks_of(page: Path) -> list[Block]:
    return [
        Block(language, title.group(1) if (title := _TITLE.search(rest)) else "", source)
        for language, rest, source in _BLOCK.findall(page.read_text(encoding="utf-8"))
    ]


def name_of(page: Path) -> str:
    """Return a name for a page's module, database and test: `docs/tutorial/1-models.md` is `tutorial_1_models`."""
    parts = page.relative_to(ROOT).with_suffix("").parts
    return "_".join(parts[1:] or parts).lower().replace("-", "_")


def project_of(page: Path) -> list[Block]:
    """Return the files that the reader of a page has: those of the pages before it in its folder, and its own."""
    folder = page.parent
    before = (
        [] if folder in (ROOT, ROOT / "docs") else [other for other in PAGES if other.parent == folder and other < page]
    )
    return [block for each in [*before, page] for block in blocks_of(each) if block.is_file]


def write(project: list[Block], folder: Path) -> list[Path]:
    paths = [folder / block.title for block in project]
    for path, block in zip(paths, project, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.source, encoding="utf-8")
    return paths
