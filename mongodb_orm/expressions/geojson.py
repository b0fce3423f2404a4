"""GeoJSON geometries (RFC 7946) as Pydantic models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, Union, cast, overload

import pydantic
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

_CLOSED_RING = 4  # a triangle, and its first position again


class Geometry(pydantic.BaseModel):
    """The ground of every GeoJSON geometry: a frozen value, stored as `{"type": ..., "coordinates": ...}`."""

    # Built on first use: the geometries would be a tenth of importing the package.
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    def __init__(self, /, **data: Any) -> None:
        """Validate the members of a GeoJSON object."""
        super().__init__(**data)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Let data from JSON and BSON take the short way past `__init__`, whose positional form is for people."""
        schema: Any = handler(source)
        if schema["type"] == "model":
            schema["custom_init"] = False
        return cast(core_schema.CoreSchema, schema)

    @property
    def __geo_interface__(self) -> dict[str, Any]:
        """The geometry as plain GeoJSON, which Shapely, GeoPandas and others read."""
        return self.model_dump(mode="json")


def _coordinates(value: Any) -> Any:
    return getattr(value, "coordinates", value) if isinstance(value, Geometry) else value


def _ring(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(value) < _CLOSED_RING:
        raise PydanticCustomError("ring_too_short", "A ring has at least four positions, the last like the first")
    if value[0] != value[-1]:
        raise PydanticCustomError(
            "ring_not_closed", "A ring ends where it begins: repeat its first position at the end"
        )
    return value


Longitude: TypeAlias = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Latitude: TypeAlias = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Altitude: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Position: TypeAlias = Annotated[
    Union[tuple[Longitude, Latitude], tuple[Longitude, Latitude, Altitude]], BeforeValidator(_coordinates)
]
"""Longitude, latitude and sometimes the altitude in metres: in this order, as everywhere in GeoJSON."""

_Line: TypeAlias = Annotated[tuple[Position, ...], Field(min_length=2), BeforeValidator(_coordinates)]
_Ring: TypeAlias = Annotated[tuple[Position, ...], AfterValidator(_ring), BeforeValidator(_coordinates)]
_Rings: TypeAlias = Annotated[tuple[_Ring, ...], Field(min_length=1), BeforeValidator(_coordinates)]

PositionLike: TypeAlias = "Point | Sequence[float]"
"""What may be written for a position: a `Point`, or longitude and latitude."""


class Point(Geometry):
    """A place on Earth: longitude first, then latitude.

    Example:
        >>> Point(10.75, 59.91) == Point(coordinates=(10.75, 59.91))
        True
    """

    type: Literal["Point"] = "Point"
    coordinates: Position

    @overload
    def __init__(self, longitude: float, latitude: float, altitude: float | None = None) -> None: ...

    @overload
    def __init__(self, *, coordinates: PositionLike, type: Literal["Point"] = "Point") -> None: ...

    def __init__(
        self, longitude: Any = None, latitude: Any = None, altitude: Any = None, *, coordinates: Any = None, **data: Any
    ) -> None:
        """Make a point of longitude and latitude, or of `coordinates`."""
        if coordinates is None:
            coordinates = (longitude, latitude) if altitude is None else (longitude, latitude, altitude)
        super().__init__(coordinates=coordinates, **data)

    @property
    def longitude(self) -> float:
        """Degrees east."""
        return self.coordinates[0]

    @property
    def latitude(self) -> float:
        """Degrees north."""
        return self.coordinates[1]

    @property
    def altitude(self) -> float | None:
        """Metres, when given."""
        return self.coordinates[2] if len(self.coordinates) == 3 else None


class LineString(Geometry):
    """A line through two or more positions.

    Example:
        >>> LineString([(10.7, 59.9), (10.8, 59.95)])
    """

    type: Literal["LineString"] = "LineString"
    coordinates: _Line

    def __init__(self, coordinates: Iterable[PositionLike], **data: Any) -> None:
        """Make a line of its positions."""
        super().__init__(coordinates=coordinates, **data)


class Polygon(Geometry):
    """An area within a closed ring, without the areas of further rings.

    Example:
        >>> Polygon([[(10, 59), (11, 59), (11, 60), (10, 59)]])
    """

    type: Literal["Polygon"] = "Polygon"
    coordinates: _Rings

    def __init__(self, coordinates: Iterable[LineString | Iterable[PositionLike]], **data: Any) -> None:
        """Make an area of its rings, the outer one first."""
        super().__init__(coordinates=coordinates, **data)


class MultiPoint(Geometry):
    """Several places."""

    type: Literal["MultiPoint"] = "MultiPoint"
    coordinates: tuple[Position, ...]

    def __init__(self, coordinates: Iterable[PositionLike], **data: Any) -> None:
        """Make a geometry of several positions."""
        super().__init__(coordinates=coordinates, **data)


class MultiLineString(Geometry):
    """Several lines."""

    type: Literal["MultiLineString"] = "MultiLineString"
    coordinates: tuple[_Line, ...]

    def __init__(self, coordinates: Iterable[LineString | Iterable[PositionLike]], **data: Any) -> None:
        """Make a geometry of several lines."""
        super().__init__(coordinates=coordinates, **data)


class MultiPolygon(Geometry):
    """Several areas."""

    type: Literal["MultiPolygon"] = "MultiPolygon"
    coordinates: tuple[_Rings, ...]

    def __init__(self, coordinates: Iterable[Polygon | Iterable[Iterable[PositionLike]]], **data: Any) -> None:
        """Make a geometry of several areas."""
        super().__init__(coordinates=coordinates, **data)


SingleGeometry: TypeAlias = Annotated[
    Union[Point, LineString, Polygon, MultiPoint, MultiLineString, MultiPolygon], Field(discriminator="type")
]


class GeometryCollection(Geometry):
    """Geometries of any types, as one."""

    type: Literal["GeometryCollection"] = "GeometryCollection"
    geometries: tuple[SingleGeometry, ...]

    def __init__(self, geometries: Iterable[Geometry | dict[str, Any]], **data: Any) -> None:
        """Make one geometry of several."""
        super().__init__(geometries=geometries, **data)


AnyGeometry: TypeAlias = Annotated[
    Union[Point, LineString, Polygon, MultiPoint, MultiLineString, MultiPolygon, GeometryCollection],
    Field(discriminator="type"),
]
"""The type of a field that holds a geometry of any type."""
