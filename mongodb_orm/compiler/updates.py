"""Updates, compiled to MongoDB's update operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from ..exceptions import InvalidValueError, UnknownFieldError, UnknownLookupError
from ..expressions import Compare, Condition, Expression, FieldUpdate
from ..schema import ANY, ModelSpec, Resolved, Shape, is_set, member_names, resolve
from .agg_expressions import refuse_javascript
from .calculations import CalculationCompiler
from .casting import Place, cast, cast_all, listed, refuse_operators
from .filters import compile_filter_on
from .fitting import fitted, fitted_element, is_required, refuse_unfit_keys
from .keywords import root_shape, split_path
from .lookups import fits
from .names import Scope
from .projections import field_path

Operators = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Computed:
    """What the server calculates for a field: an aggregation expression under stored names."""

    expression: Any


def _number(shape: Shape, value: Any, place: Place) -> Any:
    if isinstance(value, bool) or value is None:
        raise place.refuse(value, "a number is needed.")
    return cast(shape, value, place)


def _element(shape: Shape, value: Any, place: Place) -> Any:
    refuse_operators(value, place)
    return cast(shape.element if shape.kind == "array" and shape.element else shape, value, place)


def _elements(shape: Shape, value: Any, place: Place) -> Any:
    refuse_operators(list(value) if isinstance(value, Set) else value, place)
    return {"$each": cast_all(shape.element if shape.kind == "array" and shape.element else shape, value, place)}


_OPERATORS: dict[str, tuple[str, Callable[[Shape, Any, Place], Any]]] = {
    "inc": ("$inc", _number),
    "mul": ("$mul", _number),
    "min": ("$min", cast),
    "max": ("$max", cast),
    "push": ("$push", _element),
    "push_all": ("$push", _elements),
    "add_to_set": ("$addToSet", _element),
    "add_all_to_set": ("$addToSet", _elements),
    "pull": ("$pull", _element),
    "pull_all": ("$pullAll", lambda shape, value, place: _elements(shape, value, place)["$each"]),
    "pop": ("$pop", lambda shape, value, place: _end(value, place)),
    "bit": ("$bit", lambda shape, value, place: _bits(value, place)),
    "set_on_insert": ("$setOnInsert", cast),
    "unset": ("$unset", lambda shape, value, place: _asked(value, place) and ""),
    "current_date": ("$currentDate", lambda shape, value, place: _asked(value, place)),
}


_ON_PURPOSE = 'Use an update with MongoDB\'s operators, {"$set": ...}, when you really mean it.'
_REMOVING = frozenset({"$unset", "$rename"})
"""Operators that may name what the model does not know any more."""
_KNOWN = frozenset({operator for operator, _ in _OPERATORS.values()} | _REMOVING | {"$set", "$setOnInsert"})
_WHOLE = {"set": "$set", "set_on_insert": "$setOnInsert", "min": "$min", "max": "$max"}
"""Operators that put the value itself into the field."""
_ELEMENT = {
    "push": ("$push", False),
    "push_all": ("$push", True),
    "add_to_set": ("$addToSet", False),
    "add_all_to_set": ("$addToSet", True),
}
"""Operators that put elements into a list, and whether they take several."""
_OF_LISTS = frozenset({"push", "push_all", "add_to_set", "add_all_to_set", "pull", "pull_all", "pop"})
_OF_NUMBERS = frozenset({"inc", "mul", "bit"})
_FRACTIONS = (float, Decimal)


def _refuse_unfit(name: str, shape: Shape, value: Any, place: Place) -> None:
    """Raise when an operator cannot work on what a field holds, or would make of it what the field cannot hold."""
    if shape.kind == "any":
        return
    if name in _OF_LISTS and shape.kind != "array":
        raise place.refuse(value, f"{name} needs a list, which this field is not.")
    if name in ("push", "push_all") and is_set(shape):
        raise place.refuse(value, "the field is a set, into which push puts twice what is there.", "Use add_to_set.")
    if name in _OF_NUMBERS and (shape.kind == "array" or shape.annotation is bytes or not fits("number", shape)):
        raise place.refuse(value, f"{name} needs a number, which this field is not.")
    if name == "bit" and isinstance(shape.annotation, type) and issubclass(shape.annotation, _FRACTIONS):
        raise place.refuse(value, "bit needs whole numbers.")
    if name == "current_date" and (shape.kind == "array" or not fits("time", shape)):
        raise place.refuse(value, "current_date needs a datetime, which this field is not.")


def _asked(value: Any, place: Place) -> bool:
    if value is True:
        return True
    raise place.refuse(value, "the value is True; to change nothing, leave the keyword out.")


def _end(value: Any, place: Place) -> int:
    if value in (1, -1) and not isinstance(value, bool):
        return int(value)
    raise place.refuse(value, "pop takes 1 for the last element or -1 for the first.")


def _bits(value: Any, place: Place) -> dict[str, int]:
    operands = dict(value) if isinstance(value, tuple | Mapping) else {}
    named = {name.rstrip("_"): operand for name, operand in operands.items()}
    if len(named) == 1 and named.keys() <= {"and", "or", "xor"} and all(type(bits) is int for bits in named.values()):
        return named
    raise place.refuse(value, "bit takes one integer, as and_, or_ or xor.")


def compile_values(spec: ModelSpec, values: Mapping[str, Any]) -> Operators:
    """Translate field values and keyword operators (`age__inc=1`) into an update.

    Values are validated like the fields that they go into. Operators in a value are never taken as such.

    Raises:
        ValidationError: When a value does not fit its field.
        UnknownFieldError: When a field does not exist.
        InvalidValueError: When a field may not be updated like this.
    """
    update: Operators = {}
    for keyword, value in values.items():
        target, name = _split(spec, keyword)
        place = Place(spec.name, keyword)
        refuse_protected(spec, target.stored, place, name)
        operator, operand = _operation(spec, target, keyword, name, value, place)
        _put(spec, update, operator, target.stored, operand)
    return update


def compile_change(spec: ModelSpec, change: FieldUpdate) -> Operators:
    """Translate one typed change, such as `inc(User.f.age)`; see `compile_values`."""
    target = resolve(spec, field_path(spec, change.field))
    place = Place(spec.name, change.field)
    refuse_protected(spec, target.stored, place, change.operator)
    if change.operator == "rename":
        return {"$rename": {target.stored: _renamed_to(spec, target, change.value, place)}}
    operator, operand = _operation(spec, target, change.field, change.operator, change.value, place)
    for name, value in change.modifiers:
        if name != "$sort" and type(value) is not int:
            raise place.refuse(value, f"{name[1:]} of push is an integer.")
        operand[name] = _order(target.shape, value, place) if name == "$sort" else value
    return {operator: {target.stored: operand}}


def _put(spec: ModelSpec, update: Operators, operator: str, stored: str, operand: Any) -> None:
    """Add a change; a field that has two names may not be named twice.

    Raises:
        InvalidValueError: When it is.
    """
    fields = update.setdefault(operator, {})
    if stored in fields:
        raise InvalidValueError(f"{stored} is updated twice.", model=spec.name, field=stored)
    fields[stored] = operand


def compile_element(spec: ModelSpec, path: tuple[str, ...], condition: Condition) -> dict[str, Any]:
    """Translate a condition on the elements of the list at a path.

    Raises:
        QueryError: When it makes no sense.
    """
    scope = Scope(spec.documents, name=spec.name)
    ((_, said),) = compile_filter_on(scope, Compare(path, "elem_match", condition)).items()
    element: dict[str, Any] = said["$elemMatch"]
    return element


def refuse_conflicts(spec: ModelSpec, update: Operators) -> None:
    """Raise when two changes concern the same field, or a field and its inside, which the server would refuse.

    Raises:
        InvalidValueError: When they do.
    """
    paths = [path for fields in update.values() for path in fields]
    paths += [path for path in update.get("$rename", {}).values() if isinstance(path, str)]
    taken: set[str] = set()
    kinds: dict[tuple[str, ...], tuple[bool, str]] = {}
    for written in paths:
        steps = tuple(written.split("."))
        for length, step in enumerate(steps):
            is_filtered = step.startswith("$[")
            if kinds.setdefault(steps[:length], (is_filtered, written))[0] != is_filtered:
                problem = f"{written} and {kinds[steps[:length]][1]} are not known to be different elements."
                raise InvalidValueError(problem, hint="Update twice.", model=spec.name, field=written)
    parts = [tuple(path.split(".")) for path in paths]
    for path in sorted(parts, key=len):
        for length in range(1, len(path) + 1):
            if ".".join(path[:length]) in taken:
                name = ".".join(path)
                raise InvalidValueError(f"{name} is updated twice.", model=spec.name, field=name)
        taken.add(".".join(path))


def _operation(spec: ModelSpec, target: Resolved, written: str, name: str, value: Any, place: Place) -> tuple[str, Any]:
    if name != "unset":
        refuse_unfit_keys(target, place)
    _refuse_unfit(name, target.shape, value, place)
    if name == "set" and isinstance(value, Expression):
        return "$set", Computed(CalculationCompiler(spec.name, spec.documents).value(value))
    if name in _WHOLE:
        return _WHOLE[name], fitted(spec, target, written, value, place)
    if name in _ELEMENT and target.shape.kind == "array":
        operator, is_many = _ELEMENT[name]
        if not is_many:
            return operator, fitted_element(spec, target, written, value, place)
        return operator, {"$each": [fitted_element(spec, target, written, v, place) for v in listed(value, place)]}
    if name == "unset" and is_required(spec, target):
        raise place.refuse(None, "the field is required, so a document without it could not be read.")
    operator, convert = _OPERATORS[name]
    if name == "pull" and isinstance(value, Condition):
        return operator, compile_element(spec, tuple(stored for stored, _ in target.steps), value)
    return operator, convert(target.shape, value, place)


def compile_operators(spec: ModelSpec, update: Mapping[str, Any], *, allow_javascript: bool = False) -> Operators:
    """Translate the names in an update that was written with MongoDB's operators.

    Raises:
        InvalidValueError: When it is no such update, or would change the id.
    """
    strict = Scope(root_shape(spec), name=spec.name, is_strict=not spec.accepts_extra)
    scope = Scope(root_shape(spec))
    result: Operators = {}
    for operator, fields in update.items():
        if not str(operator).startswith("$") or not isinstance(fields, Mapping):
            raise InvalidValueError(
                f"{operator!r} is no update operator with its fields.",
                hint='Write {"$set": {"age": 5}}, or only field values: {"age": 5}.',
                model=spec.name,
                value=update,
            )
        refuse_javascript(operator, allow_javascript, spec.name)
        if operator not in _KNOWN:
            near = get_close_matches(operator, _KNOWN, n=1)
            raise InvalidValueError(
                f"There is no update operator {operator!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else f"Operators are: {', '.join(sorted(_KNOWN))}.",
                model=spec.name,
                value=operator,
            )
        for name, value in fields.items():
            stored, shape = (scope if operator in _REMOVING else strict).find(name)
            if stored == "_id" and operator != "$setOnInsert":
                refuse_protected(spec, stored, Place(spec.name, name))
            if operator == "$rename" and not isinstance(value, str):
                raise Place(spec.name, name).refuse(value, "a field is renamed to the name of another one.")
            renamed = strict.path(value) if operator == "$rename" else _renamed(shape, value)
            _put(spec, result, operator, stored, renamed)
    return result


def _renamed(shape: Shape | None, value: Any) -> Any:
    """Return a value with the names of nested models translated, in operators of arrays too."""
    if shape is None or shape.kind in ("scalar", "any"):
        return value
    if isinstance(value, Mapping):
        if shape.kind == "array":
            return _renamed(shape.element, value)
        result: dict[Any, Any] = {}
        for key, inner in value.items():
            if str(key).startswith("$"):
                result[key] = _renamed(shape, inner)
            elif shape.kind == "mapping":
                result[key] = _renamed(shape.element, inner)
            else:
                stored, found = Scope(shape).find(key)
                result[stored] = _renamed(found, inner)
        return result
    if isinstance(value, list | tuple):
        element = shape.element if shape.kind == "array" else shape
        return [_renamed(element, inner) for inner in value]
    return value


def refuse_protected(spec: ModelSpec, stored: str, place: Place, operator: str = "set") -> None:
    """Raise when a field is the object's identity, kept by the system, or frozen."""
    if stored == "_id":
        raise place.refuse(None, "the id of a stored document cannot change.", "Create a new document instead.")
    name = spec.names.get(stored.partition(".")[0])
    if name is None:
        return
    if name in ("created_at", "updated_at"):
        raise place.refuse(None, "timestamps are kept for you.", _ON_PURPOSE)
    if spec.versioning is not None and name == spec.versioning.field:
        raise place.refuse(None, "versions are kept for you.", _ON_PURPOSE)
    if operator != "set_on_insert" and spec.model.__pydantic_fields__[name].frozen:
        raise place.refuse(None, "the field is frozen: it never changes once the document is stored.", _ON_PURPOSE)
    if operator in ("unset", "rename") and name == getattr(spec.model, "__mongo_kind_field__", None):
        raise place.refuse(None, "the field says of which class the document is.", _ON_PURPOSE)


def _order(shape: Shape, value: Any, place: Place) -> int | dict[str, int]:
    """Return an order of elements: 1 or -1, or the members of nested ones that it goes by."""
    if type(value) is int and value in (1, -1):
        return value
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        given = {str(name).removeprefix("-"): -1 if str(name).startswith("-") else 1 for name in listed(given, place)}
    if not given or any(type(direction) is not int or direction not in (1, -1) for direction in given.values()):
        raise place.refuse(value, 'sort of push is 1, -1, or names of members such as "-points".')
    scope = Scope(shape.element or ANY, name=place.field, is_strict=True)
    return {scope.path(name): direction for name, direction in given.items()}


def _renamed_to(spec: ModelSpec, source: Resolved, written: str, place: Place) -> str:
    """Return where a value moves.

    Raises:
        InvalidValueError: When it may not, or what is left or made could not be read.
    """
    target = resolve(spec, field_path(spec, written))
    refuse_protected(spec, target.stored, Place(spec.name, written), "rename")
    if is_required(spec, source):
        raise place.refuse(written, "the field is required, so a document without it could not be read.")
    if any(above.kind == "array" for _, above in (*source.steps, *target.steps)):
        raise place.refuse(written, "MongoDB does not rename inside lists.")
    old, new = source.shape, target.shape
    widens = old.annotation is int and new.annotation in (float, Decimal)
    if "any" not in (old.kind, new.kind) and old.annotation != new.annotation and not widens:
        raise place.refuse(written, f"what the field holds is not what {written} holds.", _ON_PURPOSE)
    return target.stored


def _split(spec: ModelSpec, keyword: str) -> tuple[Resolved, str]:
    path = keyword.replace(".", "__") if keyword not in spec.fields else keyword
    target, rest = split_path(spec, path, _ends_path)
    if not rest or rest == ["set"]:
        return target, "set"
    if len(rest) == 1 and rest[0] in _OPERATORS:
        return target, rest[0]
    if not target.stored:
        raise UnknownFieldError(spec.name, rest[0], list(spec.fields))
    unknown = "__".join(rest)
    known = [*member_names(target.shape), "set", *_OPERATORS]
    raise UnknownLookupError(spec.name, path[: -len(unknown) - 2], unknown, known)


def _ends_path(shape: Shape, part: str) -> bool:
    """Return whether the last part of a path below a dict is an operator, not a key."""
    return part == "set" or (part == "unset" if shape.kind == "mapping" else part in _OPERATORS)
