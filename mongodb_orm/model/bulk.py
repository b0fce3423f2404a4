"""The verbs for many documents at once, each of which only forwards."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from ..persistence import bulk, bulk_deleting, bulk_saving, streaming
from ..persistence.bulk_saving import BulkSaved
from ..persistence.progressing import Progress
from .writing import WritableModel


class BulkModel(WritableModel):
    """A document class that writes many documents at once."""

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model would override this one

        class Meta:
            """The base alone is no collection."""

            abstract = True

    @classmethod
    async def bulk_create(
        cls,
        items: Iterable[Mapping[str, Any] | Self] | AsyncIterable[Mapping[str, Any] | Self],
        *,
        ordered: bool = True,
        progress: Progress | None = None,
    ) -> list[Self]:
        """Insert many documents: validated first, ids in one trip, then in chunks of 1,000.

        Args:
            items: Mappings of values, or new objects, from any iterable or async iterable. An empty one does nothing.
            ordered: Whether to stop at the first document that the server refuses.
            progress: A function, plain or async, that is called after each command with how many are done, of how many.

        Returns:
            The objects, in the order of `items`, with their ids.

        Raises:
            ValidationError: When items do not fit; locations begin with the position, and nothing is stored.
            BulkError: When the server refuses some. It is a `DuplicateDocumentError` too when a unique index did.
        """
        return await bulk.bulk_create(cls, items, ordered=ordered, progress=progress)

    @classmethod
    async def bulk_insert(
        cls,
        items: Iterable[Mapping[str, Any] | Self] | AsyncIterable[Mapping[str, Any] | Self],
        *,
        chunk_size: int = 1000,
        ordered: bool = True,
        progress: Progress | None = None,
    ) -> int:
        """Insert documents as they come, a chunk at a time, and keep none: memory stays flat however many there are.

        Args:
            items: Mappings of values or new objects, from any iterable or async iterable.
            chunk_size: How many are validated and sent together.
            ordered: Whether to stop at the first document that the server refuses; otherwise all that were refused are
                told when the stream has ended.
            progress: A function, plain or async, that is called after each chunk with how many are done and how many
                there are, None when that is not known.

        Returns:
            How many were inserted.

        Raises:
            ValidationError: When an item does not fit. Its chunk is not stored; the chunks before it are, as a note of
                the error says. Locations begin with the position in the stream.
            BulkError: When the server refuses some; positions are those in the stream.

        Example:
            >>> await User.bulk_insert(csv.DictReader(file))
        """
        return await streaming.bulk_insert(cls, items, chunk_size=chunk_size, ordered=ordered, progress=progress)

    @classmethod
    async def bulk_save(
        cls, objects: Iterable[Self] | AsyncIterable[Self], *, ordered: bool = False, progress: Progress | None = None
    ) -> BulkSaved:
        """Save many objects: new ones are inserted, of the others what changed is sent, in commands of 1,000.

        All are validated before anything is sent. Hooks run as for `save`.

        Args:
            objects: Objects of this class, from any iterable or async iterable; one that is there twice is saved once.
            ordered: Whether to stop at the first that cannot be written.
            progress: A function, plain or async, that is called after each command with how many are done, of how many.

        Returns:
            How many were created, updated and unchanged.

        Raises:
            ValidationError: When a value does not fit; locations begin with the position, and nothing is stored.
            BulkError: When some could not be written: duplicates, vanished or stale documents. Those that were written
                know it, the others are as they were.

        Example:
            >>> for user in users:
            ...     user.age += 1
            >>> await User.bulk_save(users)
            BulkSaved(created=0, updated=100, unchanged=0)
        """
        return await bulk_saving.bulk_save(cls, objects, ordered=ordered, progress=progress)

    @classmethod
    async def bulk_update(
        cls,
        changes: Mapping[Any, Mapping[str, Any]],
        *,
        ordered: bool = False,
        progress: Progress | None = None,
    ) -> int:
        """Update documents by id, each with its own values, without loading them.

        Args:
            changes: A mapping of ids to values, in the keyword form of `update`: `{1: {"age": 5}, 2: {"age__inc": 1}}`.
            ordered: Whether to stop at the first that the server refuses.
            progress: A function, plain or async, that is called after each command with how many are done, of how many.

        Returns:
            How many documents were found.

        Raises:
            InvalidValueError: When an id or a value does not fit; nothing is sent.
            BulkError: When the server refuses some.
        """
        return await bulk_saving.bulk_update(cls, changes, ordered=ordered, progress=progress)

    @classmethod
    async def bulk_delete(cls, items: Iterable[Any] | AsyncIterable[Any], *, progress: Progress | None = None) -> int:
        """Delete objects, or documents by id, softly when the model says so.

        As with one object, what was gone before is no error. It is not counted, and no hook or observer hears of it.

        Args:
            items: Objects of this class, ids, or both, from any iterable or async iterable.
            progress: A function, plain or async, that is called after each command with how many are done, of how many.

        Returns:
            How many were deleted.

        Raises:
            BulkError: When somebody saved some objects meanwhile (`VersionedMixin`); the others are deleted.
        """
        return await bulk_deleting.bulk_delete(cls, items, progress=progress)
