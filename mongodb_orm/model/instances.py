"""The verbs of one object, each of which only forwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, overload

import pydantic

from ..compiler.changes import UpdateLike
from ..persistence import changing, deleting, patching, saving, updating
from ..persistence.changing import Change
from .reading import ReadableModel


class StoredModel(ReadableModel):
    """A document class whose objects save and delete themselves."""

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model would override this one

        class Meta:
            """The base alone is no collection."""

            abstract = True

    async def save(
        self,
        *,
        only_update: bool = False,
        force: bool = False,
        if_match: Mapping[str, Any] | None = None,
        merge: bool = False,
        skip_hooks: bool = False,
    ) -> Self:
        """Insert a new object, or send what changed in a stored one; nothing changed: no trip.

        Args:
            only_update: Whether a new object is an error.
            force: Whether every loaded field is sent, changed or not.
            if_match: Lookups that the stored document must fulfil, such as `{"status": "open"}`.
            merge: Whether changes that somebody else saved meanwhile are taken over, where they are about something
                else; for models with `VersionedMixin`.
            skip_hooks: Whether hooks do not run.

        Returns:
            The object.

        Raises:
            ValidationError: When a changed value does not fit its field.
            DocumentNotFoundError: When the document has vanished; it is never made again.
            DuplicateDocumentError: When a unique index refuses it.
            StaleDocumentError: When somebody else saved it meanwhile (`VersionedMixin`), or `if_match` does not hold.
        """
        return await saving.save_as_asked(
            self, skip_hooks=skip_hooks, merge=merge, only_update=only_update, force=force, if_match=if_match
        )

    @property
    def is_changed(self) -> bool:
        """Whether `save()` would send something."""
        return changing.has_changed(self)

    def changes(self) -> dict[str, Change]:
        """Return what changed since the object was loaded or saved, by dotted path: pairs of `old` and `new`.

        Raises:
            DocumentNotFoundError: When the object is not stored.

        Example:
            >>> user.address.city = "Rome"
            >>> user.changes()
            {'address.city': Change(old='Oslo', new='Rome')}
        """
        return changing.describe(self)

    @overload
    def previous(self) -> Self: ...

    @overload
    def previous(self, field: str) -> Any: ...

    def previous(self, field: str | None = None) -> Any:
        """Return a copy of the object as it was loaded or saved, or the value that a field had.

        Raises:
            DocumentNotFoundError: When the object is not stored.
            UnknownFieldError: When the model has no such field.
        """
        return changing.previous(self) if field is None else changing.previous_value(self, field)

    def rollback(self) -> Self:
        """Undo every change since the object was loaded or saved, without a trip.

        Raises:
            DocumentNotFoundError: When the object is not stored.
        """
        return changing.rollback(self)

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
