"""How a model says which indexes it wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..exceptions import ConfigurationError

DIRECTIONS: tuple[Any, ...] = (1, -1, "text", "2dsphere", "2d", "hashed")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSpec:
    """One index, under the model's field names.

    Attributes:
        keys: Pairs of field path and direction (1, -1, `"text"`, `"2dsphere"`, `"2d"`, `"hashed"`).
        unique: Whether two documents may not share the key.
        sparse: Whether documents without the field are left out.
        partial_filter_expression: Only documents that match it are indexed.
        expire_after_seconds: Documents are removed that long after the date in the field.
        text_weights: How much each field counts in a text index.
        name: The index's name; MongoDB makes one from the keys otherwise.
        options: Any further option of `createIndexes`, under MongoDB's name.
    """

    keys: tuple[tuple[str, Any], ...]
    unique: bool = False
    sparse: bool = False
    partial_filter_expression: Mapping[str, Any] | None = None
    expire_after_seconds: int | None = None
    text_weights: Mapping[str, int] | None = None
    name: str | None = None
    options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.keys:
            raise ConfigurationError("An index needs at least one field.")
        for field, direction in self.keys:
            if not isinstance(field, str) or not field:
                raise ConfigurationError(f"An index field is a non-empty name, not {field!r}.")
            if isinstance(direction, bool) or direction not in DIRECTIONS:
                raise ConfigurationError(
                    f"{direction!r} is no direction of an index.",
                    hint=f"Use one of {', '.join(map(repr, DIRECTIONS))}.",
                    field=field,
                )
        seconds = self.expire_after_seconds
        if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0):
            raise ConfigurationError(f"expire_after_seconds is a whole number from 0, not {seconds!r}.")


def index_from(declaration: Any) -> IndexSpec:
    """Return the index that an entry of `Meta.indexes` declares.

    Args:
        declaration: `"email"`, `"-created_at"`, `("email", 1)`, `[("a", 1), ("b", -1)]`, `{"a": 1, "b": -1}`, a
            mapping of `IndexSpec`'s arguments with `"fields"` or `"keys"`, or an `IndexSpec`.

    Raises:
        ConfigurationError: When it is none of these.
    """
    if isinstance(declaration, IndexSpec):
        return declaration
    if isinstance(declaration, Mapping) and ("fields" in declaration or "keys" in declaration):
        options = dict(declaration)
        keys = options.pop("fields", None) or options.pop("keys", None)
        known = {name: options.pop(name) for name in list(options) if name in IndexSpec.__slots__}
        return IndexSpec(keys=keys_from(keys), options=options or None, **known)
    return IndexSpec(keys=keys_from(declaration))


def keys_from(declaration: Any) -> tuple[tuple[str, Any], ...]:
    """Return pairs of field and direction from any of the usual ways to write them."""
    if isinstance(declaration, str):
        return ((declaration[1:], -1),) if declaration.startswith("-") else ((declaration, 1),)
    if isinstance(declaration, Mapping):
        return tuple(declaration.items())
    if isinstance(declaration, Sequence):
        if len(declaration) == 2 and isinstance(declaration[0], str) and declaration[1] in DIRECTIONS:
            return ((declaration[0], declaration[1]),)
        return tuple(
            pair
            for entry in declaration
            for pair in ([entry] if isinstance(entry, tuple) and len(entry) == 2 else keys_from(entry))
        )
    raise ConfigurationError(
        f"{declaration!r} declares no index.",
        hint='Write a field name, [("a", 1), ("b", -1)], {"a": 1, "b": -1} or an IndexSpec.',
    )
