"""Conditions, compiled to MongoDB's query documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..exceptions import InvalidValueError, QueryError, UnknownFieldError, UnknownLookupError
from ..expressions import And, Compare, Condition, Keywords, Not, Or, Raw
from ..schema import ModelSpec, Resolved, Shape, fields_of, member_names, resolve, step
from .agg_expressions import Scope, refuse_javascript, rename_expression
from .casting import Place
from .operators import LOOKUPS

NOTHING: dict[str, Any] = {"_id": {"$in": []}}
"""A filter that no document matches."""

_JOINERS = frozenset({"$and", "$or", "$nor"})


class CompiledFilter(NamedTuple):
    """A query document and the top-level stored fields that it names."""

    filter: dict[str, Any]
    names: frozenset[str]


def compile_filter(spec: ModelSpec, condition: Condition, *, allow_javascript: bool = False) -> CompiledFilter:
    """Translate a condition on a model.

    Raises:
        QueryError: When it makes no sense; the subclass says why.
    """
    compiler = _FilterCompiler(spec, allow_javascript)
    return CompiledFilter(compiler.compile(condition), frozenset(compiler.names))


def root_shape(spec: ModelSpec) -> Shape:
    """Return the shape of whole documents of a model."""
    return Shape(spec.model, "model", model=spec.model)


class _FilterCompiler:
    def __init__(self, spec: ModelSpec, allow_javascript: bool) -> None:
        self._spec = spec
        self._allow_javascript = allow_javascript
        self.names: set[str] = set()

    def compile(self, condition: Condition) -> dict[str, Any]:
        if isinstance(condition, Keywords):
            return merge([self._keyword(name, value) for name, value in condition.lookups])
        if isinstance(condition, Compare):
            return self._compare(condition)
        if isinstance(condition, And):
            return merge([self.compile(part) for part in condition.parts])
        if isinstance(condition, Or):
            parts = [self.compile(part) for part in condition.parts]
            if len(parts) == 1:
                return parts[0]
            return {"$or": parts} if parts else dict(NOTHING)
        if isinstance(condition, Not):
            return {"$nor": [self.compile(condition.part)]}
        if isinstance(condition, Raw):
            renamed = rename_filter(
                Scope(root_shape(self._spec)),
                condition.filter,
                model=self._spec.name,
                allow_javascript=self._allow_javascript,
            )
            self.names.update(_top_names(renamed))
            return renamed
        raise InvalidValueError(f"{condition!r} is no condition.", model=self._spec.name)

    def _keyword(self, name: str, value: Any) -> dict[str, Any]:
        target, lookup = split_keyword(self._spec, name)
        return self._apply(target, lookup, name, value)

    def _compare(self, condition: Compare) -> dict[str, Any]:
        if not condition.path:
            raise QueryError(f"{self._spec.name}.f is no field; write {self._spec.name}.f.<field>.")
        target = resolve(self._spec, condition.path)
        return self._apply(target, condition.lookup, ".".join(condition.path), condition.value)

    def _apply(self, target: Resolved, name: str, field: str, value: Any) -> dict[str, Any]:
        stored, shape = target.stored, target.shape
        self.names.add(stored.partition(".")[0])
        place = Place(self._spec.name, field)
        if name == "elem_match":
            return {stored: {"$elemMatch": self._element(shape, value, place)}}
        lookup = LOOKUPS.get(name)
        if lookup is None or not lookup.applies_to(shape):
            raise UnknownLookupError(self._spec.name, field, name, lookups_for(shape))
        return {stored: lookup.compile(shape, value, place)}

    def _element(self, shape: Shape, value: Any, place: Place) -> dict[str, Any]:
        element = shape.element if shape.kind == "array" and shape.element is not None else shape
        if isinstance(value, Raw):
            value = value.filter
        if isinstance(value, Mapping):
            return self._element_lookups(element, value, place)
        if not isinstance(value, Condition):
            raise place.refuse(value, "elem_match takes a condition or a mapping of lookups.")
        if element.model is None:
            raise place.refuse(value, "elem_match with a condition needs a list of models.")
        return _ElementCompiler(self._spec, element, self._allow_javascript).compile(value)

    def _element_lookups(self, element: Shape, value: Mapping[str, Any], place: Place) -> dict[str, Any]:
        if any(isinstance(key, str) and key.startswith("$") for key in value):
            raise place.refuse(value, "elem_match takes lookups such as {'price__gte': 5}, not operators.")
        if element.kind == "scalar":
            parts: list[dict[str, Any]] = []
            for name, operand in value.items():
                lookup = LOOKUPS.get(name)
                if lookup is None:
                    raise UnknownLookupError(self._spec.name, place.field, name, lookups_for(element))
                compiled = lookup.compile(element, operand, place)
                parts.append(compiled if isinstance(compiled, dict) else {"$eq": compiled})
            return merge(parts)
        return _ElementCompiler(self._spec, element, self._allow_javascript).compile(Keywords(tuple(value.items())))


class _ElementCompiler(_FilterCompiler):
    """Compiles conditions on the elements of a list."""

    def __init__(self, spec: ModelSpec, element: Shape, allow_javascript: bool) -> None:
        super().__init__(spec, allow_javascript)
        self._element_shape = element

    def _keyword(self, name: str, value: Any) -> dict[str, Any]:
        target, lookup = _split(self._spec.name, self._element_shape, name)
        return self._apply(target, lookup, name, value)

    def _compare(self, condition: Compare) -> dict[str, Any]:
        target, _ = _split(self._spec.name, self._element_shape, "__".join(condition.path))
        return self._apply(target, condition.lookup, ".".join(condition.path), condition.value)


def lookups_for(shape: Shape) -> list[str]:
    """Return the names of the lookups that make sense for a shape."""
    return [name for name, lookup in LOOKUPS.items() if lookup.applies_to(shape)] + ["elem_match"]


def split_keyword(spec: ModelSpec, name: str) -> tuple[Resolved, str]:
    """Take a keyword apart into the field that it names and the lookup.

    Raises:
        UnknownFieldError: When it names no field.
        UnknownLookupError: When what follows the field is no lookup.
    """
    found: tuple[Resolved, str] | None = spec.keywords.get(name)
    if found is None:
        found = _split(spec.name, root_shape(spec), name)
        if len(spec.keywords) < 10_000:
            spec.keywords[name] = found
    return found


def split_path(spec: ModelSpec, keyword: str) -> tuple[Resolved, list[str]]:
    """Return where a keyword leads and the parts that are no members any more."""
    return _walk(root_shape(spec), keyword)


def _walk(shape: Shape, name: str) -> tuple[Resolved, list[str]]:
    parts = name.split("__")
    stored: list[str] = []
    position = 0
    while position < len(parts):
        last = position == len(parts) - 1
        if stored and last and shape.kind in ("mapping", "any") and _is_lookup(parts[position]):
            break
        width, found = _longest_member(shape, parts[position:])
        if found is None:
            break
        stored.append(found[0])
        shape = found[1]
        position += width
    return Resolved(".".join(stored), shape), parts[position:]


def _split(model: str, shape: Shape, name: str) -> tuple[Resolved, str]:
    target, rest = _walk(shape, name)
    if not target.stored:
        raise UnknownFieldError(model, rest[0], member_names(shape))
    if not rest:
        return target, "eq"
    if len(rest) == 1 and _is_lookup(rest[0]):
        return target, rest[0]
    field = name[: -len("__".join(rest)) - 2]
    raise UnknownLookupError(model, field, "__".join(rest), [*member_names(target.shape), *lookups_for(target.shape)])


def _is_lookup(name: str) -> bool:
    return name in LOOKUPS or name == "elem_match"


def _longest_member(shape: Shape, parts: list[str]) -> tuple[int, tuple[str, Shape] | None]:
    """Return the member that the first parts name; a field's own name may contain a double underscore."""
    if shape.kind == "model" and shape.model is not None:
        fields = fields_of(shape.model)
        for width in range(len(parts), 1, -1):
            field = fields.get("__".join(parts[:width]))
            if field is not None:
                return width, (field.stored, field.shape)
    if not parts[0]:
        return 0, None
    return 1, step(shape, parts[0])


def merge(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one query document that holds when all of `parts` do, flat where that means the same."""
    result: dict[str, Any] = {}
    extra: list[dict[str, Any]] = []
    for part in parts:
        for key, value in part.items():
            if key not in result:
                result[key] = value
            elif _are_disjoint_operators(result[key], value):
                result[key] = {**result[key], **value}
            elif key == "$and":
                result[key] = [*result[key], *value]
            else:
                extra.append({key: value})
    if extra:
        result["$and"] = [*result.get("$and", []), *extra]
    return result


def _are_disjoint_operators(left: Any, right: Any) -> bool:
    return (
        isinstance(left, dict)
        and isinstance(right, dict)
        and bool(left)
        and bool(right)
        and all(str(key).startswith("$") for key in (*left, *right))
        and not left.keys() & right.keys()
        and not ({"$regex", "$options"} & left.keys() and {"$regex", "$options"} & right.keys())
    )


def rename_filter(
    scope: Scope,
    filter: Mapping[str, Any],  # noqa: A002
    *,
    model: str,
    allow_javascript: bool = False,
) -> dict[str, Any]:
    """Translate the names in a raw query document; unknown names stay as they are.

    Args:
        scope: What names mean.
        filter: The query document.
        model: The model's name, for messages.
        allow_javascript: Whether `$where` and `$function` may pass.

    Raises:
        UnsafeQueryError: When it runs JavaScript that nobody asked for.
        InvalidValueError: When a key cannot be a field's name.
    """
    result: dict[str, Any] = {}
    for key, value in filter.items():
        if not isinstance(key, str) or not key or "\0" in key:
            raise InvalidValueError(f"{key!r} cannot be a key of a filter.", model=model, field=str(key), value=value)
        if key in _JOINERS:
            if not isinstance(value, list | tuple) or not all(isinstance(part, Mapping) for part in value):
                raise InvalidValueError(f"{key} takes a list of filters.", model=model, field=key, value=value)
            result[key] = [rename_filter(scope, part, model=model, allow_javascript=allow_javascript) for part in value]
        elif key == "$expr":
            result[key] = rename_expression(scope, value, allow_javascript=allow_javascript)
        elif key.startswith("$"):
            refuse_javascript(key, allow_javascript, model)
            result[key] = value
        else:
            path, shape = scope.find(key)
            result[path] = _rename_operand(shape, value, model, allow_javascript)
    return result


def _rename_operand(shape: Shape | None, value: Any, model: str, allow_javascript: bool) -> Any:
    if not isinstance(value, Mapping) or not any(isinstance(key, str) and key.startswith("$") for key in value):
        return value
    result: dict[str, Any] = {}
    for operator, operand in value.items():
        refuse_javascript(operator, allow_javascript, model)
        if operator == "$elemMatch" and isinstance(operand, Mapping):
            element = shape.element if shape is not None and shape.kind == "array" else shape
            is_operators = any(isinstance(key, str) and key.startswith("$") and key not in _JOINERS for key in operand)
            result[operator] = (
                _rename_operand(element, operand, model, allow_javascript)
                if is_operators
                else rename_filter(Scope(element), operand, model=model, allow_javascript=allow_javascript)
            )
        elif operator == "$not":
            result[operator] = _rename_operand(shape, operand, model, allow_javascript)
        else:
            result[operator] = operand
    return result


def _top_names(filter: Mapping[str, Any]) -> set[str]:  # noqa: A002
    names: set[str] = set()
    for key, value in filter.items():
        if key in _JOINERS:
            names.update(*(_top_names(part) for part in value))
        elif not key.startswith("$"):
            names.add(key.partition(".")[0])
    return names
