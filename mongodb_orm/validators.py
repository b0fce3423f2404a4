"""Checks that need the database, as values: what `Meta.validators` holds."""

from __future__ import annotations

from dataclasses import dataclass

from .exceptions import ConfigurationError


@dataclass(frozen=True, slots=True)
class Unique:
    """No other document has the same values in these fields.

    Attributes:
        fields: The fields, together.
    """

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """The document that a field refers to is there.

    Attributes:
        model: The model that is referred to.
        field: The field that refers to it: a value, or a list of values.
        to: The field of the other model that holds the value.
    """

    model: type
    field: str
    to: str = "id"


def unique(*fields: str) -> Unique:
    """Ask that no other document has the same values; a document where one of them is None is not compared.

    The check tells a user early, in a `ValidationError`; it is no lock. Two writers in the same moment are only kept
    apart by a unique index.

    Args:
        fields: One field, or several that are unique together.

    Raises:
        ConfigurationError: When no field is given.

    Example:
        >>> class Meta:
        ...     validators = [unique("email"), unique("team_id", "nickname")]
    """
    if not fields or not all(isinstance(name, str) and name for name in fields):
        raise ConfigurationError("unique() needs the names of fields.", hint='Write unique("email").')
    return Unique(fields)


def exists(model: type, field: str, *, to: str = "id") -> Exists:
    """Ask that what a field refers to is stored and not deleted; None is not looked for.

    Args:
        model: The model that is referred to.
        field: The field that refers to it. Of a list, every element is looked for.
        to: The field of the other model that holds the value.

    Raises:
        ConfigurationError: When that is no model or no field.

    Example:
        >>> class Meta:
        ...     validators = [exists(Team, "team_id")]
    """
    if not isinstance(model, type) or not isinstance(field, str) or not field:
        raise ConfigurationError(
            "exists() needs a model and the name of a field.", hint='Write exists(Team, "team_id").'
        )
    return Exists(model, field, to)
