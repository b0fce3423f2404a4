"""Pydantic's validation errors, put together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, PydanticKnownError


def relocated(title: str, errors: Iterable[tuple[tuple[int | str, ...], ValidationError]]) -> ValidationError:
    """Return one `ValidationError` made of several, each location prefixed.

    Args:
        title: The model's name.
        errors: Pairs of a prefix, such as `(index,)` or `("age",)`, and an error.
    """
    details: list[InitErrorDetails] = []
    for prefix, error in errors:
        details += [_moved(detail, (*prefix, *detail["loc"])) for detail in error.errors(include_url=False)]
    return ValidationError.from_exception_data(title, details)


def shifted(error: ValidationError, by: int) -> ValidationError:
    """Return the error of one part of a list as that of the list: positions, which begin each location, move."""
    details: list[InitErrorDetails] = []
    for detail in error.errors(include_url=False):
        first, *rest = detail["loc"] or ("",)
        details.append(_moved(detail, (first + by if isinstance(first, int) else first, *rest)))
    return ValidationError.from_exception_data(error.title, details)


def _moved(detail: ErrorDetails, location: tuple[int | str, ...]) -> InitErrorDetails:
    context = detail.get("ctx", {})
    kind: Any = detail["type"]
    try:
        PydanticKnownError(kind, context)
    except (KeyError, TypeError, ValueError):  # a type of the user's own
        custom: Any = PydanticCustomError  # its arguments need not be literals at run time
        kind = custom(kind, detail["msg"].replace("{", "(").replace("}", ")"))
    return InitErrorDetails(type=kind, loc=location, input=detail["input"], ctx=context)


def refused(title: str, field: str, value: Any, error: Exception, kind: str) -> ValidationError:
    """Return the `ValidationError` for a field that cannot be set.

    Args:
        title: The model's name.
        field: The field.
        value: What it was to be set to.
        error: What is wrong with that.
        kind: The error's type, such as `"extra_forbidden"`.
    """
    custom: Any = PydanticCustomError
    reason = custom(kind, "{reason}", {"reason": str(error)})
    return ValidationError.from_exception_data(title, [InitErrorDetails(type=reason, loc=(field,), input=value)])
