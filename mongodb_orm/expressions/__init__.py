"""What callers mean, as values."""

from .areas import Box, Circle, Near, geometry_from, point_from
from .arithmetic import Calculated, Expression, Operation
from .fields import FieldAccess, FieldPath, Order, expr, field, path_text
from .geojson import (
    AnyGeometry,
    Geometry,
    GeometryCollection,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
    PositionLike,
)
from .nodes import EVERYTHING, And, Compare, Condition, Keywords, Not, Or, Path, Q, Raw, as_condition, join
from .sources import From
from .text import TextSearch

__all__ = [
    "EVERYTHING",
    "And",
    "AnyGeometry",
    "Box",
    "Calculated",
    "Circle",
    "Compare",
    "Condition",
    "Expression",
    "FieldAccess",
    "FieldPath",
    "From",
    "Geometry",
    "GeometryCollection",
    "Keywords",
    "LineString",
    "MultiLineString",
    "MultiPoint",
    "MultiPolygon",
    "Near",
    "Not",
    "Operation",
    "Or",
    "Order",
    "Path",
    "Point",
    "Polygon",
    "PositionLike",
    "Q",
    "Raw",
    "TextSearch",
    "as_condition",
    "expr",
    "field",
    "geometry_from",
    "join",
    "path_text",
    "point_from",
]
