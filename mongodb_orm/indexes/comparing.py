"""Whether two indexes are the same, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .compiling import CompiledIndex

_DEFAULTS: dict[str, Any] = {
    "unique": False,
    "sparse": False,
    "hidden": False,
    "expireAfterSeconds": None,
    "partialFilterExpression": None,
    "wildcardProjection": None,
    "bits": 26,
    "min": -180,
    "max": 180,
}
_TEXT_DEFAULTS: dict[str, Any] = {"default_language": "english", "language_override": "language"}
_ONLY_WHEN_DECLARED = ("textIndexVersion", "2dsphereIndexVersion", "storageEngine")
_COLLATION_DEFAULTS: dict[str, Any] = {"strength": 3, "caseLevel": False, "numericOrdering": False}


def differences(wanted: CompiledIndex, existing: CompiledIndex) -> dict[str, tuple[Any, Any]]:
    """Return the options in which two indexes differ, as pairs of what exists and what is wanted.

    The keys count as the option `"keys"`. The name counts when it was chosen.
    """
    found: dict[str, tuple[Any, Any]] = {}
    if _keys(wanted) != _keys(existing):
        found["keys"] = (existing.keys, wanted.keys)
    if wanted.is_named and wanted.name != existing.name:
        found["name"] = (existing.name, wanted.name)
    old, new = _effective(existing), _effective(wanted)
    for option in dict.fromkeys((*new, *old)):
        if old.get(option) != new.get(option):
            found[option] = (old.get(option), new.get(option))
    for option in _ONLY_WHEN_DECLARED:
        if option in wanted.options and wanted.options[option] != existing.options.get(option):
            found[option] = (existing.options.get(option), wanted.options[option])
    if not _same_collation(wanted.options.get("collation"), existing.options.get("collation")):
        found["collation"] = (existing.options.get("collation"), wanted.options.get("collation"))
    return found


def are_rivals(wanted: CompiledIndex, existing: CompiledIndex) -> bool:
    """Return whether the server would refuse to have both: the name, or all that tells indexes apart, is the same."""
    if wanted.name == existing.name or (wanted.is_text and existing.is_text):
        return True
    return not differences(wanted, existing).keys() & {
        "keys", "unique", "sparse", "partialFilterExpression", "collation", "wildcardProjection",
    }  # fmt: skip


def _keys(index: CompiledIndex) -> list[tuple[str, Any]]:
    """Return the keys with those of a text index as one: their order means nothing, and the weights tell them."""
    keys = [("", kind) if kind == "text" else (field, kind) for field, kind in index.keys]
    return list(dict.fromkeys(keys))


def _effective(index: CompiledIndex) -> dict[str, Any]:
    options = {name: index.options.get(name, default) for name, default in _DEFAULTS.items()}
    if index.is_text:
        options |= {name: index.options.get(name, default) for name, default in _TEXT_DEFAULTS.items()}
        texts = dict.fromkeys((field for field, kind in index.keys if kind == "text"), 1)
        options["weights"] = {**texts, **index.options.get("weights", {})}
    return options


def _same_collation(wanted: Mapping[str, Any] | None, existing: Mapping[str, Any] | None) -> bool:
    """Compare collations; the server completes what was left out, some of it by the locale."""
    if wanted and wanted.get("locale") == "simple":  # which is to say none
        wanted = None
    if not wanted or not existing:
        return not wanted and not existing
    return all(existing.get(name) == value for name, value in {**_COLLATION_DEFAULTS, **wanted}.items())
