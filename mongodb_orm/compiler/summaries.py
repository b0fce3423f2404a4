"""Pydantic models as projections: what to ask of the server, and how the answer maps to the model's fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pydantic

from ..exceptions import InvalidValueError, QueryError, UnknownFieldError
from ..expressions import FieldPath, From
from ..schema import ModelSpec, Shape, member_names, shape_of, step
from ..types import Document
from .agg_expressions import rename_expression
from .keywords import root_shape
from .names import Scope

Rename = Callable[[Any], Any]


class Summary(NamedTuple):
    """A compiled projection.

    Attributes:
        projection: What is asked of the server.
        rename: Makes the model's names of the answer's; None where they are the same.
        models: The models whose fields were asked for by name.
    """

    projection: dict[str, Any]
    rename: Rename | None
    models: frozenset[type]


def compile_summary(spec: ModelSpec, into: type[pydantic.BaseModel]) -> Summary:
    """Translate a Pydantic model into a projection of exactly its fields.

    Args:
        spec: The mapping of the model that is queried.
        into: The model of the results. A field stands for the field of that name, or for what its `From` says; a
            nested model asks for its own fields only.

    Raises:
        UnknownFieldError: When it has a field that the queried model has not.
    """
    compiler = _SummaryCompiler(spec, into)
    names = compiler.include(into, root_shape(spec), "")
    projection = compiler.projection
    if not projection:
        raise InvalidValueError(f"{into.__name__} has no fields to ask for.", model=spec.name)
    if "_id" not in projection:
        projection["_id"] = 0
    return Summary(projection, _renamer(names), frozenset(compiler.models))


class _Name(NamedTuple):
    """A field of a summary: its name, the names inside, and whether null has to be put where nothing came."""

    name: str
    inside: _Names | None = None
    is_null: bool = False


class _Names(dict[str, _Name]):
    """For each key of the answer, the field that it becomes."""


class _SummaryCompiler:
    def __init__(self, spec: ModelSpec, into: type[pydantic.BaseModel]) -> None:
        self._spec = spec
        self._into = into
        self._path: list[type] = []
        self.projection: dict[str, Any] = {}
        self.models: set[type] = set()

    def include(self, into: type[pydantic.BaseModel], source: Shape, prefix: str) -> _Names:
        """Ask for the fields of `into` at a place of the document, by dotted paths."""
        if into in self._path:
            raise QueryError(
                f"{into.__name__} contains itself, so a projection of it has no end.",
                hint="Use the queried model's own type for that field.",
                model=self._spec.name,
            )
        self._path.append(into)
        self.models.add(into)
        names = _Names()
        computed: list[tuple[str, Any]] = []
        for name, info in into.__pydantic_fields__.items():
            marker = next((item for item in info.metadata if isinstance(item, From)), None)
            shape = shape_of(info.annotation)
            if marker is not None:
                computed.append((name, marker.source))
                continue
            stored, found = self._member(into, source, name, info)
            nested = _nested_model(shape)
            if nested is not None and _has_members(found) and nested is not _nested_model(found):
                if _has_sources(nested):
                    self.projection[prefix + stored] = self._expression(nested, found, f"${prefix}{stored}")
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
            self.projection[prefix + key] = self._source(origin, source, f"${prefix}" if prefix else "$")
            names[key] = _Name(name)
        self._path.pop()
        return names

    def _expression(self, into: type[pydantic.BaseModel], source: Shape, root: str) -> Any:
        """Return the expression that builds `into` from what `root` names; the answer has its field names."""
        self.models.add(into)
        if source.kind == "array" and source.element is not None:
            variable = f"item{root.count('.')}{len(self._path)}"
            inner = self._expression(into, source.element, f"$${variable}")
            return {"$map": {"input": root, "as": variable, "in": inner}}
        built: dict[str, Any] = {}
        for name, info in into.__pydantic_fields__.items():
            marker = next((item for item in info.metadata if isinstance(item, From)), None)
            if marker is not None:
                built[name] = self._source(marker.source, source, f"{root}.")
                continue
            stored, found = self._member(into, source, name, info)
            nested = _nested_model(shape_of(info.annotation))
            if nested is not None and _has_members(found):
                built[name] = self._expression(nested, found, f"{root}.{stored}")
            else:
                built[name] = f"{root}.{stored}"
        return built

    def _source(self, origin: Any, source: Shape, root: str) -> Any:
        if isinstance(origin, Mapping):
            return rename_expression(Scope(root_shape(self._spec)), origin)
        path = str(origin) if isinstance(origin, FieldPath) else origin
        if not isinstance(path, str) or not path:
            raise InvalidValueError(f"From takes a path or an expression, not {origin!r}.", model=self._spec.name)
        stored: list[str] = []
        shape = source
        for part in path.removeprefix("$").replace("__", ".").split("."):
            found = step(shape, part)
            if found is None:
                raise UnknownFieldError(self._spec.name, path, member_names(shape))
            stored.append(found[0])
            shape = found[1]
        return root + ".".join(stored)

    def _member(self, into: type, source: Shape, name: str, info: Any) -> tuple[str, Shape]:
        for candidate in (name, info.alias, info.validation_alias):
            found = step(source, candidate) if isinstance(candidate, str) else None
            if found is not None:
                return found
        raise UnknownFieldError(self._spec.name, name, member_names(source))


def _nested_model(shape: Shape) -> type[pydantic.BaseModel] | None:
    if shape.kind == "array" and shape.element is not None:
        return _nested_model(shape.element)
    return shape.model if shape.kind == "model" else None


def _has_members(shape: Shape) -> bool:
    return _nested_model(shape) is not None


def _has_sources(into: type[pydantic.BaseModel]) -> bool:
    for info in into.__pydantic_fields__.values():
        if any(isinstance(item, From) for item in info.metadata):
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
