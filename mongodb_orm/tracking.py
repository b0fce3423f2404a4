"""What changed between two versions of a document, as the smallest safe update."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from bson import ObjectId

from .timestamps import in_utc

Known = Mapping[str, Any]
"""The stored names that a model knows; each maps to the `Known` of a nested model, or to None for plain data."""


SCALARS: frozenset[type] = frozenset({str, int, float, bool, bytes, type(None), ObjectId, UUID})
"""Types of values that are the same before and after they were stored, and need no look inside them."""

PLAIN: frozenset[type] = SCALARS | {datetime}
"""Types of values that never change in place, so that a copy of one is itself."""

_CONTAINERS = frozenset({dict, list})
_ABSENT: Any = object()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)


class Changes(NamedTuple):
    """The update that turns one version into the other, by dotted stored paths.

    Attributes:
        set: Values to set.
        unset: Paths to remove.
        push: Elements to append to lists.
    """

    set: dict[str, Any]
    unset: list[str]
    push: dict[str, list[Any]]

    def __bool__(self) -> bool:
        return bool(self.set or self.unset or self.push)

    def add(self, others: Changes) -> None:
        """Take in the changes of other paths."""
        self.set.update(others.set)
        self.unset.extend(others.unset)
        self.push.update(others.push)

    def paths(self) -> list[str]:
        """Return every path that changes."""
        return [*self.set, *self.unset, *self.push]

    def drop(self, names: Iterable[str]) -> None:
        """Forget what changes in whole fields."""
        for name in names:
            for path in [path for path in self.paths() if path.partition(".")[0] == name]:
                self.forget(path)

    def forget(self, path: str) -> None:
        """Forget what changes at a path."""
        self.set.pop(path, None)
        self.push.pop(path, None)
        if path in self.unset:
            self.unset.remove(path)

    def operators(self) -> dict[str, Any]:
        """Return the changes as MongoDB's update operators."""
        update: dict[str, Any] = {}
        if self.set:
            update["$set"] = self.set
        if self.unset:
            update["$unset"] = dict.fromkeys(self.unset, "")
        if self.push:
            update["$push"] = {path: {"$each": elements} for path, elements in self.push.items()}
        return update


def sift(old: Mapping[str, Any], new: Mapping[str, Any], known: Known) -> tuple[Changes, list[str]]:
    """Find the members of a document that changed, as far as that shows without encoding them.

    Args:
        old: The document as it was read, in what decodes fastest: datetimes are naive, decimals `Decimal128`.
        new: The document as it should be, not yet encoded.
        known: What the model knows of it.

    Returns:
        The changes that are plain to see, and the names of the members that `diff` has to look at.
    """
    changes, unsure = Changes({}, [], {}), []
    for name, value in new.items():
        before = old.get(name, _ABSENT)
        kind = type(value)
        if kind in SCALARS:
            if type(before) is kind and (before == value or _are_nan(before, value)):
                continue
            if type(before) in SCALARS or before is _ABSENT:
                changes.set[name] = value
                continue
        elif kind is datetime and type(before) is datetime:
            if _is_moment(before, value):
                continue
            try:
                moment = in_utc(value)
            except ValueError:  # whoever encodes it tells
                unsure.append(name)
                continue
            if not _is_moment(before, moment):
                changes.set[name] = moment
            continue
        elif kind in _CONTAINERS and type(before) is kind and _is_as_read(before, value):
            continue
        unsure.append(name)
    if not old.keys() <= new.keys():
        changes.unset.extend(name for name in old if name not in new and name in known)
    return changes, unsure


def _is_as_read(old: Any, new: Any) -> bool:
    """Return whether a dict or list is surely what was read; no means maybe."""
    if type(new) is dict:
        if list(old) != list(new):
            return False
        pairs = zip(old.values(), new.values(), strict=True)
    elif len(old) == len(new):
        pairs = zip(old, new, strict=True)
    else:
        return False
    for before, value in pairs:
        kind = type(value)
        if type(before) is not kind:
            return False
        if kind in SCALARS:
            if before != value:
                return False
        elif kind in _CONTAINERS:
            if not _is_as_read(before, value):
                return False
        elif kind is not datetime or not _is_moment(before, value):
            return False
    return True


def _is_moment(naive: datetime, moment: datetime) -> bool:
    """Return whether a naive datetime in UTC is that moment; `replace` takes three times as long."""
    return moment.tzinfo is not None and naive - _NAIVE_EPOCH == moment - _EPOCH


def diff(old: Mapping[str, Any], new: Mapping[str, Any], known: Known, *, by_element: bool = False) -> Changes:
    """Compare two decoded documents.

    Nested documents are compared key by key. Lists are compared as a whole: an element's position is no identity while
    others may write. Keys that `known` lacks belong to somebody else and stay.

    Args:
        old: The document as it was read.
        new: The document as it should be.
        known: What the model knows of it.
        by_element: Whether nobody else can have written in between, so that elements can be set by position and
            appended.
    """
    changes = Changes({}, [], {})
    _compare(old, new, known, "", changes, by_element)
    return changes


def applied(document: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """Return a copy of a decoded document with changes made to it."""
    result = copy.deepcopy(dict(document))
    for path, value in changes.set.items():
        holder, key = _holder(result, path)
        holder[key] = value
    for path in changes.unset:
        holder, key = _holder(result, path)
        holder.pop(key, None)
    for path, elements in changes.push.items():
        holder, key = _holder(result, path)
        holder[key] = [*holder.get(key, ()), *elements]
    return result


def overlap(left: str, right: str) -> bool:
    """Return whether two dotted paths are the same, or one lies inside the other."""
    return left == right or left.startswith(f"{right}.") or right.startswith(f"{left}.")


def _holder(document: dict[str, Any], path: str) -> tuple[Any, Any]:
    *parts, last = path.split(".")
    holder: Any = document
    for part in parts:
        holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
    return holder, int(last) if isinstance(holder, list) else last


def _compare(
    old: Mapping[str, Any], new: Mapping[str, Any], known: Known | None, prefix: str, out: Changes, by_element: bool
) -> None:
    for key, value in new.items():
        path = prefix + key
        if key not in old:
            out.set[path] = value
            continue
        before = old[key]
        kind = type(value)
        if (kind in PLAIN and before == value and type(before) is kind) or same(before, value):
            continue
        nested = known.get(key) if known is not None else None
        if isinstance(before, dict) and isinstance(value, dict) and _mergeable(before, value, nested):
            _compare(before, value, nested, path + ".", out, by_element)
        elif by_element and isinstance(before, list) and isinstance(value, list):
            _compare_lists(before, value, path, out)
        else:
            out.set[path] = value
    for key in old:
        if key not in new and (known is None or key in known):
            out.unset.append(prefix + key)


def _compare_lists(old: list[Any], new: list[Any], path: str, out: Changes) -> None:
    """Set the elements that differ, or append those that came; both at once would be updates in conflict."""
    changed = [index for index, (before, value) in enumerate(zip(old, new, strict=False)) if not same(before, value)]
    if not changed and len(new) > len(old):
        out.push[path] = new[len(old) :]
    elif len(new) == len(old) and len(changed) * 2 <= len(new):
        for index in changed:
            out.set[f"{path}.{index}"] = new[index]
    else:
        out.set[path] = new


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
    return bool(left == right) or _are_nan(left, right)


def _are_nan(left: Any, right: Any) -> bool:
    """Return whether two numbers are both none at all; such a number does not equal itself."""
    return bool(left != left and right != right)
