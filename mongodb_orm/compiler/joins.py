"""The stages that join other collections, branch, or write: names follow into the other model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ..schema import MappedModel, Shape, model_for, spec_of
from .filters import merge as merged_filters
from .inference import shape_of_expression
from .names import Scope
from .records import array_of, new_record, together, with_member
from .scopes import hidden_filter, kind_filter, put_first
from .stage_context import UNKNOWN, Result, StageContext
from .stages import Handler, rename_names


class _Foreign(NamedTuple):
    """Another collection: its name, what names mean there, and what its scopes hide."""

    collection: Any
    scope: Scope
    hidden: dict[str, Any]


def _foreign(context: StageContext, scope: Scope, collection: Any) -> _Foreign:
    """Find a collection by its name, or by the class that stands for it."""
    model = model_of(collection)
    if model is None:
        return _Foreign(collection, Scope(None, scope.variables, str(collection)), {})
    if model is collection:
        context.joined.add(model)
    spec = spec_of(model)
    root = None if context.is_raw else spec.documents
    hides = context.is_scoped and not context.is_check
    inside = Scope(root, scope.variables, spec.name, scope.is_strict)
    kinds = {} if context.is_check else kind_filter(spec)
    return _Foreign(spec.collection, inside, hidden_filter(spec, "active") if hides else kinds)


def model_of(collection: Any) -> type[MappedModel] | None:
    """Return the model of a collection that is given by its name or by the model itself."""
    if isinstance(collection, type) and issubclass(collection, MappedModel):
        return collection
    return model_for(collection) if isinstance(collection, str) else None


def _inside(context: StageContext, foreign: _Foreign) -> StageContext:
    return replace(context, model=foreign.scope.name or str(foreign.collection), collection=str(foreign.collection))


def lookup(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$lookup` in all its forms."""
    if not isinstance(body, Mapping):
        return body, scope
    foreign = _foreign(context, scope, body.get("from"))
    result = dict(body)
    if "from" in body:
        result["from"] = foreign.collection
    if isinstance(body.get("localField"), str):
        result["localField"] = scope.path(body["localField"])
    if isinstance(body.get("foreignField"), str):
        result["foreignField"] = foreign.scope.path(body["foreignField"])
    shape = foreign.scope.root
    bound: dict[str, Shape | None] = {}
    if isinstance(body.get("let"), Mapping):
        result["let"] = {name: context.expression(scope, value) for name, value in body["let"].items()}
        bound = {name: shape_of_expression(scope, value) for name, value in body["let"].items()}
    if "pipeline" in body:
        result["pipeline"], end = _inside(context, foreign).run(foreign.scope.binding(bound), body["pipeline"])
        shape = end.root
    if foreign.hidden:
        result["pipeline"] = put_first(foreign.hidden, result.get("pipeline", []))
    return result, _with_list(scope, result, body.get("as"), shape)


def graph_lookup(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$graphLookup`."""
    if not isinstance(body, Mapping):
        return body, scope
    foreign = _foreign(context, scope, body.get("from"))
    result = dict(body)
    if "from" in body:
        result["from"] = foreign.collection
    if "startWith" in body:
        result["startWith"] = context.expression(scope, body["startWith"])
    for option in ("connectFromField", "connectToField"):
        if isinstance(body.get(option), str):
            result[option] = foreign.scope.path(body[option])
    if "restrictSearchWithMatch" in body:
        result["restrictSearchWithMatch"] = context.filter(foreign.scope, body["restrictSearchWithMatch"])
    if foreign.hidden:
        result["restrictSearchWithMatch"] = merged_filters(
            [dict(result.get("restrictSearchWithMatch", {})), foreign.hidden]
        )
    shape = foreign.scope.root
    depth = body.get("depthField")
    if isinstance(depth, str):
        shape = with_member(shape, depth, Shape(int, "scalar"))
    return result, _with_list(scope, result, body.get("as"), shape)


def _with_list(scope: Scope, result: dict[str, Any], name: Any, shape: Shape | None) -> Scope:
    if not isinstance(name, str):
        return scope
    result["as"] = replace(scope, is_strict=False).path(name)
    return scope.of(with_member(scope.root, name, array_of(shape)))


def union_with(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$unionWith`; afterwards a name means what both sides agree on."""
    given = body.get("coll") if isinstance(body, Mapping) else body
    foreign = _foreign(context, scope, given)
    if given == context.collection and foreign.scope.root is None:
        foreign = foreign._replace(scope=scope)
    if not isinstance(body, Mapping) and not foreign.hidden:
        return foreign.collection, scope.of(together(scope.root, foreign.scope.root))
    result = dict(body) if isinstance(body, Mapping) else {"coll": body}
    if "coll" in result:
        result["coll"] = foreign.collection
    end = foreign.scope
    if "pipeline" in result:
        result["pipeline"], end = _inside(context, foreign).run(foreign.scope, result["pipeline"])
    if foreign.hidden:
        result["pipeline"] = put_first(foreign.hidden, result.get("pipeline", []))
    return result, scope.of(together(scope.root, end.root))


def facet(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$facet`, whose branches begin with the same documents."""
    if not isinstance(body, Mapping):
        return body, UNKNOWN
    branches = {str(name): context.run(scope, branch) for name, branch in body.items()}
    stages = {name: compiled for name, (compiled, _) in branches.items()}
    return stages, scope.of(new_record({name: array_of(end.root) for name, (_, end) in branches.items()}))


def merge(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$merge`; a pipeline in it works on the documents of the target, and `$$new` is one of ours."""
    if not isinstance(body, Mapping):
        return _target(context, scope, body).collection, scope
    foreign = _target(context, scope, body.get("into"))
    result = {**body, "into": foreign.collection}
    there = foreign.scope if foreign.scope.root is not None else replace(scope, is_strict=False)
    if "on" in body:
        result["on"] = rename_names(replace(there, is_strict=False), body["on"])
    bound: dict[str, Shape | None] = {"new": scope.root}
    if isinstance(body.get("let"), Mapping):
        result["let"] = {name: context.expression(scope, value) for name, value in body["let"].items()}
        bound = {name: shape_of_expression(scope, value) for name, value in body["let"].items()}
    if isinstance(body.get("whenMatched"), list | tuple):
        result["whenMatched"], _ = _inside(context, foreign).run(there.binding(bound), body["whenMatched"])
    return result, scope


def out(context: StageContext, scope: Scope, body: Any) -> Result:
    """Translate `$out`, which names a collection."""
    return _target(context, scope, body).collection, scope


def _target(context: StageContext, scope: Scope, target: Any) -> _Foreign:
    name = target.get("coll") if isinstance(target, Mapping) else target
    foreign = _foreign(replace(context, is_scoped=False, joined=set()), scope, name)
    if isinstance(target, Mapping):
        return foreign._replace(collection={**target, "coll": foreign.collection})
    return foreign


JOINS: dict[str, Handler] = {
    "$lookup": lookup,
    "$graphLookup": graph_lookup,
    "$unionWith": union_with,
    "$facet": facet,
    "$merge": merge,
    "$out": out,
}
