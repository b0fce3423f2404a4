"""What callers mean, as values."""

from .fields import FieldAccess, FieldPath, path_text
from .nodes import EVERYTHING, And, Compare, Condition, Keywords, Not, Or, Path, Q, Raw, as_condition, join

__all__ = [
    "EVERYTHING",
    "And",
    "Compare",
    "Condition",
    "FieldAccess",
    "FieldPath",
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
