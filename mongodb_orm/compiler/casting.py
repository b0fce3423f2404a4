"""Lookup values, cast to the type of the field that they are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from functools import lru_cache, partial
from typing import Any

from pydantic import AliasChoices, AliasPath, BaseModel, RootModel, ValidationError

from ..codec import MAX_DEPTH, cast_serializer, cast_validator
from ..exceptions import InvalidValueError, UnknownFieldError, UnsafeQueryError
from ..schema import ANY, Resolved, Shape, fields_of

_INT64 = 2**63
_LISTS = (list, tuple, Set)
_PLAIN = frozenset({str, int, float, bool, bytes})
"""Types of values in which no operator can hide."""

NOWHERE = Resolved("", ANY)


class Place:
    """Where a value stands.

    Attributes:
        model: The model's name, for messages.
        field: The field as the caller wrote it, for messages.
        target: Where the field's path leads, where a lookup is compiled.
        in_element: Whether that path begins at an element of a list, within `elem_match`.
    """

    __slots__ = ("field", "in_element", "model", "target")

    def __init__(self, model: str, field: str, target: Resolved = NOWHERE, *, in_element: bool = False) -> None:
        self.model: str = model
        self.field: str = field
        self.target: Resolved = target
        self.in_element: bool = in_element

    def refuse(self, value: Any, problem: str, hint: str = "") -> InvalidValueError:
        """Return the error for a value that does not fit."""
        return InvalidValueError(
            f"{self.model}.{self.field}: {problem}", hint=hint, model=self.model, field=self.field, value=value
        )


def cast(shape: Shape, value: Any, place: Place, *, is_data: bool = False) -> Any:
    """Return `value` as the type that `shape` says, as far as the encoder knows that; None stays None.

    With `is_data` a mapping for a field of dicts may have any keys, since the caller puts it below `$eq`.

    Raises:
        InvalidValueError: When it does not fit.
        UnsafeQueryError: When it is a mapping with operators in it.
    """
    if value is None:
        return None
    if type(value) not in _PLAIN and not (is_data and shape.kind == "mapping" and isinstance(value, Mapping)):
        refuse_operators(value, place)
    if shape.kind == "any":
        return value
    if shape.kind == "array" and shape.element is not None and not isinstance(value, _LISTS):
        return cast(shape.element, value, place)
    if shape.model is not None and isinstance(value, Mapping):
        value = _as_validated(shape.model, value, place)
    validate, dump = _caster(shape)
    try:
        result = validate(value)
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise place.refuse(value, f"{reason}, not {_brief(value)}.") from error
    if dump is not None:
        result = dump(result)
    if type(result) is int and not -_INT64 <= result < _INT64:
        raise place.refuse(value, "MongoDB's integers have at most 64 bits.", "Use Decimal or str for larger numbers.")
    if type(result) is str and not result.isascii() and any("\ud800" <= letter <= "\udfff" for letter in result):
        raise place.refuse(value, "the text has a lone surrogate, which is no valid UTF-8.")
    return result


def cast_all(shape: Shape, values: Any, place: Place) -> list[Any]:
    """Return each of `values`, cast; for lookups that take a list.

    Raises:
        InvalidValueError: When `values` is no collection, or an element does not fit.
    """
    return [cast(shape, value, place) for value in listed(values, place)]


def listed(values: Any, place: Place) -> Iterable[Any]:
    """Return `values`, proved to be several.

    Raises:
        InvalidValueError: When they are no collection.
    """
    if isinstance(values, str | bytes | Mapping | BaseModel) or not isinstance(values, Iterable):
        raise place.refuse(values, f"a list of values is needed, not {_brief(values)}.")
    return values


def refuse_operators(value: Any, place: Place, depth: int = 0) -> None:
    """Raise when a value carries query operators, at any depth.

    Raises:
        UnsafeQueryError: When it does.
        InvalidValueError: When it is nested deeper than any document.
    """
    if depth > MAX_DEPTH:
        raise place.refuse(None, f"the value is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, str) and key.startswith("$"):
                raise UnsafeQueryError(
                    f"{place.model}.{place.field}: a value must not contain the operator {key!r}.",
                    hint="This is how operator injection arrives. Use a lookup such as name__ne=..., or write a raw "
                    "filter on purpose, as a positional mapping.",
                    model=place.model,
                    field=place.field,
                    value=value,
                )
            refuse_operators(inner, place, depth + 1)
    elif isinstance(value, _LISTS):
        for inner in value:
            if type(inner) not in _PLAIN:
                refuse_operators(inner, place, depth + 1)
    elif isinstance(value, RootModel):
        refuse_operators(value.root, place, depth + 1)
    elif isinstance(value, BaseModel):  # whose extra fields have names from outside
        refuse_operators(value.__pydantic_extra__, place, depth + 1)


def _as_validated(model: type[BaseModel], value: Mapping[Any, Any], place: Place) -> Mapping[Any, Any]:
    """Return a mapping for a nested model under the names that its validator takes.

    Raises:
        UnknownFieldError: When it has a name that the model would leave out unnoticed.
    """
    fields = model.__pydantic_fields__
    validators = model.__pydantic_decorators__.model_validators.values()
    takes_others = model.model_config.get("extra") == "allow" or any(each.info.mode != "after" for each in validators)
    if takes_others or any(isinstance(info.validation_alias, AliasChoices | AliasPath) for info in fields.values()):
        return value
    names: dict[Any, str] = {}
    for name, field in fields_of(model).items():
        taken = fields[name].validation_alias or name
        names |= dict.fromkeys((name, field.stored, taken), str(taken))
    for key in value:
        if key not in names:
            raise UnknownFieldError(f"{place.model}.{place.field}", str(key), list(fields))
    return {names[key]: inner for key, inner in value.items()}


_Caster = tuple[Callable[[Any], Any], Callable[[Any], Any] | None]


def _caster(shape: Shape) -> _Caster:
    """Return what validates a value, and what makes of the result what is stored, where the encoder could not."""
    try:
        return _cached_caster(shape.hint)
    except TypeError:  # an annotation that cannot be hashed
        return _new_caster(shape.hint)


@lru_cache(maxsize=4096)
def _cached_caster(annotation: Any) -> _Caster:
    return _new_caster(annotation)


def _new_caster(annotation: Any) -> _Caster:
    serializer = cast_serializer(annotation)
    dump = None if serializer is None else partial(serializer.to_python, by_alias=True, warnings=False)
    return cast_validator(annotation).validate_python, dump


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
