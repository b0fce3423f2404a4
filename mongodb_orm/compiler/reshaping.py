"""The stages that give documents other fields: `$project`, `$addFields` and `$set`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..schema import ANY, Shape
from .inference import shape_of_expression
from .names import Scope
from .records import Members, element_of, members_of, only_members, record, with_member, with_members, without_member
from .stage_context import Result, StageContext


def project(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$project`."""
    if not isinstance(body, Mapping):
        return body, scope
    leaves = [(plain_path(scope, path), value) for path, value in _leaves(body)]
    excluded = [path for path, value in leaves if _is_flag(value) and not value]
    others = [path for path, _ in leaves if path not in _id_names(scope)]
    if excluded and set(others or excluded) <= set(excluded):
        root = scope.root
        for path in excluded:
            root = without_member(root, path)
        return _assigned(context, scope, scope, body), scope.of(root)
    kept: Members = only_members(scope.root, [path for path, value in leaves if _is_flag(value) and value])
    if not any(path in _id_names(scope) for path, _ in leaves):
        kept = {**only_members(scope.root, ["_id"]), **kept}
    computed = {path: shape_of_expression(scope, value) for path, value in leaves if not _is_flag(value)}
    known = only_members(scope.root, [path for path in computed if "." in path])
    root = record({**kept, **known})
    for path, shape in computed.items():
        stored = replace(scope, is_strict=False).path(path)
        root = with_member(_with_key(root, path, stored), path, shape)
    return _assigned(context, scope, scope, body), scope.of(root)


def _with_key(root: Shape, path: str, stored: str) -> Shape:
    """Let a computed field keep the stored name that the model gives to its name."""
    if "." in path or path == stored or path in root.fields:
        return root
    return record({**root.fields, path: (stored, ANY)}, is_open=root.is_open)


def add_fields(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$addFields` and `$set`."""
    if not isinstance(body, Mapping):
        return body, scope
    shapes = {plain_path(scope, path): shape_of_expression(scope, value) for path, value in _leaves(body)}
    lenient = replace(scope, is_strict=False)
    renamed = _assigned(context, scope, lenient, {plain_path(scope, name): value for name, value in body.items()})
    return renamed, scope.of(with_members(scope.root, shapes))


def _assigned(context: StageContext, scope: Scope, inside: Scope, body: Mapping[str, Any]) -> dict[str, Any]:
    """Translate fields and their values; `inside` is where the keys stand, `scope` where the values look."""
    result: dict[str, Any] = {}
    for name, value in body.items():
        # A field that is computed may be new; one that is asked for must be there.
        is_known = _is_flag(value) and name != "_id"
        keys = inside if is_known else replace(inside, is_strict=False)
        stored, shape = keys.find(plain_path(inside, name))
        if _is_nested(value):
            result[stored] = _assigned(context, scope, replace(inside, root=element_of(shape)), value)
        else:
            result[stored] = value if _is_flag(value) else context.expression(scope, value)
    return result


def plain_path(scope: Scope, name: Any) -> str:
    """Return a path of names; in a builder `__` stands for the dot, as in keywords."""
    if scope.is_strict and isinstance(name, str) and "__" in name and name not in members_of(scope.root)[0]:
        return name.replace("__", ".")
    return str(name)


def _leaves(body: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in body.items():
        if _is_nested(value):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and not any(str(key).startswith("$") for key in value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _id_names(scope: Scope) -> set[str]:
    members, _ = members_of(scope.root)
    return {"_id", *(name for name, (stored, _) in members.items() if stored == "_id")}
