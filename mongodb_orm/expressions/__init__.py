"""What callers mean, as values."""

from .fields import FieldAccess, FieldPath, path_text
from .nodes import EVERYTHING, And, Compare, Condition, Keywords, Not, Or, Path, Q, Raw, as_condition, join
from .sources import From

__all__ = [
    "EVERYTHING",
    "And",
    "Compare",
    "Condition",
    "FieldAccess",
    "FieldPath",
    "From",
    "Keywords",
    "Not",
    "Or",
    "Path",
    "Q",
    "Raw",
    "as_condition",
    "join",
    "path_text",
]
