"""The stages that work on the documents of one collection: their names, and the shapes that they leave behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..exceptions import NotSupportedError
from ..schema import ANY, Shape
from .agg_expressions import rename_keys
from .inference import accumulated_shape, shape_of_expression
from .names import Scope
from .records import element_of, in_part, new_record, with_member, with_members, without_member
from .reshaping import add_fields, plain_path, project
from .stage_context import UNKNOWN, Result, StageContext

_NUMBER = Shape(int, "scalar")


def keep(context: StageContext, scope: Scope, body: Any) -> Result:
    """Leave a stage without names as it is."""
    return body, scope


def match(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$match`."""
    return context.filter(scope, body), scope


def redact(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$redact`, after which documents may lack anything."""
    return context.expression(scope, body), scope.of(_partly_known(scope))


def sort(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$sort`."""
    return rename_keys(scope, body), scope


def unset(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$unset`."""
    root = scope.root
    for name in [body] if isinstance(body, str) else body if isinstance(body, list | tuple) else ():
        root = without_member(root, plain_path(scope, name))
    return rename_names(scope, body), scope.of(root)


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
    return new_record({name: shape or ANY for name, shape in shapes.items()})


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
        plain_path(scope, name): accumulated_shape(scope, part)
        for name, part in output.items()
        if not _is_filling(part)
    }
    filled = [plain_path(scope, name) for name, part in output.items() if _is_filling(part) and "." in str(name)]
    shapes |= {path: Scope(scope.root).find(path)[1] for path in filled}
    return result, scope.of(with_members(scope.root, shapes) if shapes else _partly_known(scope))


def _written(scope: Scope, name: Any, part: Any) -> str:
    """Return the stored path of an output; only `$fill` writes fields that are there already."""
    return (scope if _is_filling(part) else replace(scope, is_strict=False)).path(plain_path(scope, name))


def _is_filling(part: Any) -> bool:
    return isinstance(part, Mapping) and bool(part.keys() & {"value", "method"})


def _partly_known(scope: Scope) -> Shape | None:
    """Return the shape of documents some of which a stage has made itself, so that they are not whole any more."""
    return None if scope.root is None else in_part(scope.root)


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
