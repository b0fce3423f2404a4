"""The lookups: one row each, from a keyword's ending to MongoDB's operator."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import bson

from ..exceptions import ConfigurationError
from ..schema import Shape
from .casting import Place, cast, cast_all

Takes = Literal["any", "number_or_text", "text"]

_NO_TEXT = (int, float, bool, Decimal, datetime, date, time, timedelta, UUID, bson.ObjectId)
_MAX_PATTERN = 1000
_END = r"$(?!\n)"  # a bare $ also matches before a final line break


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup.

    Attributes:
        name: What follows `__` in a keyword.
        compile: Makes the operator document (or the plain value, for equality) of a shape, a value and a place.
        text_only: Whether the field must be able to hold text.
        summary: One line for the reference.
    """

    name: str
    compile: Callable[[Shape, Any, Place], Any]
    text_only: bool = False
    summary: str = ""

    def applies_to(self, shape: Shape) -> bool:
        """Return whether the lookup makes sense for a field of that shape."""
        if not self.text_only:
            return True
        if shape.kind == "array" and shape.element is not None:
            return self.name == "contains" or self.applies_to(shape.element)
        return not (shape.kind == "scalar" and isinstance(shape.annotation, type) and shape.annotation in _NO_TEXT)


def _equal(shape: Shape, value: Any, place: Place) -> Any:
    result = cast(shape, value, place)
    return {"$eq": result} if isinstance(result, Mapping | re.Pattern | bson.Regex) else result


def _single(operator: str) -> Callable[[Shape, Any, Place], Any]:
    def build(shape: Shape, value: Any, place: Place) -> Any:
        return {operator: cast(shape, value, place)}

    return build


def _ordered(operator: str) -> Callable[[Shape, Any, Place], Any]:
    def build(shape: Shape, value: Any, place: Place) -> Any:
        if value is None:
            raise place.refuse(value, "None has no order.", "Use isnull.")
        return {operator: cast(shape, value, place)}

    return build


def _listed(operator: str) -> Callable[[Shape, Any, Place], Any]:
    def build(shape: Shape, value: Any, place: Place) -> Any:
        element = shape.element if operator == "$all" and shape.kind == "array" and shape.element else shape
        return {operator: cast_all(element, value, place)}

    return build


def _between(shape: Shape, value: Any, place: Place) -> Any:
    bounds = cast_all(shape, value, place)
    if len(bounds) != 2 or None in bounds:
        raise place.refuse(value, "between takes a pair of bounds.")
    return {"$gte": bounds[0], "$lte": bounds[1]}


def _flag(value: Any, place: Place) -> bool:
    if not isinstance(value, bool):
        raise place.refuse(value, "True or False is needed.")
    return value


def _is_null(shape: Shape, value: Any, place: Place) -> Any:
    return {"$eq": None} if _flag(value, place) else {"$ne": None}


def _exists(shape: Shape, value: Any, place: Place) -> Any:
    return {"$exists": _flag(value, place)}


def _count(shape: Shape, value: Any, place: Place) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise place.refuse(value, "a whole number from 0 is needed.")
    return {"$size": value}


def _type(shape: Shape, value: Any, place: Place) -> Any:
    names = value if isinstance(value, list | tuple) else [value]
    if not names or not all(isinstance(name, str | int) and not isinstance(name, bool) for name in names):
        raise place.refuse(value, "a BSON type's name or number is needed, or a list of them.")
    return {"$type": list(names) if isinstance(value, list | tuple) else value}


def _modulo(shape: Shape, value: Any, place: Place) -> Any:
    pair = list(value) if isinstance(value, list | tuple) else []
    if len(pair) != 2 or not all(isinstance(part, int) and not isinstance(part, bool) for part in pair) or not pair[0]:
        raise place.refuse(value, "mod takes a divisor other than 0 and a remainder.")
    return {"$mod": pair}


def _text(value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise place.refuse(value, f"text is needed, not {type(value).__name__}.")
    if "\0" in value:
        raise place.refuse(value, "a pattern must not contain NUL.")
    return str(getattr(value, "value", value))


def _pattern(template: str, options: str = "") -> Callable[[Shape, Any, Place], Any]:
    def build(shape: Shape, value: Any, place: Place) -> Any:
        pattern = {"$regex": template.replace("{}", _escape(_text(value, place)))}
        return {**pattern, "$options": options} if options else pattern

    return build


def _escape(text: str) -> str:
    """Escape for PCRE; unlike `re.escape` it leaves letters of any script and spaces readable."""
    return re.sub(r"([\\.^$*+?{}\[\]|()#\-/])", r"\\\1", text)


def _regex(options: str) -> Callable[[Shape, Any, Place], Any]:
    def build(shape: Shape, value: Any, place: Place) -> Any:
        flags = options
        if isinstance(value, re.Pattern):
            flags = "".join(
                letter
                for flag, letter in ((re.I, "i"), (re.M, "m"), (re.S, "s"), (re.X, "x"))
                if value.flags & flag or letter in options
            )
            value = value.pattern
        text = _text(value, place)
        if len(text) > _MAX_PATTERN:
            raise place.refuse(value, f"a pattern has at most {_MAX_PATTERN} characters.")
        return {"$regex": text, "$options": flags} if flags else {"$regex": text}

    return build


def _contains(options: str) -> Callable[[Shape, Any, Place], Any]:
    substring = _pattern("{}", options)

    def build(shape: Shape, value: Any, place: Place) -> Any:
        if shape.kind == "array" and shape.element is not None and not options:
            return _equal(shape.element, value, place)
        return substring(shape, value, place)

    return build


_ROWS = (
    Lookup("eq", _equal, summary="equals; on a list, equals the list or has the element"),
    Lookup("exact", _equal, summary="the same as eq"),
    Lookup("ne", _single("$ne"), summary="does not equal"),
    Lookup("gt", _ordered("$gt"), summary="greater than"),
    Lookup("gte", _ordered("$gte"), summary="greater than or equal"),
    Lookup("lt", _ordered("$lt"), summary="less than"),
    Lookup("lte", _ordered("$lte"), summary="less than or equal"),
    Lookup("between", _between, summary="from the first to the second bound, both included"),
    Lookup("in", _listed("$in"), summary="equals one of a list"),
    Lookup("nin", _listed("$nin"), summary="equals none of a list"),
    Lookup("not_in", _listed("$nin"), summary="the same as nin"),
    Lookup("all", _listed("$all"), summary="a list that has all of these elements"),
    Lookup("size", _count, summary="a list of that length"),
    Lookup("isnull", _is_null, summary="True: null or missing; False: neither"),
    Lookup("exists", _exists, summary="True: stored, even as null; False: missing"),
    Lookup("type", _type, summary="is of that BSON type"),
    Lookup("mod", _modulo, summary="(divisor, remainder)"),
    Lookup("contains", _contains(""), True, "substring of a text; element of a list"),
    Lookup("icontains", _contains("i"), True, "substring, ignoring case"),
    Lookup("startswith", _pattern("^{}"), True, "begins with"),
    Lookup("istartswith", _pattern("^{}", "i"), True, "begins with, ignoring case"),
    Lookup("endswith", _pattern("{}" + _END), True, "ends with"),
    Lookup("iendswith", _pattern("{}" + _END, "i"), True, "ends with, ignoring case"),
    Lookup("iexact", _pattern("^{}" + _END, "i"), True, "equals, ignoring case"),
    Lookup("regex", _regex(""), True, "matches a regular expression (PCRE)"),
    Lookup("iregex", _regex("i"), True, "matches a regular expression, ignoring case"),
)

LOOKUPS: dict[str, Lookup] = {row.name: row for row in _ROWS}
"""Every lookup by name. `elem_match` is compiled with the filters, since it holds one."""


def register_lookup(
    name: str,
    compile: Callable[[Shape, Any, Place], Any],  # noqa: A002
    *,
    text_only: bool = False,
    summary: str = "",
) -> None:
    """Add a lookup, or replace one.

    Args:
        name: What follows `__` in a keyword.
        compile: Takes the field's shape, the value and the place for error messages, and returns the operator
            document.
        text_only: Whether it makes sense only for fields that can hold text.
        summary: One line for the reference.

    Raises:
        ConfigurationError: When the name cannot follow `__` in a keyword.
    """
    if not name.isidentifier() or "__" in name:
        raise ConfigurationError(f"{name!r} cannot be the name of a lookup.")
    LOOKUPS[name] = Lookup(name, compile, text_only, summary)
