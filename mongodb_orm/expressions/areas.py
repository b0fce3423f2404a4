"""What geo lookups take beyond GeoJSON: nearness, circles and boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ..exceptions import InvalidValueError
from .geojson import AnyGeometry, Geometry, Point, Polygon, PositionLike

_STEP = 0.5
"""Degrees between two positions on the parallels of a box: the great circle between them strays at most 30 m."""

_GEOMETRIES: TypeAdapter[Any] = TypeAdapter(AnyGeometry, config=ConfigDict(defer_build=True))


@dataclass(frozen=True, slots=True)
class Near:
    """Near a point, the nearest first.

    Attributes:
        point: The point, or its longitude and latitude.
        max_distance: At most so many metres away.
        min_distance: At least so many metres away.

    Example:
        >>> await Shop.filter(location__near=Near(Point(10.75, 59.91), max_distance=500))
    """

    point: PositionLike
    max_distance: float | None = None
    min_distance: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "point", point_from(self.point))
        for name in ("max_distance", "min_distance"):
            if getattr(self, name) is not None:
                _metres(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Circle:
    """All places at most `radius` metres from a centre.

    Attributes:
        center: The centre, or its longitude and latitude.
        radius: Metres on the surface of the Earth.

    Example:
        >>> await Shop.filter(location__within=Circle((10.75, 59.91), radius=500)).count()
    """

    center: PositionLike
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", point_from(self.center))
        _metres("radius", self.radius)


@dataclass(frozen=True, slots=True)
class Box:
    """All places between two meridians and two parallels, as a map on a screen shows them.

    Attributes:
        west: Its least longitude; greater than `east` where the box crosses the antimeridian.
        south: Its least latitude.
        east: Its greatest longitude.
        north: Its greatest latitude.

    Example:
        >>> await Shop.filter(location__within=Box(west=10.5, south=59.8, east=11, north=60)).count()
    """

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        point_from((self.west, self.south))
        point_from((self.east, self.north))
        if self.south >= self.north:
            raise InvalidValueError("A box's south is less than its north.", value=self)
        if not 0 < self.width < 180:
            raise InvalidValueError("A box is less than 180 degrees wide.", hint="Split it in two.", value=self)

    @property
    def width(self) -> float:
        """Degrees from west to east."""
        return self.east - self.west if self.east >= self.west else self.east - self.west + 360

    def as_polygon(self) -> Polygon:
        """Return the box as a polygon whose long sides follow the parallels.

        Two positions of a GeoJSON ring are joined by the shortest way, which bends away from the parallel.
        """
        steps = max(1, math.ceil(self.width / _STEP))
        longitudes = [self.west, *(self.west + self.width * step / steps for step in range(1, steps))]
        longitudes = [*(each - 360 if each > 180 else each for each in longitudes), self.east]
        ring = [(each, self.south) for each in longitudes] + [(each, self.north) for each in reversed(longitudes)]
        return Polygon([[*ring, ring[0]]])


def point_from(value: Any) -> Point:
    """Return a point of what may be written for one: itself, longitude and latitude, or GeoJSON.

    Raises:
        InvalidValueError: When it is none.
    """
    try:
        if isinstance(value, list | tuple):
            return Point(coordinates=value)
        return value if isinstance(value, Point) else Point.model_validate(_plain(value))
    except ValidationError as error:
        raise InvalidValueError(
            f"{value!r} is no point: {_first(error)}.", hint="Write Point(longitude, latitude).", value=value
        ) from error


def geometry_from(value: Any) -> Geometry:
    """Return a geometry of what may be written for one: itself, GeoJSON, a `Box`, or anything with `__geo_interface__`.

    Raises:
        InvalidValueError: When it is none.
    """
    if isinstance(value, Geometry):
        return value
    if isinstance(value, Box):
        return value.as_polygon()
    try:
        geometry: Geometry = _GEOMETRIES.validate_python(_plain(value))
    except ValidationError as error:
        raise InvalidValueError(
            f"{value!r} is no geometry: {_first(error)}.",
            hint="Write Polygon([[...]]), Box(...) or GeoJSON.",
            value=value,
        ) from error
    return geometry


def _plain(value: Any) -> Any:
    return value if isinstance(value, Mapping) else getattr(value, "__geo_interface__", value)


def _first(error: ValidationError) -> str:
    return error.errors(include_url=False, include_input=False)[0]["msg"]


def _metres(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InvalidValueError(f"{name} is a number of metres from 0, not {value!r}.", field=name, value=value)
