"""A model class proposed for documents that exist: a pure function from a sample to Python source."""

from __future__ import annotations

import json
import keyword
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import bson

from ..schema.naming import collection_name

_NAMES: dict[type, tuple[str, str]] = {
    bool: ("bool", ""),
    int: ("int", ""),
    float: ("float", ""),
    str: ("str", ""),
    bytes: ("bytes", ""),
    datetime: ("datetime", "from datetime import datetime"),
    UUID: ("UUID", "from uuid import UUID"),
    bson.ObjectId: ("ObjectId", "from mongodb_orm import ObjectId"),
    bson.Decimal128: ("Decimal", "from decimal import Decimal"),
    bson.Int64: ("int", ""),
}
_RANGED = (int, float, datetime)
_MANAGED = ("created_at", "updated_at")
_DELETION = ("is_deleted", "deleted_at")
_MAX_DISTINCT = 8
_STANDARD = frozenset({"datetime", "decimal", "typing", "uuid"})


@dataclass
class Seen:
    """What a sample shows of one field.

    Attributes:
        count: In how many documents it is.
        nulls: In how many of them it is null.
        types: How often each Python type occurs.
        members: The fields of nested documents.
        nested: How many nested documents there are.
        element: The elements of lists.
        low: The least value, or shortest length.
        high: The greatest value, or greatest length.
        texts: The texts that occur, until there are too many.
    """

    count: int = 0
    nulls: int = 0
    types: Counter[type] = field(default_factory=Counter)
    members: dict[str, Seen] = field(default_factory=dict)
    nested: int = 0
    element: Seen | None = None
    low: Any = None
    high: Any = None
    texts: Counter[str] | None = field(default_factory=Counter)

    def add(self, value: Any) -> None:
        """Take one value into account."""
        self.count += 1
        if value is None:
            self.nulls += 1
        elif isinstance(value, Mapping):
            self.nested += 1
            self.types[dict] += 1
            for name, inner in value.items():
                self.members.setdefault(name, Seen()).add(inner)
        elif isinstance(value, list):
            self.types[list] += 1
            self.element = self.element or Seen()
            for inner in value:
                self.element.add(inner)
        else:
            self.types[type(value)] += 1
            self._measure(value)

    def _measure(self, value: Any) -> None:
        if isinstance(value, str):
            if self.texts is not None:
                self.texts[value] += 1
                if len(self.texts) > _MAX_DISTINCT:
                    self.texts = None
            value = len(value)
        elif not isinstance(value, _RANGED) or isinstance(value, bool):
            return
        try:
            self.low = value if self.low is None else min(self.low, value)
            self.high = value if self.high is None else max(self.high, value)
        except TypeError:  # numbers and dates in one field
            self.low = self.high = None


def propose_model(collection: str, sample: Iterable[Mapping[str, Any]], *, name: str | None = None) -> str:
    """Return the source of a model class that fits a sample of documents.

    Types are those that occur; a field that is missing or null somewhere is optional; comments give the range of
    values and how many documents have the field.

    Args:
        collection: The collection's name.
        sample: Documents as they are stored.
        name: The class's name; default: the collection's in camel case.

    Example:
        >>> print(propose_model("user", [{"_id": 1, "name": "ann"}]))
    """
    root = Seen()
    for document in sample:
        root.add(document)
    return _Writer(collection, name or _class_name(collection)).source(root)


class _Writer:
    def __init__(self, collection: str, name: str) -> None:
        self._collection = collection
        self._name = name
        self._imports = {"from mongodb_orm import BaseModel"}
        self._classes: list[str] = []
        self._taken: set[str] = {name, "BaseModel"}

    def source(self, root: Seen) -> str:
        bases = ["BaseModel"]
        given = {name for name in _MANAGED if name in root.members and set(root.members[name].types) == {datetime}}
        if _deletes_softly(root):
            bases.append("SoftDeleteMixin")
            self._imports.add("from mongodb_orm import SoftDeleteMixin")
            given |= {*_DELETION}
        body = [
            line
            for name, seen in root.members.items()
            if name not in given
            for line in self._field("id" if name == "_id" else name, seen, root.nested)
        ]
        has_id = {bson.Int64, int} >= set(root.members["_id"].types) if "_id" in root.members else True
        if has_id:
            body = [line for line in body if not line.startswith("    id: int")]
        lines = []
        if collection_name(self._name) != self._collection:
            lines = ["    class Meta:", f"        collection_name = {_quoted(self._collection)}", ""]
        own = "\n".join([f"class {self._name}({', '.join(bases)}):", *lines, *(body or ["    pass"])])
        title = (
            f'"""Proposed from {root.nested:,} documents of {_quoted(self._collection)}; read it before you use it."""'
        )
        return "\n\n\n".join(["\n".join([title, "", *_sorted(self._imports)]), *self._classes, own]) + "\n"

    def _field(self, name: str, seen: Seen, documents: int) -> list[str]:
        annotation = self._annotation(name, seen)
        is_missing = seen.count < documents and name != "id"
        if (is_missing or seen.nulls) and annotation != "Any":
            annotation += " | None"
        python_name = _field_name(name)
        default = " = None" if is_missing or seen.nulls else ""
        if python_name != name:
            self._imports.add("from pydantic import Field")
            default = f" = Field({'default=None, ' if default else ''}alias={_quoted(name)})"
        remarks = [remark for remark in (_share(seen, documents), _range(seen), _nullness(seen)) if remark]
        comment = f"  # {'; '.join(remarks)}" if remarks else ""
        return [f"    {python_name}: {annotation}{default}{comment}"]

    def _annotation(self, name: str, seen: Seen) -> str:
        parts: list[str] = []
        for kind in sorted(seen.types, key=lambda kind: (-seen.types[kind], kind.__name__)):
            if kind is dict:
                parts.append(self._nested(name, seen))
            elif kind is list:
                element = self._element(name, seen)
                parts.append(f"list[{element}]")
            elif kind in _NAMES:
                text, line = _NAMES[kind]
                parts.append(text)
                self._imports |= {line} if line else set()
            else:
                parts.append("Any")
                self._imports.add("from typing import Any")
        if "int" in parts and "float" in parts:
            parts.remove("int")
        if not parts and seen.count:
            self._imports.add("from typing import Any")
            return "Any"
        return " | ".join(dict.fromkeys(parts))

    def _element(self, name: str, seen: Seen) -> str:
        if seen.element is None or not seen.element.count:
            self._imports.add("from typing import Any")
            return "Any"
        text = self._annotation(_singular(name), seen.element)
        return f"{text} | None" if seen.element.nulls and text != "Any" else text

    def _nested(self, name: str, seen: Seen) -> str:
        if not seen.members or any(not _is_plain(member) for member in seen.members):
            self._imports.add("from typing import Any")
            return "dict[str, Any]"
        class_name = _class_name(name)
        while class_name in self._taken:
            class_name += "_"
        self._taken.add(class_name)
        body = [line for key, inner in seen.members.items() for line in self._field(key, inner, seen.nested)]
        self._imports.add("import pydantic")
        self._classes.append("\n".join([f"class {class_name}(pydantic.BaseModel):", *body]))
        return class_name


def _deletes_softly(root: Seen) -> bool:
    """Return whether documents have the marks that SoftDeleteMixin sets."""
    flag, moment = (root.members.get(name, Seen()) for name in _DELETION)
    return set(flag.types) == {bool} and moment.count > 0 and set(moment.types) <= {datetime}


def _quoted(text: str) -> str:
    """Return a literal as the formatters of Python code write it."""
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else repr(text)


def _nullness(seen: Seen) -> str:
    return "always null" if seen.nulls == seen.count else ""


def _share(seen: Seen, documents: int) -> str:
    return f"in {seen.count / documents:.0%}" if seen.count < documents else ""


def _range(seen: Seen) -> str:
    if seen.low is None:
        return ""
    if str in seen.types:
        if seen.texts and len(seen.texts) < sum(seen.texts.values()) and len(seen.types) == 1:
            return "one of " + ", ".join(_quoted(text)[:40] for text in sorted(seen.texts))
        return f"{seen.low} to {seen.high} characters" if len(seen.types) == 1 else ""
    low, high = (str(value.date()) if isinstance(value, datetime) else value for value in (seen.low, seen.high))
    return f"{low} to {high}"


def _class_name(name: str) -> str:
    words = re.findall(r"[^\W_]+", name)
    joined = "".join(word[:1].upper() + word[1:] for word in words) or "Document"
    return joined if joined.isidentifier() else f"Model{joined}"


def _singular(name: str) -> str:
    return name[:-1] if name.endswith("s") and len(name) > 2 else f"{name}_item"


def _field_name(name: str) -> str:
    plain = re.sub(r"\W", "_", name).lstrip("_") or "field"
    plain = plain if plain.isidentifier() else f"field_{plain}"
    return f"{plain}_" if keyword.iskeyword(plain) or plain.startswith("model_") else plain


def _is_plain(name: str) -> bool:
    """Return whether a key looks like a field's name, and not like data, such as a date or an id."""
    return bool(re.fullmatch(r"[^\W\d]\w{0,39}", name)) and not bson.ObjectId.is_valid(name)


def _sorted(lines: Iterable[str]) -> list[str]:
    standard, others, ours = [], [], []
    for line in sorted(lines, key=lambda line: (not line.startswith("import"), line)):
        package = line.split()[1]
        if package in _STANDARD:
            standard.append(line)
        elif package == "mongodb_orm":
            ours.append(line.rpartition(" ")[2])
        else:
            others.append(line)
    blocks = [standard, others, [f"from mongodb_orm import {', '.join(ours)}"]]
    return "\n\n".join("\n".join(block) for block in blocks if block).split("\n")
