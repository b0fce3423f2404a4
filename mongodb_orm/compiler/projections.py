"""Projections to the server, and the names of rows on their way back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from ..exceptions import InvalidValueError
from ..expressions import Condition, Expression, FieldPath, path_text
from ..schema import ModelSpec, Shape, fields_of, resolve
from ..types import Document
from .agg_expressions import rename_expression
from .filters import rename_filter
from .names import Scope

Rename = Callable[[Document], Document]


def compile_projection(spec: ModelSpec, projection: Any) -> dict[str, Any]:
    """Translate a projection; as in MongoDB, the id comes along unless it is excluded.

    Args:
        spec: The model's mapping.
        projection: A mapping of fields to 1, 0, an operator, `Model.f.age * 2` or an expression, or a collection of
            field names.

    Raises:
        UnknownFieldError: When a field does not exist.
        InvalidValueError: When it is empty, or mixes inclusion and exclusion.
    """
    if not isinstance(projection, Mapping):
        if isinstance(projection, str) or not isinstance(projection, Iterable):
            raise InvalidValueError(
                f"{projection!r} is no projection.", hint='Write {"id": 1, "email": 1} or ["id", "email"].',
                model=spec.name, value=projection,
            )  # fmt: skip
        projection = dict.fromkeys(projection, 1)
    if not projection:
        raise InvalidValueError(
            "A projection names at least one field.", hint="Leave it out to get whole objects.", model=spec.name
        )
    result: dict[str, Any] = {}
    scope = Scope(Shape(spec.model, "model", model=spec.model))
    for field, value in projection.items():
        name = path_text(field) if isinstance(field, FieldPath) else field
        if not isinstance(name, str):
            raise InvalidValueError(f"{name!r} is no field name.", model=spec.name, value=name)
        path = field_path(spec, name)
        if isinstance(value, Mapping) and "$elemMatch" in value:
            result.update(rename_filter(scope, {name: value}, model=spec.name))
            continue
        is_expression = isinstance(value, str | Mapping | Expression | Condition)
        stored = ".".join(path) if is_expression and path[0] not in spec.fields else resolve(spec, path).stored
        result[stored] = rename_expression(scope, value) if is_expression else _flag(spec, name, value)
    _refuse_mixture(spec, result)
    return result


def field_path(spec: ModelSpec, name: str) -> tuple[str, ...]:
    """Take the name of a field apart: `address.city` or `address__city`, unless it is the name of one field."""
    return (name,) if name in spec.fields else tuple(name.replace("__", ".").split("."))


def _flag(spec: ModelSpec, field: str, value: Any) -> int:
    if value in (0, 1):
        return int(value)
    raise InvalidValueError(
        f"{value!r} is no projection of a field.", hint="Use 1 to include it, 0 to leave it out.", model=spec.name,
        field=field, value=value,
    )  # fmt: skip


def _refuse_mixture(spec: ModelSpec, projection: Mapping[str, Any]) -> None:
    flags = {value for field, value in projection.items() if field != "_id" and isinstance(value, int)}
    if len(flags) > 1:
        raise InvalidValueError(
            "A projection includes fields or excludes fields, not both.",
            hint="Only the id may be excluded beside included fields.",
            model=spec.name,
        )


def row_names(spec: ModelSpec) -> Rename:
    """Return the function that gives a row the model's names, nested models included."""
    return _renamer(Shape(spec.model, "model", model=spec.model)) or (lambda row: row)


@lru_cache(maxsize=1024)
def _model_renamer(model: type) -> Rename | None:
    names: dict[str, tuple[str, Callable[[Any], Any] | None]] = {}
    for field in fields_of(model).values():
        inner = None if field.shape.model is model else _renamer(field.shape)
        if field.name != field.stored or inner is not None:
            names[field.stored] = (field.name, inner)
    if not names:
        return None
    unchanged = (None, None)

    def rename(row: Document) -> Document:
        result = {}
        for key, value in row.items():
            name, inner = names.get(key, unchanged)
            result[name or key] = value if inner is None or value is None else inner(value)
        return result

    return rename


def _renamer(shape: Shape) -> Callable[[Any], Any] | None:
    if shape.kind == "model" and shape.model is not None:
        rename = _model_renamer(shape.model)
        return None if rename is None else lambda value: rename(value) if isinstance(value, dict) else value
    if shape.element is not None and shape.kind in ("array", "mapping"):
        inner = _renamer(shape.element)
        if inner is None:
            return None
        if shape.kind == "array":
            return lambda value: [inner(item) for item in value] if isinstance(value, list) else inner(value)
        return lambda value: {key: inner(item) for key, item in value.items()} if isinstance(value, dict) else value
    return None
