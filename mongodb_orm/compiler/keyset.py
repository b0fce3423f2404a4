"""Keyset pages: total orders, filters for what lies beyond a key, and projections that keep the key readable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..exceptions import InvalidValueError
from ..schema import ANY, ModelSpec, Shape, fields_of, step
from ..types import Document, Sort
from .keywords import root_shape

KEY = "__keyset"
"""The computed field that carries the key where a projection leaves out what it is made of."""

_RETURN_EVERYTHING = frozenset({"$slice", "$meta"})


def total_order(sort: Sort) -> Sort:
    """Return the order with the id as its tie-break, so that no two documents are equal in it.

    The id follows the direction of the last field: an index on both then serves the order and its reverse.

    Example:
        >>> total_order((("city", 1), ("age", -1)))
        (('city', 1), ('age', -1), ('_id', -1))
    """
    order: dict[str, Any] = {}
    direction = 1
    for path, direction_ in sort:
        order.setdefault(path, direction_)
        direction = direction_ if direction_ in (1, -1) else direction
        if path == "_id":  # what follows can decide nothing
            break
    order.setdefault("_id", direction)
    return tuple(order.items())


def reverse(order: Sort) -> Sort:
    """Return the opposite order."""
    return tuple((path, -direction) for path, direction in order)


def watched_paths(spec: ModelSpec, order: Sort) -> tuple[str, ...]:
    """Return the paths, of fields or of what they lie in, that may hold a list as far as the types say.

    MongoDB sorts a list by its least or greatest element and compares it as a whole, so there is no key for it.

    Raises:
        InvalidValueError: When the order goes by a list, or by a score.
    """
    watched: list[str] = []
    for path, direction in order:
        if direction not in (1, -1):
            raise InvalidValueError(
                f"Keyset pages cannot follow {direction!r}: a score is not stored.",
                hint="Sort by fields, or use paginate().",
                model=spec.name,
                field=path,
            )
        for prefix, shape in _along(spec, path):
            if shape.kind == "array":
                raise _is_list(spec, path)
            if _may_be_list(shape):
                watched.append(prefix)
    return tuple(dict.fromkeys(watched))


def mixes_types(spec: ModelSpec, order: Sort) -> bool:
    """Return whether documents may differ in the type of what they are ordered by, null and missing aside."""
    return any(list(_along(spec, path))[-1][1].kind != "scalar" for path, _ in order)


def beyond(order: Sort, key: Sequence[Any], *, inclusive: bool = False, watched: Sequence[str] = ()) -> dict[str, Any]:
    """Return the filter for the documents that follow a key in an order.

    A comparison in a query sees values of one type only, while a sort goes through all types; `$expr` compares as the
    sort does. A branch for each field lets the server merge index scans: on an index with the fields of the order,
    MongoDB 6 reads one key more than the page has documents. (Before MongoDB 5 such comparisons use no index.) For the
    same reason no plain bound is added on typed fields: it would save nothing, and lose what is stored without them.

    Args:
        order: Pairs of stored path and direction, the last of them decisive.
        key: The values at these paths; None for null and for missing, which sort alike.
        inclusive: Whether the document with the key itself belongs to it.
        watched: Paths where a list may be; documents that have one are let through to be found.
    """
    branches: list[dict[str, Any]] = []
    equal: dict[str, Any] = {}
    for position, ((path, direction), value) in enumerate(zip(order, key, strict=True)):
        is_last = position == len(order) - 1
        branches.append({**equal, **_past(path, direction, value, inclusive and is_last)})
        equal[path] = {"$eq": value}
    branches += [{path: {"$type": "array"}} for path in watched]
    return branches[0] if len(branches) == 1 else {"$or": branches}


def _past(path: str, direction: int, value: Any, inclusive: bool) -> dict[str, Any]:
    operator = ("$gt" if direction > 0 else "$lt") + ("e" if inclusive else "")
    compared: dict[str, Any] = {"$expr": {operator: [f"${path}", {"$literal": value}]}}
    if value is None and direction < 0:
        # An expression puts missing below null; a sort does not.
        return {path: {"$exists": True}, **compared}
    return compared


@dataclass(frozen=True, slots=True)
class KeyReader:
    """Reads keys from documents that were asked for with `projection`, and removes what was asked for only for that.

    Attributes:
        order: The order whose key is read.
        projection: What to send in place of the caller's projection.
        surplus: The paths that the caller did not ask for.
    """

    order: Sort
    projection: Mapping[str, Any] | None
    surplus: tuple[str, ...]

    def key_of(self, document: Document) -> tuple[Any, ...]:
        """Return the key of a document, which must not have been cleaned yet."""
        if KEY in self.surplus:
            return tuple(document[KEY])
        return tuple(_value_at(document, path.split(".")) for path, _ in self.order)

    def clean(self, document: Document) -> Document:
        """Remove, in place, what the caller did not ask for."""
        for path in self.surplus:
            _remove(document, path.split("."))
        return document


def key_reader(order: Sort, projection: Mapping[str, Any] | None, *, mixed: bool = False) -> KeyReader:
    """Return how the key is read under a projection.

    Args:
        order: The order whose key is read.
        projection: What the caller asked for.
        mixed: Whether the order mixes types, so that a field of it may hold documents. On an index with a field and a
            member of it, MongoDB 6 gives an index's null member for a value that has no members at all; a key made of
            the whole document makes it read the document instead.
    """
    paths = [path for path, _ in order]
    if not projection:
        return KeyReader(order, projection, ())
    if _is_inclusion(projection):
        key: Any = [f"${path}" for path in paths]
        if mixed:
            key = {"$let": {"vars": {"whole": "$$ROOT"}, "in": [f"$$whole.{path}" for path in paths]}}
        elif all(_is_included(path, projection) for path in paths):
            return KeyReader(order, projection, ())
        return KeyReader(order, {**projection, KEY: key}, (KEY,))
    surplus = tuple(
        path for path, value in projection.items() if value == 0 and any(_overlap(path, kept) for kept in paths)
    )
    sent = {path: value for path, value in projection.items() if path not in surplus}
    return KeyReader(order, sent or None, surplus)


def refuse_lists(spec: ModelSpec, order: Sort, key: Sequence[Any], document: Document) -> None:
    """Raise when a document holds a list where the order looks.

    Raises:
        InvalidValueError: When it does.
    """
    for (path, _), value in zip(order, key, strict=True):
        if isinstance(value, list):
            raise _is_list(spec, path, document.get("_id"))


def _is_list(spec: ModelSpec, path: str, id_: Any = None) -> InvalidValueError:
    field = spec.names.get(path, path)
    where = f" of the document with id {id_!r}" if id_ is not None else ""
    return InvalidValueError(
        f"Keyset pages cannot be ordered by {spec.name}.{field}{where}: it is, or lies in, a list.",
        hint="Sort by another field, leave such documents out, or use paginate().",
        model=spec.name,
        field=field,
    )


def _along(spec: ModelSpec, path: str) -> Iterator[tuple[str, Shape]]:
    """Yield every prefix of a stored path with its shape."""
    shape, parts = root_shape(spec), path.split(".")
    for position, part in enumerate(parts, 1):
        shape = _member(shape, part)
        yield ".".join(parts[:position]), shape


def _member(shape: Shape, stored: str) -> Shape:
    if shape.kind == "model" and shape.model is not None:
        return next((field.shape for field in fields_of(shape.model).values() if field.stored == stored), ANY)
    found = step(shape, stored)
    return ANY if found is None else found[1]


def _may_be_list(shape: Shape) -> bool:
    return shape.kind in ("any", "array") or any(map(_may_be_list, shape.members))


def _value_at(value: Any, parts: Sequence[str]) -> Any:
    """Return what a path leads to, None where it leads nowhere; a list that lies in the way stands for itself."""
    for part in parts:
        if isinstance(value, list):
            return value
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _remove(value: Any, parts: Sequence[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _remove(item, parts)
    elif isinstance(value, dict):
        if len(parts) == 1:
            value.pop(parts[0], None)
        else:
            _remove(value.get(parts[0]), parts[1:])


def _is_inclusion(projection: Mapping[str, Any]) -> bool:
    flags = [value for path, value in projection.items() if isinstance(value, int) and path != "_id"]
    if flags:
        return 1 in flags
    others = [value for value in projection.values() if not isinstance(value, int)]
    makes_fields = any(not (isinstance(value, Mapping) and _RETURN_EVERYTHING & value.keys()) for value in others)
    return makes_fields or projection.get("_id") == 1


def _is_included(path: str, projection: Mapping[str, Any]) -> bool:
    if path == "_id":
        return projection.get("_id") != 0
    return any(value == 1 and (path == kept or path.startswith(f"{kept}.")) for kept, value in projection.items())


def _overlap(left: str, right: str) -> bool:
    return left == right or left.startswith(f"{right}.") or right.startswith(f"{left}.")
