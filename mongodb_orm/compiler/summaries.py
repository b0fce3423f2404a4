"""Pydantic models as projections: what to ask of the server, and how the answer maps to the model's fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import pydantic

from ..exceptions import InvalidValueError, QueryError, UnknownFieldError
from ..expressions import Expression, FieldPath, From, Reference
from ..schema import ModelSpec, Resolved, Shape, markers_of, member_names, resolve, shape_of, spec_of, step
from ..types import Document
from .agg_expressions import rename_expression
from .calculations import CalculationCompiler
from .filters import merge
from .keywords import root_shape
from .names import Scope
from .paths import value_expression
from .scopes import hidden_filter, kind_filter

Rename = Callable[[Any], Any]

JOINED = "__joined"
"""What the fields are called that joins add, before a number."""

_WHOLE = "$$ROOT"
_ELEMENT = "$$item"


class Summary(NamedTuple):
    """A compiled projection.

    Attributes:
        projection: What is asked of the server.
        rename: Makes the model's names of the answer's; None where they are the same.
        models: The models whose fields were asked for by name.
        joins: The stages that come before the projection, where documents of other collections are asked for.
        references: The top-level fields that `joins` add, by the dotted path under which the summary has them.
        sources: Where top-level fields come from that the queried model has not: a path or an expression.
    """

    projection: dict[str, Any]
    rename: Rename | None
    models: frozenset[type]
    joins: tuple[dict[str, Any], ...] = ()
    references: Mapping[str, str] = MappingProxyType({})
    sources: Mapping[str, Any] = MappingProxyType({})


def compile_summary(spec: ModelSpec, into: type[pydantic.BaseModel]) -> Summary:
    """Translate a Pydantic model into a projection of exactly its fields.

    Args:
        spec: The mapping of the model that is queried.
        into: The model of the results. A field stands for the field of that name, or for what its `From` says; a
            nested model asks for its own fields only.

    Raises:
        UnknownFieldError: When it has a field that the queried model has not.
    """
    return _kept(spec, into) or _compile(spec, into)[0]


@lru_cache(maxsize=512)
def _kept(spec: ModelSpec, into: type[pydantic.BaseModel]) -> Summary | None:
    """Return a summary that is the same each time, None where a scope is asked or classes may come to be."""
    summary, is_static = _compile(spec, into)
    return summary if is_static else None


def _compile(spec: ModelSpec, into: type[pydantic.BaseModel]) -> tuple[Summary, bool]:
    compiler = _SummaryCompiler(spec, into)
    names = compiler.include(into, root_shape(spec), "")
    projection = compiler.projection
    if not projection:
        raise InvalidValueError(f"{into.__name__} has no fields to ask for.", model=spec.name)
    if "_id" not in projection:
        projection["_id"] = 0
    summary = Summary(
        projection,
        _renamer(names),
        frozenset(compiler.models),
        tuple(compiler.joins),
        compiler.references,
        compiler.sources,
    )
    is_complete = all(getattr(model, "__pydantic_complete__", True) for model in compiler.models)
    return summary, compiler.is_static and is_complete


class _Name(NamedTuple):
    """A field of a summary: its name, the names inside, and whether null has to be put where nothing came."""

    name: str
    inside: _Names | None = None
    is_null: bool = False


class _Names(dict[str, _Name]):
    """For each key of the answer, the field that it becomes."""


class _SummaryCompiler:
    def __init__(self, spec: ModelSpec, into: type[pydantic.BaseModel], path: tuple[type, ...] = ()) -> None:
        self._spec = spec
        self._into = into
        self._path: list[type] = list(path)
        self._place: tuple[str, ...] = ()
        self.projection: dict[str, Any] = {}
        self.models: set[type] = set()
        self.joins: list[dict[str, Any]] = []
        self.references: dict[str, str] = {}
        self.sources: dict[str, Any] = {}
        self.is_static = True

    def include(self, into: type[pydantic.BaseModel], source: Shape, prefix: str) -> _Names:
        """Ask for the fields of `into` at a place of the document, by dotted paths."""
        self._enter(into)
        names = _Names()
        computed: list[tuple[str, Any]] = []
        for name, info in into.__pydantic_fields__.items():
            marker = _marker(info)
            shape = shape_of(info.annotation)
            if isinstance(marker, Reference):
                names[name] = _Name(name)
                self.projection[prefix + name] = self._joined(name, shape, marker, source, "")
                continue
            if marker is not None:
                computed.append((name, marker.source))
                continue
            stored, found = self._member(into, source, name, info)
            nested = _nested_model(shape)
            if nested is not None and _has_members(found) and nested is not _nested_model(found):
                if _has_sources(nested):
                    self.projection[prefix + stored] = self._inside(name, nested, found, f"${prefix}{stored}")
                    names[stored] = _Name(name)
                else:
                    # MongoDB leaves null out where fields inside it are asked for.
                    inside = self.include(nested, found, f"{prefix}{stored}.")
                    names[stored] = _Name(name, inside, shape.optional)
            else:
                self.projection[prefix + stored] = 1
                names[stored] = _Name(name)
        for name, origin in computed:
            key = name
            while key in names:
                key += "_"
            self.projection[prefix + key] = found = self._source(origin, source, f"${prefix}" if prefix else "$")
            names[key] = _Name(name)
            if not prefix and step(source, name) is None:
                self.sources[name] = found
        self._path.pop()
        return names

    def expression(self, into: type[pydantic.BaseModel], source: Shape, root: str) -> Any:
        """Return the expression that builds `into` from what `root` names; the answer has its field names."""
        if source.kind == "array" and source.element is not None:
            variable = f"item{root.count('.')}{len(self._path)}"
            inner = self.expression(into, source.element, f"$${variable}")
            return {"$map": {"input": root, "as": variable, "in": inner}}
        self._enter(into)
        built: dict[str, Any] = {}
        for name, info in into.__pydantic_fields__.items():
            marker = _marker(info)
            if isinstance(marker, Reference):
                built[name] = self._joined(name, shape_of(info.annotation), marker, source, root)
                continue
            if marker is not None:
                built[name] = self._source(marker.source, source, f"{root}.")
                continue
            stored, found = self._member(into, source, name, info)
            nested = _nested_model(shape_of(info.annotation))
            if nested is not None and _has_members(found):
                built[name] = self._inside(name, nested, found, f"{root}.{stored}")
            else:
                built[name] = f"{root}.{stored}"
        self._path.pop()
        return {"$cond": [{"$eq": [{"$ifNull": [root, None]}, None]}, None, built]} if source.optional else built

    def _inside(self, name: str, into: type[pydantic.BaseModel], source: Shape, root: str) -> Any:
        before, self._place = self._place, (*self._place, name)
        built = self.expression(into, source, root)
        self._place = before
        return built

    def _joined(self, name: str, shape: Shape, reference: Reference, source: Shape, root: str) -> str:
        """Add the stages that join what a reference is about; return the path of it."""
        into, place = _nested_model(shape), ".".join((*self._place, name))
        spec = spec_of(reference.model)
        if into is None:
            raise QueryError(
                f"{self._into.__name__}.{place} refers to {spec.name}: its type is a Pydantic model, or a list of one.",
                model=self._spec.name,
                field=place,
            )
        if root.startswith(_ELEMENT):
            raise QueryError(
                f"{self._into.__name__}.{place} lies in a list, whose references MongoDB does not join.",
                hint="Join them in a pipeline, after $unwind.",
                model=self._spec.name,
                field=place,
            )
        before = "" if root in ("", _WHOLE) else root.removeprefix(f"{_WHOLE}.").removeprefix("$") + "."
        local = self._source(reference.by, source, before)
        foreign = "_id" if reference.to is None else resolve(spec, _parts(reference.to)).stored
        inner = _SummaryCompiler(spec, into, tuple(self._path))
        built = inner.expression(into, spec.documents, _WHOLE)
        self.models |= inner.models
        self.is_static &= inner.is_static and spec.family is None and not callable(spec.settings.default_scope)
        hidden = merge([hidden_filter(spec, "active") if reference.scoped else kind_filter(spec), _present(foreign)])
        joined = f"{JOINED}{len(self.joins)}"
        lookup = {
            "from": spec.collection,
            "localField": local,
            "foreignField": foreign,
            "pipeline": [*([{"$match": hidden}] if hidden else []), *inner.joins, {"$replaceWith": built}],
            "as": joined,
        }
        self.joins.append({"$lookup": lookup})
        if shape.kind != "array":
            self.joins.append({"$set": {joined: {"$ifNull": [{"$first": f"${joined}"}, None]}}})
        self.references[place] = joined
        return f"${joined}"

    def _enter(self, into: type[pydantic.BaseModel]) -> None:
        if into in self._path:
            raise QueryError(
                f"{into.__name__} contains itself, so a projection of it has no end.",
                hint="Use the queried model's own type for that field.",
                model=self._spec.name,
            )
        self._path.append(into)
        self.models.add(into)

    def _source(self, origin: Any, source: Shape, root: str) -> Any:
        if isinstance(origin, Expression) and not isinstance(origin, FieldPath):
            return CalculationCompiler(self._spec.name, root_shape(self._spec)).value(origin)
        if isinstance(origin, Mapping):
            return rename_expression(Scope(root_shape(self._spec)), origin)
        path = str(origin) if isinstance(origin, FieldPath) else origin
        if not isinstance(path, str) or not path:
            raise InvalidValueError(f"A field comes from a path, not from {origin!r}.", model=self._spec.name)
        steps: list[tuple[str, Shape]] = []
        shape = source
        for part in _parts(path):
            found = step(shape, part)
            if found is None:
                raise UnknownFieldError(self._spec.name, path, member_names(shape))
            steps.append((found[0], shape))
            shape = found[1]
        stored = ".".join(name for name, _ in steps)
        has_positions = any(name.isdigit() and above.kind == "array" for name, above in steps)
        if not has_positions:
            return root + stored
        if not root:
            raise QueryError(f"MongoDB does not join by a position of a list: {path!r}.", model=self._spec.name)
        return value_expression(Resolved(stored, shape, tuple(steps)), "$" if root == "$" else root.rstrip("."))

    def _member(self, into: type, source: Shape, name: str, info: Any) -> tuple[str, Shape]:
        for candidate in (name, info.alias, info.validation_alias):
            found = step(source, candidate) if isinstance(candidate, str) else None
            if found is not None:
                return found
        raise UnknownFieldError(self._spec.name, name, member_names(source))


def _marker(info: Any) -> From | Reference | None:
    return next((item for item in markers_of(info) if isinstance(item, From | Reference)), None)


def _parts(path: Any) -> tuple[str, ...]:
    return tuple(str(path).removeprefix("$").replace("__", ".").split("."))


def _present(foreign: str) -> dict[str, Any]:
    """Return the filter without which null here would find what lacks the field there."""
    return {} if foreign == "_id" else {foreign: {"$ne": None}}


def _nested_model(shape: Shape) -> type[pydantic.BaseModel] | None:
    if shape.kind == "array" and shape.element is not None:
        return _nested_model(shape.element)
    return shape.model if shape.kind == "model" else None


def _has_members(shape: Shape) -> bool:
    return _nested_model(shape) is not None


def _has_sources(into: type[pydantic.BaseModel]) -> bool:
    for info in into.__pydantic_fields__.values():
        if _marker(info) is not None:
            return True
        nested = _nested_model(shape_of(info.annotation))
        if nested is not None and nested is not into and _has_sources(nested):
            return True
    return False


def _renamer(names: _Names) -> Rename | None:
    plan = [
        (key, name, None if inside is None else _renamer(inside), is_null)
        for key, (name, inside, is_null) in names.items()
    ]
    if all(key == name and deeper is None and not is_null for key, name, deeper, is_null in plan):
        return None

    def rename(value: Any) -> Any:
        if isinstance(value, list):
            return [rename(item) for item in value]
        if not isinstance(value, dict):
            return value
        result: Document = {}
        for key, name, deeper, is_null in plan:
            if key in value:
                result[name] = value[key] if deeper is None else deeper(value[key])
            elif is_null:
                result[name] = None
        return result

    return rename
