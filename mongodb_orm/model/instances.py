"""The verbs of one object, each of which only forwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ..persistence import deleting, saving
from .reading import ReadableModel


class StoredModel(ReadableModel):
    """A document class whose objects save and delete themselves."""

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model would override this one

        class Meta:
            """The base alone is no collection."""

            abstract = True

    async def save(self, *, only_update: bool = False) -> Self:
        """Insert a new object, or send what changed in a stored one; nothing changed: no trip.

        Args:
            only_update: Whether a new object is an error.

        Returns:
            The object.

        Raises:
            ValidationError: When a changed value does not fit its field.
            DocumentNotFoundError: When the document has vanished; it is never made again.
            DuplicateDocumentError: When a unique index refuses it.
        """
        return await saving.save(self, only_update=only_update)

    async def delete(self) -> bool:
        """Delete the document, softly when the model says so.

        Returns:
            Whether it was there.
        """
        return await deleting.delete(self)

    async def refresh_from_db(self) -> Self:
        """Read the document again into this object.

        Raises:
            DocumentNotFoundError: When it is no longer stored.
        """
        return await saving.refresh(self)
