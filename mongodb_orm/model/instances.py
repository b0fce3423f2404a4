"""The verbs of one object, each of which only forwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import pydantic

from ..compiler.changes import UpdateLike
from ..persistence import deleting, patching, saving, updating
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

    async def update(self, /, *changes: UpdateLike, **values: Any) -> Self:
        """Update the document at once and show the result here; other changes of the object stay unsaved.

        Hooks for `Update` and `Save` run; what they change before the write is written too.

        Args:
            changes: As in `QuerySet.update`. Never pass input from outside here; that belongs into `patch`.
            values: New field values, and keyword operators such as `visits__inc=1`.

        Returns:
            The object.

        Raises:
            DocumentNotFoundError: When the document is not stored.
            InvalidValueError: When two changes concern the same field, or the id.

        Example:
            >>> await user.update(updates.push(User.f.tags, "new"), visits__inc=1)
        """
        return await updating.update_document(self, changes, values)

    async def patch(self, data: pydantic.BaseModel | Mapping[str, Any], /) -> Self:
        """Change the fields that a client sent and save; all or nothing.

        Fields that a Pydantic object did not set stay as they are, inside nested ones too. Protected fields are
        refused: the id, timestamps, marks of soft deletion and `Meta.protected`. What is sent is data: no operator of
        MongoDB's is ever taken as one.

        Args:
            data: A Pydantic object or a mapping, under the model's names.

        Returns:
            The object.

        Raises:
            ValidationError: When a value does not fit; the object stays as it was.
            UnknownFieldError: When a field does not exist.
            InvalidValueError: When a field is protected.

        Example:
            >>> await user.patch(UserUpdate(city="Rome"))
        """
        return await patching.patch(self, data)

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
