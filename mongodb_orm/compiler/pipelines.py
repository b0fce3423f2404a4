"""Names in aggregation pipelines, followed from stage to stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..exceptions import InvalidValueError
from ..schema import ModelSpec, Shape, model_for, spec_of
from .agg_expressions import Scope, rename_expression, shape_of_path
from .filters import rename_filter
from .keywords import root_shape

_Result = tuple[Any, Scope]
_ENDED = Scope(None)


@dataclass(frozen=True, slots=True)
class CompiledPipeline:
    """A pipeline under stored names.

    Attributes:
        stages: What is sent.
        keeps_shape: Whether results still have the model's shape.
        renames: Python's names by stored name, of the top-level fields.
    """

    stages: list[dict[str, Any]]
    keeps_shape: bool
    renames: Mapping[str, str]


def compile_pipeline(
    spec: ModelSpec, pipeline: Sequence[Mapping[str, Any]], *, allow_javascript: bool = False
) -> CompiledPipeline:
    """Translate a pipeline on a model's collection; the original is not changed.

    Raises:
        InvalidValueError: When it is no pipeline.
        UnsafeQueryError: When it runs JavaScript that nobody asked for.
    """
    compiler = _PipelineCompiler(spec.name, spec.collection, allow_javascript)
    stages, scope = compiler.run(Scope(root_shape(spec)), pipeline)
    keeps_shape = scope.root is not None and scope.root.model is spec.model
    return CompiledPipeline(stages, keeps_shape, spec.names)


class _PipelineCompiler:
    def __init__(self, model: str, collection: str, allow_javascript: bool) -> None:
        self._model = model
        self._collection = collection
        self._allow_javascript = allow_javascript

    def run(self, scope: Scope, pipeline: Any) -> tuple[list[dict[str, Any]], Scope]:
        if isinstance(pipeline, Mapping | str) or not isinstance(pipeline, Sequence):
            raise InvalidValueError(
                f"A pipeline is a list of stages, not a {type(pipeline).__name__}.", model=self._model, value=pipeline
            )
        stages: list[dict[str, Any]] = []
        for position, stage in enumerate(pipeline):
            if not isinstance(stage, Mapping) or len(stage) != 1:
                raise InvalidValueError(
                    f"Stage {position} is not a mapping with one key.", model=self._model, value=stage
                )
            ((name, body),) = stage.items()
            if not isinstance(name, str) or not name.startswith("$"):
                raise InvalidValueError(
                    f"Stage {position} is named {name!r}.",
                    hint=f"Stages begin with a dollar: '${name}'.",
                    model=self._model,
                    field=str(name),
                )
            handler = _STAGES.get(name)
            if handler is None:
                self._expression(_ENDED, body)
                renamed, scope = body, _ENDED
            else:
                renamed, scope = handler(self, scope, body)
            stages.append({name: renamed})
        return stages, scope

    def _expression(self, scope: Scope, value: Any) -> Any:
        return rename_expression(scope, value, allow_javascript=self._allow_javascript)

    def _filter(self, scope: Scope, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return rename_filter(scope, value, model=self._model, allow_javascript=self._allow_javascript)

    def _foreign(self, collection: Any) -> tuple[Scope, str]:
        model = model_for(collection) if isinstance(collection, str) else None
        return (Scope(root_shape(spec_of(model))), model.__name__) if model is not None else (_ENDED, str(collection))

    def pass_through(self, scope: Scope, body: Any) -> _Result:
        return body, scope

    def match(self, scope: Scope, body: Any) -> _Result:
        return self._filter(scope, body), scope

    def redact(self, scope: Scope, body: Any) -> _Result:
        return self._expression(scope, body), scope

    def sort(self, scope: Scope, body: Any) -> _Result:
        return _keys(scope, body), scope

    def unset(self, scope: Scope, body: Any) -> _Result:
        return _names(scope, body), scope

    def project(self, scope: Scope, body: Any) -> _Result:
        if not isinstance(body, Mapping):
            return body, scope
        return self._projected(scope, body), self._with_added(scope, body)

    def add_fields(self, scope: Scope, body: Any) -> _Result:
        if not isinstance(body, Mapping):
            return body, scope
        renamed = {scope.path(name): self._expression(scope, value) for name, value in body.items()}
        return renamed, self._with_added(scope, body)

    def _projected(self, scope: Scope, body: Mapping[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, value in body.items():
            if isinstance(value, Mapping) and not any(str(key).startswith("$") for key in value):
                stored, shape = scope.find(name)
                nested = {key: inner for key, inner in value.items() if not isinstance(inner, bool | int | Mapping)}
                inner_scope = Scope(shape)
                result[stored] = {
                    **{inner_scope.path(key): value[key] for key in value if key not in nested},
                    **{inner_scope.path(key): self._expression(scope, inner) for key, inner in nested.items()},
                }
            else:
                result[scope.path(name)] = self._expression(scope, value)
        return result

    def _with_added(self, scope: Scope, body: Mapping[str, Any]) -> Scope:
        added = {
            name: shape_of_path(scope, value)
            for name, value in body.items()
            if "." not in name and isinstance(value, str | Mapping)
        }
        return scope.adding(added)

    def unwind(self, scope: Scope, body: Any) -> _Result:
        if isinstance(body, Mapping) and "path" in body:
            return {**body, "path": self._expression(scope, body["path"])}, scope
        return self._expression(scope, body), scope

    def group(self, scope: Scope, body: Any) -> _Result:
        renamed = self._expression(scope, body)
        added: dict[str, Shape | None] = {}
        if isinstance(body, Mapping):
            for name, value in body.items():
                operand = next(iter(value.values()), None) if isinstance(value, Mapping) and len(value) == 1 else None
                added[name] = shape_of_path(scope, operand) if name != "_id" else None
        return renamed, Scope(None, {name: shape for name, shape in added.items() if shape is not None})

    def ending(self, scope: Scope, body: Any) -> _Result:
        return self._expression(scope, body), _ENDED

    def ended(self, scope: Scope, body: Any) -> _Result:
        return body, _ENDED

    def lookup(self, scope: Scope, body: Any) -> _Result:
        if not isinstance(body, Mapping):
            return body, scope
        foreign, name = self._foreign(body.get("from"))
        result = dict(body)
        if isinstance(body.get("localField"), str):
            result["localField"] = scope.path(body["localField"])
        if isinstance(body.get("foreignField"), str):
            result["foreignField"] = foreign.path(body["foreignField"])
        if "let" in body:
            result["let"] = self._expression(scope, body["let"])
        shape = foreign.root
        if "pipeline" in body:
            inner = _PipelineCompiler(name, str(body.get("from")), self._allow_javascript)
            variables: Mapping[str, Any] = body["let"] if isinstance(body.get("let"), Mapping) else {}
            bound = {f"$${variable}": shape_of_path(scope, value) for variable, value in variables.items()}
            result["pipeline"], end = inner.run(foreign.adding(bound), body["pipeline"])
            shape = end.root
        return result, _with_field(scope, body.get("as"), shape)

    def graph_lookup(self, scope: Scope, body: Any) -> _Result:
        if not isinstance(body, Mapping):
            return body, scope
        foreign, _ = self._foreign(body.get("from"))
        result = dict(body)
        if "startWith" in body:
            result["startWith"] = self._expression(scope, body["startWith"])
        for option in ("connectFromField", "connectToField"):
            if isinstance(body.get(option), str):
                result[option] = foreign.path(body[option])
        if "restrictSearchWithMatch" in body:
            result["restrictSearchWithMatch"] = self._filter(foreign, body["restrictSearchWithMatch"])
        return result, _with_field(scope, body.get("as"), foreign.root)

    def facet(self, scope: Scope, body: Any) -> _Result:
        if not isinstance(body, Mapping):
            return body, _ENDED
        branches = {name: self.run(scope, branch) for name, branch in body.items()}
        outputs = {name: end.root for name, (_, end) in branches.items()}
        return {name: stages for name, (stages, _) in branches.items()}, Scope(None, outputs)

    def union_with(self, scope: Scope, body: Any) -> _Result:
        collection = body.get("coll") if isinstance(body, Mapping) else body
        after = scope if collection == self._collection else _ENDED
        if not isinstance(body, Mapping) or "pipeline" not in body:
            return body, after
        foreign, name = self._foreign(collection)
        if collection == self._collection and foreign.root is None:
            foreign = scope
        stages, end = _PipelineCompiler(name, str(collection), self._allow_javascript).run(foreign, body["pipeline"])
        return {**body, "pipeline": stages}, after if end.root is not None else _ENDED

    def replace_root(self, scope: Scope, body: Any) -> _Result:
        new = body.get("newRoot") if isinstance(body, Mapping) else None
        return self._expression(scope, body), Scope(shape_of_path(scope, new))

    def replace_with(self, scope: Scope, body: Any) -> _Result:
        return self._expression(scope, body), Scope(shape_of_path(scope, body))

    def geo_near(self, scope: Scope, body: Any) -> _Result:
        if not isinstance(body, Mapping):
            return body, scope
        result = dict(body)
        if isinstance(body.get("key"), str):
            result["key"] = scope.path(body["key"])
        if "query" in body:
            result["query"] = self._filter(scope, body["query"])
        return result, _with_field(scope, body.get("distanceField"), None)

    def merge(self, scope: Scope, body: Any) -> _Result:
        if isinstance(body, Mapping) and "on" in body:
            return {**body, "on": _names(scope, body["on"])}, scope
        return body, scope

    def windows(self, scope: Scope, body: Any) -> _Result:
        """Translate `$setWindowFields`, `$fill` and `$densify`, which share their options."""
        if not isinstance(body, Mapping):
            return body, scope
        result: dict[str, Any] = {}
        for option, value in body.items():
            if option == "partitionBy":
                result[option] = self._expression(scope, value)
            elif option == "sortBy":
                result[option] = _keys(scope, value)
            elif option in ("partitionByFields", "field"):
                result[option] = _names(scope, value)
            elif option == "output" and isinstance(value, Mapping):
                result[option] = {scope.path(name): self._expression(scope, part) for name, part in value.items()}
            else:
                result[option] = value
        output: Mapping[str, Any] = body["output"] if isinstance(body.get("output"), Mapping) else {}
        return result, scope.adding(dict.fromkeys((name for name in output if "." not in name), None))


def _keys(scope: Scope, body: Any) -> Any:
    return {scope.path(name): value for name, value in body.items()} if isinstance(body, Mapping) else body


def _names(scope: Scope, body: Any) -> Any:
    if isinstance(body, str):
        return scope.path(body)
    return [scope.path(name) for name in body] if isinstance(body, list | tuple) else body


def _with_field(scope: Scope, name: Any, shape: Shape | None) -> Scope:
    return scope.adding({name: shape}) if isinstance(name, str) and "." not in name else scope


_Handler = Callable[[_PipelineCompiler, Scope, Any], _Result]

_STAGES: dict[str, _Handler] = {
    "$match": _PipelineCompiler.match,
    "$project": _PipelineCompiler.project,
    "$addFields": _PipelineCompiler.add_fields,
    "$set": _PipelineCompiler.add_fields,
    "$unset": _PipelineCompiler.unset,
    "$sort": _PipelineCompiler.sort,
    "$unwind": _PipelineCompiler.unwind,
    "$group": _PipelineCompiler.group,
    "$sortByCount": _PipelineCompiler.ending,
    "$bucket": _PipelineCompiler.ending,
    "$bucketAuto": _PipelineCompiler.ending,
    "$count": _PipelineCompiler.ended,
    "$lookup": _PipelineCompiler.lookup,
    "$graphLookup": _PipelineCompiler.graph_lookup,
    "$facet": _PipelineCompiler.facet,
    "$unionWith": _PipelineCompiler.union_with,
    "$replaceRoot": _PipelineCompiler.replace_root,
    "$replaceWith": _PipelineCompiler.replace_with,
    "$geoNear": _PipelineCompiler.geo_near,
    "$redact": _PipelineCompiler.redact,
    "$merge": _PipelineCompiler.merge,
    "$setWindowFields": _PipelineCompiler.windows,
    "$fill": _PipelineCompiler.windows,
    "$densify": _PipelineCompiler.windows,
    "$documents": _PipelineCompiler.ended,
    "$limit": _PipelineCompiler.pass_through,
    "$skip": _PipelineCompiler.pass_through,
    "$sample": _PipelineCompiler.pass_through,
    "$out": _PipelineCompiler.pass_through,
    "$search": _PipelineCompiler.pass_through,
    "$vectorSearch": _PipelineCompiler.pass_through,
}
