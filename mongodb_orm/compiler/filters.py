"""Conditions, compiled to MongoDB's query documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..codec import MAX_DEPTH, is_too_deep
from ..exceptions import InvalidValueError, QueryError, UnknownLookupError
from ..expressions import And, Calculated, Compare, Condition, Keywords, Not, Or, Path, Raw, TextSearch
from ..schema import ANY, ModelSpec, Resolved, Shape, resolve, resolve_from
from .agg_expressions import refuse_javascript, rename_expression
from .calculations import CalculationCompiler
from .casting import Place
from .keywords import is_lookup, lookups_for, root_shape, split, split_keyword
from .lookups import Whole, fits
from .names import Scope
from .operators import lookup_named, text_search
from .paths import as_filter
from .records import refuse_ambiguous

NOTHING: dict[str, Any] = {"_id": {"$in": []}}
"""A filter that no document matches."""

_JOINERS = frozenset({"$and", "$or", "$nor"})
_ALONE = frozenset({"$near", "$nearSphere", "$geoWithin", "$geoIntersects"})  # they take no operator beside them


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
    try:
        return CompiledFilter(compiler.compile(condition), frozenset(compiler.names))
    except RecursionError as error:
        raise QueryError("The conditions are nested too deeply.", model=spec.name) from error


def compile_filter_on(scope: Scope, condition: Condition, *, allow_javascript: bool = False) -> dict[str, Any]:
    """Translate a condition on the documents at one point of a pipeline.

    Raises:
        QueryError: When it makes no sense; the subclass says why.
    """
    return _FilterCompiler(None, allow_javascript, name=scope.name, root=scope.root).compile(condition)


class _FilterCompiler:
    def __init__(
        self, spec: ModelSpec | None, allow_javascript: bool, *, name: str = "", root: Shape | None = None
    ) -> None:
        self._spec = spec
        self._name = name or (spec.name if spec is not None else "The document")
        self._root = root or (root_shape(spec) if spec is not None else ANY)
        self._allow_javascript = allow_javascript
        self._inside = ""
        self.names: set[str] = set()

    def compile(self, condition: Condition) -> dict[str, Any]:
        if isinstance(condition, Keywords):
            return merge([self._keyword(name, value) for name, value in condition.lookups])
        if isinstance(condition, Compare):
            return self._compare(condition)
        if isinstance(condition, And):
            return merge([self.compile(part) for part in condition.parts])
        if isinstance(condition, Or):
            if len(condition.parts) == 1:
                return self.compile(condition.parts[0])
            with self._within("or"):
                parts = [self.compile(part) for part in condition.parts]
            return {"$or": parts} if parts else dict(NOTHING)
        if isinstance(condition, Not):
            with self._within("not"):
                return {"$nor": [self.compile(condition.part)]}
        if isinstance(condition, Calculated):
            return self._calculated(condition)
        if isinstance(condition, TextSearch):
            return self._search(condition)
        if isinstance(condition, Raw):
            if is_too_deep(condition.filter):
                raise InvalidValueError(f"The filter is nested more than {MAX_DEPTH} levels deep.", model=self._name)
            renamed = rename_filter(
                Scope(self._root),
                condition.filter,
                model=self._name,
                allow_javascript=self._allow_javascript,
            )
            self.names.update(_top_names(renamed))
            return renamed
        raise InvalidValueError(f"{condition!r} is no condition.", model=self._name)

    def _keyword(self, name: str, value: Any) -> dict[str, Any]:
        target, lookup = self._split(name)
        return self._apply(target, lookup, name, value)

    def _compare(self, condition: Compare) -> dict[str, Any]:
        if not condition.path:
            raise QueryError(f"{self._name}.f is no field; write {self._name}.f.<field>.")
        target = self._resolve(condition.path)
        return self._apply(target, condition.lookup, ".".join(condition.path), condition.value)

    def _split(self, keyword: str) -> tuple[Resolved, str]:
        if self._spec is None:
            return split(self._name, self._root, keyword)
        return split_keyword(self._spec, keyword)

    def _resolve(self, path: Path) -> Resolved:
        return resolve_from(self._name, self._root, path) if self._spec is None else resolve(self._spec, path)

    def _apply(self, target: Resolved, name: str, field: str, value: Any) -> dict[str, Any]:
        stored, shape = target.stored, target.shape
        refuse_ambiguous(shape, field)
        self.names.add(stored.partition(".")[0])
        place = Place(self._name, field, target, in_element=self._inside == "element")
        lookup = lookup_named(name)
        if lookup is None or not lookup.applies_to(shape):
            return self._compound(name, value, place)
        if lookup.top_level:
            self._refuse_below(lookup.name)
        return as_filter(place, lookup.compile(shape, value, place))

    def _compound(self, name: str, value: Any, place: Place) -> dict[str, Any]:
        """Compile the lookups that hold another one: `elem_match`, `not` and `not__...`."""
        target = place.target
        if name == "elem_match" and fits("list", target.shape):
            return {target.stored: {"$elemMatch": self._element(target.shape, value, place)}}
        if name == "not":
            return self._apply(target, "ne", place.field, value)
        if name.startswith("not__"):
            with self._within("not"):
                return {"$nor": [self._apply(target, name.removeprefix("not__"), place.field, value)]}
        raise UnknownLookupError(self._name, place.field, name, lookups_for(target.shape))

    def _calculated(self, condition: Calculated) -> dict[str, Any]:
        compiler = CalculationCompiler(self._name, self._root)
        compiled = compiler.compare(condition)
        self.names |= compiler.names
        return compiled

    def _search(self, search: TextSearch) -> dict[str, Any]:
        self._refuse_below("text")
        return text_search(search, Place(self._name, "search"))

    def _refuse_below(self, lookup: str) -> None:
        if not self._inside or (lookup == "text" and self._inside == "or"):
            return
        hint = "Search first and exclude by other lookups." if lookup == "text" else "Use within=Circle(point, radius)."
        raise QueryError(
            f"{self._name}: MongoDB does not take {lookup!r} inside {_BELOW[self._inside]}.",
            hint=hint,
            model=self._name,
        )

    @contextmanager
    def _within(self, inside: str) -> Iterator[None]:
        before, self._inside = self._inside, self._inside if self._inside in ("not", "element") else inside
        try:
            yield
        finally:
            self._inside = before

    def _element(self, shape: Shape, value: Any, place: Place) -> dict[str, Any]:
        element = shape.element if shape.kind == "array" and shape.element is not None else shape
        if isinstance(value, Raw | Mapping):
            lookups = value.filter if isinstance(value, Raw) else value
            if any(isinstance(key, str) and key.startswith("$") for key in lookups):
                raise place.refuse(value, "elem_match takes lookups such as {'price__gte': 5}, not operators.")
            value = Keywords(tuple(lookups.items()))
        if not isinstance(value, Condition):
            raise place.refuse(value, "elem_match takes a condition or a mapping of lookups.")
        if element.kind == "scalar" or (element.kind in ("array", "union", "any") and _says_lookups_only(value)):
            return self._scalar_element(element, value, place)
        return _ElementCompiler(self._name, element, place, self._allow_javascript).compile(value)

    def _scalar_element(self, element: Shape, value: Condition, place: Place) -> dict[str, Any]:
        """Compile lookups on the elements of a list of plain values: `{"gt": 5, "lt": 10}`."""
        if isinstance(value, And):
            return merge([self._scalar_element(element, part, place) for part in value.parts])
        if not isinstance(value, Keywords):
            raise place.refuse(value, "elem_match on plain values takes lookups such as Q(gt=5, lt=10).")
        inside = Place(place.model, place.field, in_element=True)
        parts: list[dict[str, Any]] = []
        for name, operand in value.lookups:
            if name == "elem_match" and fits("list", element):
                parts.append({"$elemMatch": self._element(element, operand, inside)})
                continue
            if name.startswith("not__"):
                if any("$not" in part for part in parts):
                    raise place.refuse(operand, "MongoDB takes one negation of an element.", "Use ne and nin.")
                parts.append({"$not": self._scalar_element(element, Keywords(((name[5:], operand),)), place)})
                continue
            lookup = lookup_named("ne" if name == "not" else name)
            if lookup is None or not lookup.applies_to(element):
                raise UnknownLookupError(self._name, place.field, name, lookups_for(element))
            compiled = lookup.compile(element, operand, inside)
            if isinstance(compiled, Whole) or lookup.top_level:
                raise place.refuse(operand, f"{name!r} cannot be said of an element of a list.")
            parts.append(compiled if isinstance(compiled, dict) else {"$eq": compiled})
        return merge(parts)


def _says_lookups_only(value: Condition) -> bool:
    """Return whether a condition on an element is about the element itself, not about members of it."""
    if isinstance(value, And):
        return all(map(_says_lookups_only, value.parts))
    return isinstance(value, Keywords) and all(is_lookup(name) for name, _ in value.lookups)


class _ElementCompiler(_FilterCompiler):
    """Compiles conditions on the elements of a list; paths begin there, or at the document as the list's own."""

    def __init__(self, name: str, element: Shape, place: Place, allow_javascript: bool) -> None:
        super().__init__(None, allow_javascript, name=name, root=element)
        field = place.field.removesuffix("__elem_match").removesuffix("__not")
        self._list = tuple(field.replace("__", ".").split("."))
        self._inside = "element"

    def _compare(self, condition: Compare) -> dict[str, Any]:
        path = condition.path
        if path[: len(self._list)] == self._list and len(path) > len(self._list):
            path = path[len(self._list) :]
        target = self._resolve(path)
        return self._apply(target, condition.lookup, ".".join(path), condition.value)

    def _calculated(self, condition: Calculated) -> dict[str, Any]:
        raise QueryError(
            f"{self._name}: MongoDB does not take calculations inside elem_match.",
            hint='Write the aggregation expression: expr({"$anyElementTrue": {"$map": ...}}).',
            model=self._name,
        )


_BELOW = {"or": "a |", "not": "a negation", "element": "elem_match"}


def merge(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one query document that holds when all of `parts` do, flat where that means the same."""
    result: dict[str, Any] = {}
    extra: list[dict[str, Any]] = []
    for part in parts:
        for key, value in part.items():
            if key not in result:
                result[key] = value
            elif not key.startswith("$") and _are_disjoint_operators(result[key], value):
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
        and not _ALONE & (left.keys() | right.keys())
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
