"""The lookups: one row each, from a keyword's ending to MongoDB's operator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, get_args

import bson
from pydantic import RootModel

from ..exceptions import ConfigurationError
from ..expressions import TextSearch
from ..schema import Shape
from .casting import Place, cast, cast_all
from .dates import COMPARISONS, PARTS, part_lookup
from .lookups import Compile, Fits, Lookup, Whole
from .paths import about_one
from .places import intersects, near, within

_TEXT = Shape(str, "scalar")
_MAX_PATTERN = 1000
_BSON_TYPES = (
    *("double", "string", "object", "array", "binData", "undefined", "objectId", "bool", "date", "null", "regex"),
    *("dbPointer", "javascript", "symbol", "javascriptWithScope", "int", "timestamp", "long", "decimal"),
    *("minKey", "maxKey", "number", -1, 127, *range(1, 20)),
)
"""What `$type` takes (https://www.mongodb.com/docs/manual/reference/bson-types/)."""

_END = r"$(?!\n)"  # a bare $ also matches before a final line break


def _equal(shape: Shape, value: Any, place: Place) -> Any:
    result = cast(shape, value, place, is_data=True)
    return {"$eq": result} if isinstance(result, Mapping | RootModel | re.Pattern | bson.Regex) else result


def _single(operator: str) -> Compile:
    def build(shape: Shape, value: Any, place: Place) -> Any:
        return {operator: cast(shape, value, place)}

    return build


def _ordered(operator: str) -> Compile:
    def build(shape: Shape, value: Any, place: Place) -> Any:
        if value is None:
            raise place.refuse(value, "None has no order.", "Use isnull.")
        return {operator: cast(shape, value, place)}

    return build


def _listed(operator: str) -> Compile:
    def build(shape: Shape, value: Any, place: Place) -> Any:
        element = shape.element if operator == "$all" and shape.kind == "array" and shape.element else shape
        return {operator: cast_all(element, value, place)}

    return build


def _between(shape: Shape, value: Any, place: Place) -> Any:
    bounds = cast_all(shape, value, place)
    if len(bounds) != 2 or None in bounds:
        raise place.refuse(value, "between takes a pair of bounds.")
    return about_one(place, {"$gte": bounds[0], "$lte": bounds[1]})


def _flag(value: Any, place: Place) -> bool:
    if not isinstance(value, bool):
        raise place.refuse(value, "True or False is needed.")
    return value


def _is_null(shape: Shape, value: Any, place: Place) -> Any:
    return {"$eq": None} if _flag(value, place) else {"$ne": None}


def _is_not_null(shape: Shape, value: Any, place: Place) -> Any:
    return {"$ne": None} if _flag(value, place) else {"$eq": None}


def _exists(shape: Shape, value: Any, place: Place) -> Any:
    return {"$exists": _flag(value, place)}


def _count(shape: Shape, value: Any, place: Place) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise place.refuse(value, "a whole number from 0 is needed.")
    return {"$size": value}


def _type(shape: Shape, value: Any, place: Place) -> Any:
    names = value if isinstance(value, list | tuple) else [value]
    for name in names or [None]:
        if name not in _BSON_TYPES or isinstance(name, bool):
            near = get_close_matches(str(name), map(str, _BSON_TYPES), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else ""
            raise place.refuse(value, "a BSON type's name or number is needed, or a list of them.", hint)
    return {"$type": list(names) if isinstance(value, list | tuple) else value}


def _modulo(shape: Shape, value: Any, place: Place) -> Any:
    pair = list(value) if isinstance(value, list | tuple) else []
    if len(pair) != 2 or not all(isinstance(part, int) and not isinstance(part, bool) for part in pair) or not pair[0]:
        raise place.refuse(value, "mod takes a divisor other than 0 and a remainder.")
    return {"$mod": pair}


def _bits(operator: str) -> Compile:
    def build(shape: Shape, value: Any, place: Place) -> Any:
        if isinstance(value, bytes) and value:
            return {operator: value}
        positions = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
        if not positions or not all(
            isinstance(part, int) and not isinstance(part, bool) and 0 <= part < 2**63 for part in positions
        ):
            raise place.refuse(value, "a mask from 0, a list of positions of bits from 0, or bytes are needed.")
        return {operator: int(value) if isinstance(value, int) else [int(part) for part in positions]}

    return build


def _word_search(shape: Shape, value: Any, place: Place) -> Any:
    return Whole(text_search(value if isinstance(value, TextSearch) else TextSearch(value), place))


def text_search(search: TextSearch, place: Place) -> dict[str, Any]:
    """Return the `$text` of a search by words.

    Raises:
        InvalidValueError: When its words are no text.
    """
    operand: dict[str, Any] = {"$search": cast(_TEXT, _text(search.words, place), place)}
    if search.language is not None:
        operand["$language"] = _text(search.language, place)
    if search.case_sensitive:
        operand["$caseSensitive"] = True
    if search.diacritic_sensitive:
        operand["$diacriticSensitive"] = True
    return {"$text": operand}


def _text(value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise place.refuse(value, f"text is needed, not {type(value).__name__}.")
    if "\0" in value:
        raise place.refuse(value, "a pattern must not contain NUL.")
    return str(getattr(value, "value", value))


def _pattern(template: str, options: str = "") -> Compile:
    def build(shape: Shape, value: Any, place: Place) -> Any:
        pattern = {"$regex": template.replace("{}", _escape(_text(value, place)))}
        return {**pattern, "$options": options} if options else pattern

    return build


def _escape(text: str) -> str:
    """Escape for PCRE; unlike `re.escape` it leaves letters of any script and spaces readable."""
    return re.sub(r"([\\.^$*+?{}\[\]|()#\-/])", r"\\\1", text)


def _regex(options: str) -> Compile:
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


def _contains(options: str) -> Compile:
    substring = _pattern("{}", options)

    def build(shape: Shape, value: Any, place: Place) -> Any:
        if shape.kind == "array" and shape.element is not None and not options:
            return _equal(shape.element, value, place)
        if shape.kind in ("any", "union") and value is not None and not isinstance(value, str) and not options:
            return _equal(shape, value, place)
        return substring(shape, value, place)

    return build


_TEXT_ROWS = (
    Lookup("contains", _contains(""), "members", "text; an element", "substring of a text; element of a list"),
    Lookup("icontains", _contains("i"), "text", "text", "substring, ignoring case"),
    Lookup("startswith", _pattern("^{}"), "text", "text", "begins with"),
    Lookup("istartswith", _pattern("^{}", "i"), "text", "text", "begins with, ignoring case"),
    Lookup("endswith", _pattern("{}" + _END), "text", "text", "ends with"),
    Lookup("iendswith", _pattern("{}" + _END, "i"), "text", "text", "ends with, ignoring case"),
    Lookup("iexact", _pattern("^{}" + _END, "i"), "text", "text", "equals, ignoring case"),
    Lookup("regex", _regex(""), "text", "a pattern", "matches a regular expression (PCRE)"),
    Lookup("iregex", _regex("i"), "text", "a pattern", "matches a regular expression, ignoring case"),
    Lookup("text", _word_search, "text", "words", "has words, by the collection's text index", top_level=True),
)

_DATE_ROWS = (
    Lookup("year", part_lookup("year"), "date", "1-9998", "in that year; a range, which an index serves"),
    Lookup("date", part_lookup("date"), "date", "a date", "on that day; a range, which an index serves"),
    Lookup("month", part_lookup("month"), "date", "1-12", "in that month of any year"),
    Lookup("day", part_lookup("day"), "date", "1-31", "on that day of any month"),
    Lookup("week", part_lookup("week"), "date", "1-53", "in that ISO week of any year"),
    Lookup("week_day", part_lookup("week_day"), "date", "1-7", "1 is Sunday, 7 is Saturday"),
    Lookup("iso_week_day", part_lookup("iso_week_day"), "date", "1-7", "1 is Monday, 7 is Sunday"),
    Lookup("hour", part_lookup("hour"), "time", "0-23", "in that hour of any day"),
    Lookup("minute", part_lookup("minute"), "time", "0-59", "in that minute of any hour"),
    Lookup("second", part_lookup("second"), "time", "0-59", "in that second of any minute"),
)

_AREA = "Polygon, MultiPolygon, Box, Circle"
_GEO_ROWS = (
    Lookup("near", near, "geo", "a point, or Near", "by distance, the nearest first", top_level=True),
    Lookup("near_sphere", near, "geo", "a point, or Near", "the same as near", top_level=True),
    Lookup("within", within, "geo", _AREA, "lies within an area"),
    Lookup("intersects", intersects, "geo", "a geometry", "has a place in common with a geometry"),
)

_ROWS = (
    Lookup("eq", _equal, summary="equals; on a list, equals the list or has the element"),
    Lookup("exact", _equal, summary="the same as eq"),
    Lookup("ne", _single("$ne"), summary="does not equal"),
    Lookup("gt", _ordered("$gt"), summary="greater than"),
    Lookup("gte", _ordered("$gte"), summary="greater than or equal"),
    Lookup("lt", _ordered("$lt"), summary="less than"),
    Lookup("lte", _ordered("$lte"), summary="less than or equal"),
    Lookup("between", _between, takes="a pair", summary="from the first to the second bound, both included"),
    Lookup("in", _listed("$in"), takes="a list", summary="equals one of a list"),
    Lookup("nin", _listed("$nin"), takes="a list", summary="equals none of a list"),
    Lookup("not_in", _listed("$nin"), takes="a list", summary="the same as nin"),
    Lookup("isnull", _is_null, takes="a bool", summary="True: null or missing; False: neither"),
    Lookup("not_null", _is_not_null, takes="a bool", summary="True: neither null nor missing; False: null or missing"),
    Lookup("exists", _exists, takes="a bool", summary="True: stored, even as null; False: missing"),
    Lookup("type", _type, takes="BSON types", summary="is of one of these BSON types"),
    Lookup("all", _listed("$all"), "list", "a list", "a list that has all of these elements"),
    Lookup("size", _count, "list", "a length", "a list of that length"),
    Lookup("mod", _modulo, "number", "a pair", "(divisor, remainder)"),
    Lookup("bits_all_set", _bits("$bitsAllSet"), "number", "a mask", "all of these bits are 1"),
    Lookup("bits_any_set", _bits("$bitsAnySet"), "number", "a mask", "one of these bits is 1"),
    Lookup("bits_all_clear", _bits("$bitsAllClear"), "number", "a mask", "all of these bits are 0"),
    Lookup("bits_any_clear", _bits("$bitsAnyClear"), "number", "a mask", "one of these bits is 0"),
    *_TEXT_ROWS,
    *_DATE_ROWS,
    *_GEO_ROWS,
)

LOOKUPS: dict[str, Lookup] = {row.name: row for row in _ROWS}
"""Every lookup by name. `elem_match` and `not` are compiled with the filters, since they hold others."""

_COMPARED_PARTS: dict[str, Lookup] = {
    f"{name}__{comparison}": Lookup(f"{name}__{comparison}", part_lookup(name, comparison), LOOKUPS[name].fits)
    for name in PARTS
    for comparison in COMPARISONS
}


def lookup_named(name: str) -> Lookup | None:
    """Return a lookup by its name, a compared part of a date (`year__gte`) included; None when there is none."""
    return LOOKUPS.get(name) or _COMPARED_PARTS.get(name)


def register_lookup(
    name: str,
    compile: Compile,  # noqa: A002
    *,
    fits: Fits = "any",
    takes: str = "a value",
    summary: str = "",
) -> None:
    """Add a lookup, or replace one.

    Args:
        name: What follows `__` in a keyword; also the name of the method of field paths.
        compile: Takes the field's shape, the value, and the place, which raises errors that name the field
            (`place.refuse(value, problem)`) and knows the stored path (`place.target.stored`). It returns operators on
            the field, such as `{"$mod": [2, 0]}`, or a whole query document as a `Whole`. The value may come from
            outside: check it.
        fits: Which fields have a use for it: `"any"`, `"text"`, `"members"` (text and lists), `"number"`, `"list"`,
            `"date"`, `"time"` or `"geo"`.
        takes: What the value is, for the reference.
        summary: What it matches, for the reference.

    Raises:
        ConfigurationError: When the name cannot follow `__` in a keyword, or no fields are of that kind.

    Example:
        >>> register_lookup("divisible_by", lambda shape, value, place: {"$mod": [int(value), 0]}, fits="number")
        >>> await Order.filter(amount__divisible_by=10)
    """
    if not isinstance(name, str) or not name.isidentifier() or "__" in name or name in ("not", "elem_match"):
        raise ConfigurationError(f"{name!r} cannot be the name of a lookup.")
    if fits not in get_args(Fits):
        raise ConfigurationError(f"{fits!r} is no kind of field.", hint=f"Use one of {', '.join(get_args(Fits))}.")
    if not callable(compile):
        raise ConfigurationError(f"The lookup {name!r} needs a function that compiles it, not {compile!r}.")
    LOOKUPS[name] = Lookup(name, compile, fits, takes, summary)
