"""The ground of models whose text comes from people."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import model_validator

from mongodb_orm import BaseModel

_TAG = re.compile(r"<[^<>]*>")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def sanitized(value: Any) -> Any:
    """Return text without markup and control characters, in lists and dicts too; doing it twice changes nothing.

    It takes away what has no place in names and the like. What is shown is escaped where it is shown: text that is
    escaped here would be escaped twice.
    """
    if isinstance(value, str):
        before = ""
        while before != value:  # taking a tag away may make another one
            before, value = value, _TAG.sub("", value)
        return _CONTROL.sub("", value).strip()
    if isinstance(value, list):
        return [sanitized(inner) for inner in value]
    if isinstance(value, dict):
        return {key: sanitized(inner) for key, inner in value.items()}
    return value


class SanitizedModel(BaseModel):
    """Cleans text that is given to a new object or assigned to it later; a subclass may name fields to leave alone."""

    class Meta:
        abstract = True

    verbatim: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def sanitize_values(cls, values: Any) -> Any:
        """Clean what the object is made of."""
        if not isinstance(values, dict):
            return values
        return {name: value if name in cls.verbatim else sanitized(value) for name, value in values.items()}

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value if name in self.verbatim else sanitized(value))
