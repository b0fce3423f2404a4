"""The document that an update makes where there is none: the model's defaults, with the update done to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bson import Int64

from ..codec import codec_of, decode, encode
from ..exceptions import InvalidValueError
from ..schema import MappedModel, ModelSpec, spec_of
from .changes import CompiledUpdate


def first_values(model: type[MappedModel], by: Mapping[str, Any], compiled: CompiledUpdate) -> dict[str, Any]:
    """Return the values of a new object's fields, as its constructor takes them.

    A required field on which an operator works begins with what the operator makes of nothing.
    """
    spec, values = spec_of(model), dict(by)
    for operator, path, operand in _steps(compiled):
        name = spec.names.get(path)
        if name is None or name in by:
            continue
        if operator in ("$set", "$setOnInsert"):
            values[name] = _held(model, name, operand)
        elif spec.model.__pydantic_fields__[name].is_required() and operator in _DONE:
            values[name] = _DONE[operator](None, operand)
    return values


def first_document(spec: ModelSpec, document: dict[str, Any], by: Mapping[str, Any], compiled: CompiledUpdate) -> bytes:
    """Do an update to a new document, given under stored names; None counts as missing.

    Raises:
        InvalidValueError: When it cannot be done to a document that does not exist.
    """
    for operator, path, operand in _steps(compiled):
        name = spec.names.get(path)
        if name is not None:
            is_done = spec.model.__pydantic_fields__[name].is_required() or name in by
            if operator in ("$set", "$setOnInsert") or is_done:
                continue
        *above, last = path.split(".")
        place: Any = document
        for part in above:
            place = place.setdefault(part, {}) if isinstance(place, dict) else None
        if operator not in _DONE or not isinstance(place, dict) or "$" in path:
            raise InvalidValueError(
                f"{operator} on {path} cannot be done to a document that does not exist yet.",
                hint="Use update() for what must exist.",
                model=spec.name,
                field=path,
            )
        plain = decode(encode({"operand": operand}, model=spec.name))["operand"]
        if operator == "$pull" and place.get(last) and _has_operators(plain):
            raise InvalidValueError(
                f"A condition on elements of {path} cannot be decided for a document that does not exist yet.",
                model=spec.name,
                field=path,
            )
        place[last] = _DONE[operator](place.get(last), plain)
    return encode(document, model=spec.name)


def _held(model: type[MappedModel], name: str, operand: Any) -> Any:
    """Return what a field holds when its document has this value."""
    raw = encode({spec_of(model).fields[name].stored: operand}, model=model.__name__)
    return vars(codec_of(model).partial(frozenset({name})).load(raw))[name]


def _steps(compiled: CompiledUpdate) -> list[tuple[str, str, Any]]:
    update: Any = compiled.update
    return [(operator, path, operand) for operator, fields in update.items() for path, operand in fields.items()]


def _elements(operand: Any) -> list[Any]:
    return list(operand["$each"]) if isinstance(operand, Mapping) and "$each" in operand else [operand]


def _pushed(old: Any, operand: Any) -> list[Any]:
    elements, options = list(old or ()), operand if isinstance(operand, Mapping) else {}
    at = options.get("$position", len(elements))
    elements[at:at] = _elements(operand)
    if "$sort" in options:
        order: Any = options["$sort"]
        members = order if isinstance(order, Mapping) else {"": order}
        for member, direction in reversed(list(members.items())):
            elements.sort(key=partial(_sorted_by, member), reverse=direction == -1)
    keep = options.get("$slice")
    if keep is None:
        return elements
    return elements[:keep] if keep >= 0 else elements[keep:]


def _sorted_by(member: str, element: Any) -> tuple[bool, Any]:
    """Return what an element is ordered by: nothing comes before something."""
    for part in member.split(".") if member else ():
        element = element.get(part) if isinstance(element, Mapping) else None
    return element is not None, element


def _added(old: Any, operand: Any) -> list[Any]:
    result = list(old or ())
    for element in _elements(operand):
        if element not in result:
            result.append(element)
    return result


def _number(old: Any, operand: Any, result: Any) -> Any:
    """Return a result as the server types it: what was long stays so."""
    return Int64(result) if isinstance(old, Int64) or isinstance(operand, Int64) else result


def _has_operators(operand: Any) -> bool:
    return isinstance(operand, Mapping) and any(
        str(key).startswith("$") or _has_operators(value) for key, value in operand.items()
    )


def _pulled(old: Any, operand: Any) -> list[Any]:
    if not isinstance(operand, Mapping):
        return [element for element in old or () if element != operand]
    return [
        element
        for element in old or ()
        if not (isinstance(element, Mapping) and all(element.get(key) == value for key, value in operand.items()))
    ]


_DONE: dict[str, Callable[[Any, Any], Any]] = {
    "$set": lambda old, value: value,
    "$setOnInsert": lambda old, value: value,
    "$inc": lambda old, by: by if old is None else _number(old, by, old + by),
    "$mul": lambda old, by: by * 0 if old is None else _number(old, by, old * by),
    "$min": lambda old, value: value if old is None else min(old, value),
    "$max": lambda old, value: value if old is None else max(old, value),
    "$push": _pushed,
    "$addToSet": _added,
    "$pull": _pulled,
    "$pullAll": lambda old, elements: [other for other in old or () if other not in elements],
    "$currentDate": lambda old, value: datetime.now(UTC),
}
"""What each operator makes of a value, None where there is none."""
