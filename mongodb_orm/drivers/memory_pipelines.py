"""Pipelines on mongomock: rewritten where it lacks a stage that it can say otherwise, refused where it answers wrongly.

What is refused was found by running every operator on mongomock 4.3 and on a server, on the same documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

Stage = Mapping[str, Any]

STAGES = frozenset(
    {
        "$match", "$project", "$group", "$sort", "$limit", "$skip", "$unwind", "$lookup", "$addFields", "$set",
        "$facet", "$bucket", "$graphLookup", "$sample", "$replaceRoot", "$out",
    }
)  # fmt: skip
EXPRESSIONS = frozenset(
    {
        "$abs", "$add", "$and", "$anyElementTrue", "$allElementsTrue", "$arrayElemAt", "$avg", "$ceil", "$concat",
        "$concatArrays", "$cond", "$dateFromParts", "$dateToString", "$dayOfMonth", "$dayOfWeek", "$dayOfYear",
        "$divide", "$eq", "$exp", "$filter", "$floor", "$gt", "$gte", "$hour", "$ifNull", "$in", "$indexOfBytes",
        "$indexOfCP", "$let", "$literal", "$ln", "$log", "$log10", "$lt", "$lte", "$map", "$max", "$millisecond",
        "$min", "$minute", "$mod", "$month", "$multiply", "$ne", "$objectToArray", "$or", "$pow", "$regexMatch",
        "$second", "$setDifference", "$setEquals", "$setIsSubset", "$size", "$slice",
        "$split", "$sqrt", "$strLenBytes", "$strLenCP", "$subtract", "$substrBytes", "$substrCP", "$sum", "$switch",
        "$toDecimal", "$toInt", "$toLong", "$toLower", "$toUpper", "$trunc", "$week", "$year",
    }
)  # fmt: skip
ACCUMULATORS = frozenset({"$sum", "$avg", "$min", "$max", "$first", "$last", "$push"})
_VARIABLES = frozenset({"$$NOW", "$$REMOVE", "$$CLUSTER_TIME"})
_CONDITIONS = frozenset(
    {"$and", "$or", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$regexMatch", "$setEquals", "$setIsSubset"}
)
_COUNTED = "__count"
_PLAIN = (str, int, float, bool, type(None))

Lacks = Callable[[str], Exception]


def rewritten(pipeline: Iterable[Stage]) -> list[Stage]:
    """Say in other stages what mongomock has no stage for, or does wrongly."""
    result: list[Stage] = []
    for stage in pipeline:
        ((name, body),) = stage.items()
        if name == "$unset":
            result.append({"$project": dict.fromkeys([body] if isinstance(body, str) else body, 0)})
        elif name == "$replaceWith":
            result.append({"$replaceRoot": {"newRoot": _field_by_field(body)}})
        elif name == "$sortByCount":
            result += [{"$group": {"_id": body, "count": {"$sum": 1}}}, {"$sort": {"count": -1}}]
        elif name == "$count":
            result += [
                {"$group": {"_id": None, body: {"$sum": 1}}}, {"$match": {body: {"$gt": 0}}}, {"$project": {"_id": 0}},
            ]  # fmt: skip
        elif name == "$group" and _is_constant(body.get("_id")):
            # mongomock makes a group of no documents at all.
            result += [
                {"$group": {**body, _COUNTED: {"$sum": 1}}}, {"$match": {_COUNTED: {"$gt": 0}}},
                {"$project": {_COUNTED: 0}},
            ]  # fmt: skip
        elif name == "$facet":
            result.append({name: {branch: rewritten(stages) for branch, stages in body.items()}})
        else:
            result.append(stage)
    return result


def _field_by_field(body: Any) -> Any:
    """Say a literal document with some fields of the old one, as replacements are made, without `$mergeObjects`."""
    match body:
        case {"$mergeObjects": [{"$literal": Mapping() as values}, Mapping() as kept]} if _can_be_told(values, kept):
            return {"_id": "$_id", **{name: {"$literal": value} for name, value in values.items()}, **kept}
    return body


def _can_be_told(values: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
    """Return whether names are no paths or operators, and no field is kept that may be missing."""
    are_names = not any("." in name or name.startswith("$") for name in values)
    return are_names and all(name == "_id" or not isinstance(value, str) for name, value in kept.items())


def refuse_pipeline(pipeline: Iterable[Stage], lacks: Lacks, refuse_filter: Callable[[Any], None]) -> None:
    """Raise what `lacks` returns when mongomock lacks a stage or an expression, or gets it wrong."""
    refuser = _Refuser(lacks, refuse_filter)
    for stage in pipeline:
        ((name, body),) = stage.items()
        refuser.stage(name, body)


class _Refuser:
    def __init__(self, lacks: Lacks, refuse_filter: Callable[[Any], None]) -> None:
        self._lacks = lacks
        self._refuse_filter = refuse_filter

    def stage(self, name: str, body: Any) -> None:
        if name not in STAGES:
            raise self._lacks(name)
        check = getattr(self, "on_" + name[1:].lower(), None)
        if check is not None:
            check(body)

    def on_match(self, body: Any) -> None:
        self._refuse_filter(body)
        for key, value in _pairs(body):
            if key == "$expr":
                if not (isinstance(value, Mapping) and value.keys() <= _CONDITIONS):
                    raise self._lacks("$expr with anything but a comparison")
                self.expression(value)

    def on_project(self, body: Any) -> None:
        for field, value in body.items():
            if isinstance(value, bool | int | float):
                continue
            if isinstance(value, Mapping) and not any(key.startswith("$") for key in value):
                raise self._lacks("nested fields in $project")
            if "." in field:
                raise self._lacks("calculated fields with dots in $project")
            self._value(value)

    def on_set(self, body: Any) -> None:
        for field, value in body.items():
            if "." in field or (isinstance(value, Mapping) and not any(key.startswith("$") for key in value)):
                raise self._lacks("fields within fields in $addFields")
            self._value(value)

    on_addfields = on_set

    def on_group(self, body: Any) -> None:
        for field, value in body.items():
            if field == "_id":
                self._value(value)
            else:
                self._accumulator(value)

    def on_bucket(self, body: Any) -> None:
        self._value(body.get("groupBy"))
        for value in body.get("output", {}).values():
            self._accumulator(value)

    def on_unwind(self, body: Any) -> None:
        if isinstance(body, Mapping) and body.get("preserveNullAndEmptyArrays") and "includeArrayIndex" in body:
            raise self._lacks("$unwind with both an index and empty lists")

    def on_lookup(self, body: Any) -> None:
        if {"let", "pipeline"} & body.keys():
            raise self._lacks("$lookup with let or pipeline")
        if any("." in body.get(option, "") for option in ("localField", "foreignField", "as")):
            raise self._lacks("$lookup by fields with dots")

    def on_graphlookup(self, body: Any) -> None:
        self._value(body.get("startWith"))
        self._refuse_filter(body.get("restrictSearchWithMatch", {}))

    def on_replaceroot(self, body: Any) -> None:
        self._value(body.get("newRoot"))

    def on_facet(self, body: Any) -> None:
        for branch in body.values():
            for stage in branch:
                ((name, inner),) = stage.items()
                self.stage(name, inner)

    def _accumulator(self, value: Any) -> None:
        if not isinstance(value, Mapping) or not value.keys() <= ACCUMULATORS:
            raise self._lacks(f"{', '.join(value) if isinstance(value, Mapping) else value!r} in $group")
        for operand in value.values():
            self._value(operand)

    def _value(self, value: Any) -> None:
        """Refuse what stands where a field gets its value: a list there is not calculated."""
        if isinstance(value, list) and not all(
            isinstance(item, _PLAIN) and not str(item).startswith("$") for item in value
        ):
            raise self._lacks("lists of expressions")
        self.expression(value)

    def expression(self, value: Any) -> None:
        if isinstance(value, str):
            self._path(value)
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                if key.startswith("$") and key not in EXPRESSIONS:
                    raise self._lacks(key)
                if key != "$literal":
                    self.expression(inner)
        elif isinstance(value, list | tuple):
            for item in value:
                self.expression(item)

    def _path(self, text: str) -> None:
        if text in _VARIABLES:
            raise self._lacks(text)
        if text.startswith("$") and any(part.isdigit() for part in text.split(".")[1:]):
            raise self._lacks("positions of lists in paths")


def fields_needed(pipeline: Iterable[Stage]) -> Iterator[str]:
    """Yield the fields of stored documents with which something is calculated.

    Where one is missing, mongomock leaves the document or the result out, without an error.
    """
    made: set[str] = set()
    for stage in pipeline:
        ((name, body),) = stage.items()
        if name in ("$addFields", "$set", "$project"):
            found = [path for value in body.values() if not isinstance(value, str) for path in _paths(value)]
            yield from (path for path in found if path not in made)
            made |= {field.partition(".")[0] for field in body}
        elif name == "$group":
            for value in (value for field, value in body.items() if field != "_id"):
                operand = next(iter(value.values()), None)
                if not isinstance(operand, str) or "$last" in value:
                    yield from (path for path in _paths(operand) if path not in made)
            if not isinstance(body.get("_id"), str):
                yield from (path for path in _paths(body.get("_id")) if path not in made)
        if name == "$unwind":
            continue
        if name in ("$project", "$group", "$replaceRoot", "$bucket", "$facet"):
            return
        if name == "$lookup":
            made.add(body.get("as", ""))


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("$") and not value.startswith("$$"):
        yield value[1:].partition(".")[0]
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in ("$literal", "$ifNull"):
                yield from _paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _paths(inner)


def _is_constant(key: Any) -> bool:
    return key is None or (isinstance(key, _PLAIN) and not str(key).startswith("$"))


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key, inner
            yield from _pairs(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _pairs(inner)
