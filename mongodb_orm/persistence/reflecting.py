"""Showing in an object what a write on the server made of its document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..codec import codec_for, decode, encode
from ..schema import MappedModel, ModelSpec, set_snapshot, snapshot_of, spec_of
from ..tracking import Changes, diff, overlap, same


def reflect(document: MappedModel, raw: bytes, written: Sequence[str] | None) -> None:
    """Give an object and its snapshot what is stored now; other unsaved changes stay unsaved.

    Fields that are stored as they were before keep their value, whatever the caller made of it.

    Args:
        document: The object, which was stored before.
        raw: Its document as it is now.
        written: The stored paths that the write changed, None when it may be any: there the server's value wins
            over a change that was not saved.
    """
    spec, codec = spec_of(type(document)), codec_for(document)
    before, now = decode(snapshot_of(document) or b""), decode(raw)
    loaded = [name for name in spec.fields if name in vars(document)]
    moved = [name for name in loaded if not _is_same(spec.fields[name].stored, before, now)]
    if moved:
        unsaved = diff(before, codec.dump_value(document), spec.known)
        kept = _apart_from(unsaved, written)
        inside = [path for path in (*kept.set, *kept.unset) if _field_of(path, spec) in moved]
        fresh = codec.load(encode(_merged(now, kept), model=spec.name) if inside else raw)
        vars(document).update({name: vars(fresh)[name] for name in moved})
    if (extra := document.__pydantic_extra__) is not None:
        for key in (before.keys() | now.keys()) - spec.names.keys():
            if key not in now:
                extra.pop(key, None)
            elif not _is_same(key, before, now):
                extra[key] = now[key]
    set_snapshot(document, raw)


def _is_same(stored: str, before: dict[str, Any], now: dict[str, Any]) -> bool:
    if stored in before and stored in now:
        return same(before[stored], now[stored])
    return stored not in before and stored not in now


def _apart_from(unsaved: Changes, written: Sequence[str] | None) -> Changes:
    if written is None:
        return Changes({}, [], {})
    paths = [path.partition(".$")[0] for path in written]
    return Changes(
        {path: value for path, value in unsaved.set.items() if not any(overlap(path, other) for other in paths)},
        [path for path in unsaved.unset if not any(overlap(path, other) for other in paths)],
        {},
    )


def _field_of(path: str, spec: ModelSpec) -> str | None:
    return spec.names.get(path.partition(".")[0])


def _merged(document: dict[str, Any], changes: Changes) -> dict[str, Any]:
    for path, value in changes.set.items():
        *above, last = path.split(".")
        place = _place(document, above)
        if place is not None:
            place[last] = value
    for path in changes.unset:
        *above, last = path.split(".")
        place = _place(document, above)
        if place is not None:
            place.pop(last, None)
    return document


def _place(document: Any, parts: Sequence[str]) -> dict[str, Any] | None:
    for part in parts:
        document = document.get(part) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else None
