"""Records: the shapes of documents that a pipeline has made, of which names are known but no class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..exceptions import QueryError
from ..schema import ANY, Shape, fields_of, step

Members = dict[str, tuple[str, Shape]]

AMBIGUOUS = Shape(Any, "any", optional=True)
"""What a name means that stands for different stored fields in documents that were put together."""


def refuse_ambiguous(shape: Shape | None, field: str) -> None:
    """Raise when a name means different fields in documents that were put together.

    Raises:
        QueryError: Always, when it does.
    """
    if shape is AMBIGUOUS:
        raise QueryError(
            f"{field!r} is stored under different names in the documents that $unionWith put together.",
            hint="Give both sides the same names by $project before.",
            field=field,
        )


def record(members: Mapping[str, tuple[str, Shape]], *, is_open: bool = False) -> Shape:
    """Return the shape of a document with these members: stored names and shapes by name."""
    return Shape(Any, "record", fields=members, is_open=is_open)


def new_record(members: Mapping[str, Shape]) -> Shape:
    """Return the shape of a document whose members are stored under their own names."""
    return record({name: (name, shape) for name, shape in members.items()})


def array_of(shape: Shape | None) -> Shape:
    """Return the shape of a list."""
    return Shape(list[Any], "array", element=shape or ANY)


def element_of(shape: Shape | None) -> Shape | None:
    """Return the shape of a list's elements; a shape that is no list stays."""
    return shape.element if shape is not None and shape.kind == "array" else shape


def members_of(shape: Shape | None) -> tuple[Members, bool]:
    """Return the members of a document's shape, and whether it may have more."""
    if shape is not None and shape.kind == "model" and shape.model is not None:
        fields = fields_of(shape.model)
        is_open = shape.model.model_config.get("extra") == "allow"
        return {field.name: (field.stored, field.shape) for field in fields.values()}, is_open
    if shape is not None and shape.kind == "record":
        return dict(shape.fields), shape.is_open
    return {}, True


def with_member(shape: Shape | None, path: str, new: Shape | None) -> Shape:
    """Return a document's shape with the member at a dotted path, replaced or added."""
    return _changed(shape, path.split("."), lambda stored: (stored, new or ANY))


def without_member(shape: Shape | None, path: str) -> Shape:
    """Return a document's shape without the member at a dotted path."""
    return _changed(shape, path.split("."), lambda stored: None)


def with_members(shape: Shape | None, members: Mapping[str, Shape | None]) -> Shape:
    """Return a document's shape with several members, by dotted paths."""
    result = shape or ANY
    for path, new in members.items():
        result = with_member(result, path, new)
    return result


def only_members(shape: Shape | None, names: Iterable[str]) -> Members:
    """Return the top-level members that dotted paths lead to, for a projection that includes them."""
    members, _ = members_of(shape)
    kept: Members = {}
    for name in names:
        first = name.partition(".")[0]
        key = _key(members, first)
        stored, member = members.get(key, (first, ANY))
        kept[key] = (stored, member if name == first else in_part(member))
    return kept


def in_part(shape: Shape | None) -> Shape:
    """Return the shape of documents that may lack something: they are no model's whole documents any more."""
    if shape is not None and shape.kind == "array":
        return replace(shape, element=in_part(shape.element))
    if shape is None or shape.kind not in ("model", "record"):
        return shape or ANY
    members, is_open = members_of(shape)
    return record(members, is_open=is_open)


def together(left: Shape | None, right: Shape | None) -> Shape:
    """Return the shape of documents of two kinds, put together by `$unionWith`."""
    if left is right and left is not None:
        return left
    ours, is_open = members_of(left)
    theirs, is_also_open = members_of(right)
    result: Members = dict(ours)
    for name, (stored, shape) in theirs.items():
        known = ours.get(name)
        if known is None:
            result[name] = (stored, shape)
        elif known[0] != stored:
            result[name] = (name, AMBIGUOUS)
        elif known[1] != shape:
            result[name] = (stored, ANY)
    return record(result, is_open=is_open or is_also_open)


def _changed(shape: Shape | None, path: Sequence[str], change: Callable[[str], tuple[str, Shape] | None]) -> Shape:
    if shape is not None and shape.kind == "array":
        return replace(shape, element=_changed(shape.element, path, change))
    members, is_open = members_of(shape)
    key = _key(members, path[0])
    found = (step(shape, path[0]) if shape is not None else None) or (path[0], ANY)
    if len(path) == 1:
        changed = change(found[0])
    elif found[1].kind == "any":
        changed = found
    else:
        changed = (found[0], _changed(found[1], path[1:], change))
    if changed is None:
        members.pop(key, None)
    else:
        members[key] = changed
    return record(members, is_open=is_open)


def _key(members: Members, name: str) -> str:
    """Return the name of a member that may have been given by its stored name."""
    if name in members:
        return name
    return next((key for key, (stored, _) in members.items() if stored == name), name)
