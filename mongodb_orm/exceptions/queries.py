"""Errors of queries that make no sense."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from .root import MongoDBORMError


class QueryError(MongoDBORMError, ValueError):
    """A condition, sort, projection or pipeline that makes no sense.

    Attributes:
        model: The model's name, when known.
        field: The field as the caller wrote it, when one is at fault.
        value: The offending value, when one is at fault.
    """

    def __init__(
        self, problem: str, *, model: str | None = None, field: str | None = None, value: Any = None, **rest: Any
    ) -> None:
        super().__init__(problem, model=model, field=field, value=value, **rest)

    model: str | None
    field: str | None
    value: Any


class UnknownFieldError(QueryError):
    """The model has no field of that name.

    Attributes:
        suggestion: The nearest field name, or None.
    """

    suggestion: str | None

    def __init__(self, model: str, field: str, known: Sequence[str], *, what: str = "field") -> None:
        name = field.replace("__", ".").split(".")[-1]
        near = get_close_matches(name, known, n=1)
        names = f"It has: {', '.join(sorted(known)[:20])}." if known else ""
        hint = f"Did you mean {near[0]!r}?" if near else names
        super().__init__(
            f"{model} has no {what} {field!r}.",
            hint=hint,
            model=model,
            field=field,
            suggestion=near[0] if near else None,
        )


class UnknownLookupError(QueryError):
    """There is no such lookup, or the field's type has no use for it.

    Attributes:
        lookup: The lookup as the caller wrote it.
        suggestion: The nearest lookup name, or None.
    """

    lookup: str
    suggestion: str | None

    def __init__(self, model: str, field: str, lookup: str, known: Sequence[str]) -> None:
        near = get_close_matches(lookup, known, n=1)
        super().__init__(
            f"{model}.{field} has no member or lookup {lookup!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"Lookups are: {', '.join(known)}.",
            model=model,
            field=field,
            lookup=lookup,
            suggestion=near[0] if near else None,
        )


class InvalidValueError(QueryError):
    """The value does not fit the field or the option."""


class InvalidTokenError(QueryError):
    """The page token was not made here, or for another model, filter or order."""


class UnsafeQueryError(QueryError):
    """Operator injection, or server-side JavaScript that nobody asked for."""
