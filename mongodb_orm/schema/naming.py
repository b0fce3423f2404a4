"""How a collection gets its name from a class."""

from __future__ import annotations

import re

_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z_]+")


def collection_name(class_name: str) -> str:
    """Return a class name in snake case.

    Example:
        >>> collection_name("APIKey")
        'api_key'
        >>> collection_name("Box[int]")
        'box_int'
    """
    words = _NOT_IN_NAMES.sub("_", class_name).strip("_")
    return _WORD_ENDS.sub("_", words).lower()
