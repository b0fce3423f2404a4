"""Geo lookups: nearness, containment and intersection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..exceptions import InvalidValueError, QueryError
from ..expressions import Circle, Near, geometry_from, point_from
from ..schema import Shape
from .casting import Place, refuse_operators

EARTH_RADIUS = 6_378_100.0
"""Metres, as MongoDB counts them."""

RANK = "__rank"
"""The field in which a pipeline keeps a distance or a score for a moment."""

_NEAR = ("$near", "$nearSphere")


def near(shape: Shape, value: Any, place: Place) -> Any:
    """Compile a point, or a point and distances, to `$near`."""
    return near_operators(_near_from(value, place))


def near_operators(value: Near) -> dict[str, Any]:
    """Return the `$near` of a point and distances."""
    operand: dict[str, Any] = {"$geometry": point_from(value.point).__geo_interface__}
    if value.max_distance is not None:
        operand["$maxDistance"] = value.max_distance
    if value.min_distance is not None:
        operand["$minDistance"] = value.min_distance
    return {"$near": operand}


def within(shape: Shape, value: Any, place: Place) -> Any:
    """Compile an area to `$geoWithin`."""
    if isinstance(value, Circle):
        center = point_from(value.center)
        return {"$geoWithin": {"$centerSphere": [[center.longitude, center.latitude], value.radius / EARTH_RADIUS]}}
    geometry = _geometry(value, place)
    if geometry["type"] not in ("Polygon", "MultiPolygon"):
        raise place.refuse(
            value, f"nothing lies within a {geometry['type']}.", "Use a Polygon, a MultiPolygon, a Box or a Circle."
        )
    return {"$geoWithin": {"$geometry": geometry}}


def intersects(shape: Shape, value: Any, place: Place) -> Any:
    """Compile a geometry to `$geoIntersects`."""
    if isinstance(value, Circle):
        raise place.refuse(value, "MongoDB has no intersection with a circle.", "Use within, or a Polygon.")
    return {"$geoIntersects": {"$geometry": _geometry(value, place)}}


def near_stages(query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a query document as the first stages of a pipeline, which know no `$near` but `$geoNear`."""
    found = _take_near(query)
    if found is None:
        return [{"$match": dict(query)}] if query else []
    field, operators, rest = found
    return [geo_near_stage(field, operators, rest), {"$unset": RANK}]


def is_near(query: Mapping[str, Any]) -> bool:
    """Return whether a query document orders by distance."""
    return _take_near(query) is not None


def geo_near_stage(field: str, operators: Mapping[str, Any], query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stage that finds what `operators`, the document of a `$near`, finds; with the distance."""
    operand = next(operators[name] for name in _NEAR if name in operators)
    is_geojson = isinstance(operand, Mapping) and "$geometry" in operand
    limits = operand if is_geojson else operators
    stage: dict[str, Any] = {
        "near": operand["$geometry"] if is_geojson else operand,
        "key": field,
        "distanceField": RANK,
        "spherical": is_geojson or "$nearSphere" in operators,
    }
    for option, name in (("$maxDistance", "maxDistance"), ("$minDistance", "minDistance")):
        if option in limits:
            stage[name] = limits[option]
    if query:
        stage["query"] = dict(query)
    return {"$geoNear": stage}


def _take_near(query: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], dict[str, Any]] | None:
    for key, value in query.items():
        rest = {name: other for name, other in query.items() if name != key}
        if isinstance(value, Mapping) and any(name in value for name in _NEAR):
            return key, value, rest
        if key == "$and":
            for index, part in enumerate(value):
                found = _take_near(part)
                if found is not None:
                    others = [*value[:index], *([found[2]] if found[2] else []), *value[index + 1 :]]
                    return found[0], found[1], {**rest, "$and": others} if others else rest
    return None


def _near_from(value: Any, place: Place) -> Near:
    if isinstance(value, Near):
        return value
    refuse_operators(value, place)
    try:
        if isinstance(value, list | tuple) and len(value) == 2 and not isinstance(value[0], int | float):
            return Near(value[0], max_distance=value[1])
        return Near(value)
    except InvalidValueError as error:
        raise _at(error, value, place) from error


def _geometry(value: Any, place: Place) -> dict[str, Any]:
    refuse_operators(value, place)
    try:
        return geometry_from(value).__geo_interface__
    except InvalidValueError as error:
        raise _at(error, value, place) from error


def _at(error: QueryError, value: Any, place: Place) -> InvalidValueError:
    return place.refuse(value, error.problem, error.hint)
