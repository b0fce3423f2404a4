"""What changed between two versions of a document, as the smallest safe update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Known = Mapping[str, Any]
"""The stored names that a model knows; each maps to the `Known` of a nested model, or to None for plain data."""


class Changes(NamedTuple):
    """The update that turns one version into the other, by dotted stored paths."""

    set: dict[str, Any]
    unset: list[str]

    def __bool__(self) -> bool:
        return bool(self.set or self.unset)


def diff(old: Mapping[str, Any], new: Mapping[str, Any], known: Known) -> Changes:
    """Compare two decoded documents.

    Nested documents are compared key by key, lists as a whole: an element's position is no identity while
    others may write. Keys that `known` lacks belong to somebody else and stay.

    Args:
        old: The document as it was read.
        new: The document as it should be.
        known: What the model knows of it.
    """
    changes = Changes({}, [])
    _compare(old, new, known, "", changes)
    return changes


def _compare(old: Mapping[str, Any], new: Mapping[str, Any], known: Known | None, prefix: str, out: Changes) -> None:
    for key, value in new.items():
        path = prefix + key
        if key not in old:
            out.set[path] = value
            continue
        before = old[key]
        if same(before, value):
            continue
        nested = known.get(key) if known is not None else None
        if isinstance(before, dict) and isinstance(value, dict) and _mergeable(before, value, nested):
            _compare(before, value, nested, path + ".", out)
        else:
            out.set[path] = value
    for key in old:
        if key not in new and (known is None or key in known):
            out.unset.append(prefix + key)


def _mergeable(old: dict[str, Any], new: dict[str, Any], known: Known | None) -> bool:
    """Return whether updating keys one by one gives `new`, in its order, and every key can be a path."""
    if not new or any(not key or "." in key or key.startswith("$") for key in (*old, *new)):
        return False
    if known is not None:
        return True
    kept = [key for key in old if key in new]
    return kept + [key for key in new if key not in old] == list(new)


def same(left: Any, right: Any) -> bool:
    """Return whether two decoded BSON values are the same value of the same type (`1`, `1.0` and `True` differ)."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)
