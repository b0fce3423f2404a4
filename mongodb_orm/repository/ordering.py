"""Sort orders under the public names that a repository allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..compiler.ordering import sort_pairs
from ..exceptions import InvalidValueError
from ..expressions import path_text
from ..schema import MappedModel, spec_of


def order_of(model: type[MappedModel], sortable: Mapping[str, Any] | None, sort: Any) -> list[tuple[str, int]]:
    """Return a sort order as pairs of field and direction; the id comes last, so that no two documents tie.

    Args:
        model: The model.
        sortable: The fields by their public keys; None allows every field under its own name.
        sort: `[("joined", -1), ("name", "asc")]`, `["-joined", "name"]`, `"-joined"`, a mapping, or None.

    Raises:
        InvalidValueError: When a key is not allowed, or a direction is none.
    """

    def translate(key: str) -> str:
        if sortable is None:
            return key
        if key not in sortable:
            raise InvalidValueError(
                f"{model.__name__} cannot be sorted by {key!r}.",
                hint=f"Sort by one of: {', '.join(sortable)}." if sortable else "It has no keys to sort by.",
                model=model.__name__,
                field=key,
                allowed=tuple(sortable),
            )
        return path_text(sortable[key])

    pairs = [(field, direction) for field, direction in sort_pairs(model.__name__, translate, sort)]
    id_field = spec_of(model).id_field
    return pairs if id_field in dict(pairs) else [*pairs, (id_field, 1)]
