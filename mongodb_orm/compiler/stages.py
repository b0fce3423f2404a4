"""The stages that work on the documents of one collection: their names, and the shapes that they leave behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..exceptions import NotSupportedError, QueryError
from ..expressions import Checked, Condition
from ..schema import Shape
from .agg_expressions import rename_expression, rename_keys
from .filters import compile_filter_on, rename_filter
from .inference import accumulated_shape, shape_of_expression
from .names import Scope
from .places import is_near
from .records import (
    Members,
    element_of,
    members_of,
    new_record,
    only_members,
    record,
    with_member,
    with_members,
    without_member,
)

UNKNOWN = Scope(None)
_NUMBER = Shape(int, "scalar")
Result = tuple[Any, Scope]


@dataclass(frozen=True)
class StageContext:
    """What the compiler of a stage may ask for.

    Attributes:
        model: The model's name, for messages.
        collection: The collection that is read.
        allow_javascript: Whether server-side JavaScript may pass.
        is_scoped: Whether joined models are seen through their scopes.
        is_raw: Whether names are left as they are.
        is_check: Whether only names are proved, so that no scope is asked what it hides today.
        joined: The models that were named as classes where a collection is read.
    """

    model: str
    collection: str
    allow_javascript: bool = False
    is_scoped: bool = False
    is_raw: bool = False
    is_check: bool = False
    joined: set[type] = field(default_factory=set)

    def run(self, scope: Scope, pipeline: Sequence[Mapping[str, Any] | Checked]) -> tuple[list[dict[str, Any]], Scope]:
        """Compile a pipeline that begins in a scope."""
        raise NotImplementedError

    def expression(self, scope: Scope, value: Any) -> Any:
        """Translate an expression."""
        return rename_expression(scope, value, allow_javascript=self.allow_javascript)

    def filter(self, scope: Scope, value: Any) -> Any:
        """Translate a condition or a raw query document; anything else is the server's to refuse."""
        if isinstance(value, Condition):
            compiled = compile_filter_on(scope, value, allow_javascript=self.allow_javascript)
            if is_near(compiled):
                raise QueryError(
                    "Inside a pipeline there is no condition on nearness.",
                    hint="Begin with geo_near(), or with filter(...) before aggregate().",
                    model=self.model,
                )
            return compiled
        if not isinstance(value, Mapping):
            return value
        lenient = replace(scope, is_strict=False)
        return rename_filter(lenient, value, model=self.model, allow_javascript=self.allow_javascript)


def keep(context: StageContext, scope: Scope, body: Any) -> Result:
    """Leave a stage without names as it is."""
    return body, scope


def match(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$match`."""
    return context.filter(scope, body), scope


def redact(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$redact`, after which documents may lack anything."""
    members, is_open = members_of(scope.root)
    return context.expression(scope, body), scope.of(record(members, is_open=is_open))


def sort(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$sort`."""
    return rename_keys(scope, body), scope


def unset(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$unset`."""
    root = scope.root
    for name in [body] if isinstance(body, str) else body if isinstance(body, list | tuple) else ():
        root = without_member(root, _plain_path(scope, name))
    return rename_names(scope, body), scope.of(root)


def project(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$project`."""
    if not isinstance(body, Mapping):
        return body, scope
    leaves = [(_plain_path(scope, path), value) for path, value in _leaves(body)]
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
    return record({**root.fields, path: (stored, Shape(Any, "any"))}, is_open=root.is_open)


def add_fields(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$addFields` and `$set`."""
    if not isinstance(body, Mapping):
        return body, scope
    shapes = {_plain_path(scope, path): shape_of_expression(scope, value) for path, value in _leaves(body)}
    lenient = replace(scope, is_strict=False)
    renamed = _assigned(context, scope, lenient, {_plain_path(scope, name): value for name, value in body.items()})
    return renamed, scope.of(with_members(scope.root, shapes))


def _assigned(context: StageContext, scope: Scope, inside: Scope, body: Mapping[str, Any]) -> dict[str, Any]:
    """Translate fields and their values; `inside` is where the keys stand, `scope` where the values look."""
    result: dict[str, Any] = {}
    for name, value in body.items():
        # A field that is computed may be new; one that is asked for must be there.
        is_known = _is_flag(value) and name != "_id"
        keys = inside if is_known else replace(inside, is_strict=False)
        stored, shape = keys.find(_plain_path(inside, name))
        if _is_nested(value):
            result[stored] = _assigned(context, scope, replace(inside, root=element_of(shape)), value)
        else:
            result[stored] = value if _is_flag(value) else context.expression(scope, value)
    return result


def _plain_path(scope: Scope, name: Any) -> str:
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


def unwind(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$unwind`; the field is one element from then on."""
    path = body.get("path") if isinstance(body, Mapping) else body
    renamed = context.expression(scope, body)
    root = scope.root
    if isinstance(path, str) and path.startswith("$") and root is not None:
        name = path[1:].replace("__", ".") if scope.is_strict else path[1:]
        root = with_member(root, name, element_of(scope.find(path[1:])[1]))
    index = body.get("includeArrayIndex") if isinstance(body, Mapping) else None
    return renamed, scope.of(with_member(root, index, _NUMBER) if isinstance(index, str) else root)


def group(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$group`, after which the fields are the group's own."""
    renamed = context.expression(scope, body)
    if not isinstance(body, Mapping):
        return renamed, UNKNOWN
    return renamed, scope.of(_outcome(scope, {"_id": shape_of_expression(scope, body.get("_id"))}, body))


def _outcome(scope: Scope, key: Mapping[str, Shape | None], output: Any) -> Shape:
    shapes = dict(key)
    for name, value in output.items() if isinstance(output, Mapping) else ():
        if name != "_id":
            shapes[str(name)] = accumulated_shape(scope, value)
    return new_record({name: shape or Shape(Any, "any") for name, shape in shapes.items()})


def bucket(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$bucket` and `$bucketAuto`."""
    if not isinstance(body, Mapping):
        return body, UNKNOWN
    output = body.get("output") or {"count": {"$count": {}}}
    renamed = {
        option: context.expression(scope, value) if option in ("groupBy", "output") else value
        for option, value in body.items()
    }
    return renamed, scope.of(_outcome(scope, {"_id": None}, output))


def sort_by_count(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$sortByCount`."""
    key = {"_id": shape_of_expression(scope, body), "count": _NUMBER}
    return context.expression(scope, body), scope.of(_outcome(scope, key, {}))


def count(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$count`, which names a field of its own."""
    return body, scope.of(new_record({str(body): _NUMBER}))


def replace_root(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$replaceRoot`."""
    new = body.get("newRoot") if isinstance(body, Mapping) else None
    return context.expression(scope, body), scope.of(shape_of_expression(scope, new))


def replace_with(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$replaceWith`."""
    return context.expression(scope, body), scope.of(shape_of_expression(scope, body))


def geo_near(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$geoNear`, which adds the distance and the place."""
    if not isinstance(body, Mapping):
        return body, scope
    result = {option: _near_option(context, scope, option, value) for option, value in body.items()}
    added = {name: None for name in (body.get("distanceField"), body.get("includeLocs")) if isinstance(name, str)}
    return result, scope.of(with_members(scope.root, added))


def _near_option(context: StageContext, scope: Scope, option: str, value: Any) -> Any:
    if option == "key" and isinstance(value, str):
        return scope.path(value)
    if option == "query":
        return context.filter(scope, value)
    if option in ("distanceField", "includeLocs") and isinstance(value, str):
        return replace(scope, is_strict=False).path(value)
    return value


def windows(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$setWindowFields`, `$fill` and `$densify`, which share their options."""
    if not isinstance(body, Mapping):
        return body, scope
    result: dict[str, Any] = {}
    for option, value in body.items():
        if option == "partitionBy":
            result[option] = context.expression(scope, value)
        elif option == "sortBy":
            result[option] = rename_keys(scope, value)
        elif option in ("partitionByFields", "field"):
            result[option] = rename_names(scope, value)
        elif option == "output" and isinstance(value, Mapping):
            result[option] = {
                _written(scope, name, part): context.expression(scope, part) for name, part in value.items()
            }
        else:
            result[option] = value
    output: Mapping[str, Any] = body["output"] if isinstance(body.get("output"), Mapping) else {}
    shapes = {
        _plain_path(scope, name): accumulated_shape(scope, part)
        for name, part in output.items()
        if not _is_filling(part)
    }
    return result, scope.of(with_members(scope.root, shapes) if shapes else _partly_known(scope))


def _written(scope: Scope, name: Any, part: Any) -> str:
    """Return the stored path of an output; only `$fill` writes fields that are there already."""
    return (scope if _is_filling(part) else replace(scope, is_strict=False)).path(_plain_path(scope, name))


def _is_filling(part: Any) -> bool:
    return isinstance(part, Mapping) and bool(part.keys() & {"value", "method"})


def _partly_known(scope: Scope) -> Shape | None:
    """Return the shape of documents some of which a stage has made itself, so that they are not whole any more."""
    if scope.root is None:
        return None
    members, is_open = members_of(scope.root)
    return record(members, is_open=is_open)


def search(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate the paths in `$search`, `$searchMeta` and `$vectorSearch` of Atlas."""
    return _search_paths(scope, body), scope


def _search_paths(scope: Scope, body: Any) -> Any:
    if isinstance(body, Mapping):
        return {
            key: rename_names(scope, value) if key == "path" else _search_paths(scope, value)
            for key, value in body.items()
        }
    return [_search_paths(scope, item) for item in body] if isinstance(body, list | tuple) else body


def unknown(context: StageContext, scope: Scope, body: Any) -> Result:
    """Leave a stage whose results have nothing of the model, such as `$collStats`."""
    context.expression(UNKNOWN, body)
    return body, UNKNOWN


def documents(context: StageContext, scope: Scope, body: Any) -> Result:
    """Leave `$documents`, which brings documents of its own."""
    return context.expression(UNKNOWN, body), UNKNOWN


def change_stream(context: StageContext, scope: Scope, body: Any) -> Result:
    """Refuse `$changeStream`: its results never end.

    Raises:
        NotSupportedError: Always.
    """
    raise NotSupportedError(
        "An aggregation is read to its end, and a change stream has none.",
        hint="Use the driver's watch().",
        feature="$changeStream",
    )


def rename_names(scope: Scope, body: Any) -> Any:
    """Translate a field's name, or a list of them."""
    if isinstance(body, str):
        return scope.path(body)
    return [scope.path(name) for name in body] if isinstance(body, list | tuple) else body


Handler = Callable[[Any, Scope, Any], Result]

STAGES: dict[str, Handler] = {
    "$match": match,
    "$project": project,
    "$addFields": add_fields,
    "$set": add_fields,
    "$unset": unset,
    "$sort": sort,
    "$limit": keep,
    "$skip": keep,
    "$sample": keep,
    "$unwind": unwind,
    "$group": group,
    "$sortByCount": sort_by_count,
    "$bucket": bucket,
    "$bucketAuto": bucket,
    "$count": count,
    "$replaceRoot": replace_root,
    "$replaceWith": replace_with,
    "$geoNear": geo_near,
    "$redact": redact,
    "$setWindowFields": windows,
    "$fill": windows,
    "$densify": windows,
    "$documents": documents,
    "$search": search,
    "$vectorSearch": search,
    "$searchMeta": unknown,
    "$collStats": unknown,
    "$indexStats": unknown,
    "$planCacheStats": unknown,
    "$listSessions": unknown,
    "$listLocalSessions": unknown,
    "$currentOp": unknown,
    "$changeStream": change_stream,
}
