"""The verbs for many documents at once, each of which only forwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from ..persistence import bulk
from .writing import WritableModel


class BulkModel(WritableModel):
    """A document class that writes many documents at once."""

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model would override this one

        class Meta:
            """The base alone is no collection."""

            abstract = True

    @classmethod
    async def bulk_create(cls, items: Iterable[Mapping[str, Any] | Self], *, ordered: bool = True) -> list[Self]:
        """Insert many documents: validated first, ids in one trip, then in chunks of 1,000.

        Args:
            items: Mappings of values, or new objects. An empty list does nothing.
            ordered: Whether to stop at the first document that the server refuses.

        Returns:
            The objects, in the order of `items`, with their ids.

        Raises:
            ValidationError: When items do not fit; locations begin with the position, and nothing is stored.
            BulkError: When the server refuses some. It is a `DuplicateDocumentError` too when a unique index did.
        """
        return await bulk.bulk_create(cls, items, ordered=ordered)
