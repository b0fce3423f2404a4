"""Deleting that only marks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..persistence import deleting
from ..queryset import QuerySet
from ..schema import MappedModel, SoftDeletion


class SoftDeleteMixin(MappedModel):
    """Makes a model keep what is deleted.

    `delete()` and deletes by query mark documents; reads, counts and updates do not see them any more, unless
    `with_deleted()` or `only_deleted()` says otherwise or a condition names `is_deleted` or `deleted_at`.

    Example:
        >>> class User(BaseModel, SoftDeleteMixin):
        ...     username: str
        >>> await user.delete()
        >>> await User.only_deleted()
        [<User(id=1)>]
    """

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model or of another mixin would contradict this one

        class Meta:
            """The mixin alone is no collection."""

            abstract = True

    __mongo_deletion__: ClassVar[SoftDeletion | None] = SoftDeletion()

    is_deleted: bool = False
    deleted_at: datetime | None = None

    async def soft_delete(self) -> bool:
        """Mark the document as deleted.

        Returns:
            Whether it was there and not marked.
        """
        return await deleting.delete(self)

    async def restore(self) -> bool:
        """Undo a soft delete.

        Returns:
            Whether it was deleted.
        """
        return await deleting.restore(self)

    async def hard_delete(self) -> bool:
        """Remove the document from the database.

        Returns:
            Whether it was there.
        """
        return await deleting.hard_delete(self)

    @classmethod
    def get_active(cls, /, *conditions: Any, **lookups: Any) -> QuerySet[Self, Self]:
        """Return a query on the documents that are not deleted."""
        return QuerySet(cls).filter(*conditions, **lookups)

    @classmethod
    def with_deleted(cls) -> QuerySet[Self, Self]:
        """Return a query on all documents, deleted or not."""
        return QuerySet(cls).with_deleted()

    @classmethod
    def only_deleted(cls) -> QuerySet[Self, Self]:
        """Return a query on the deleted documents."""
        return QuerySet(cls).only_deleted()

    @classmethod
    async def purge(cls, /, *conditions: Any, older_than: timedelta | datetime, **lookups: Any) -> int:
        """Remove for good what was deleted softly some time ago.

        Args:
            conditions: Further conditions.
            older_than: How long ago at least, or the moment before which, it was deleted.
            lookups: Further keyword lookups.

        Returns:
            How many documents were removed.

        Raises:
            InvalidValueError: When `older_than` is neither, or a time ahead.

        Example:
            >>> await User.purge(older_than=timedelta(days=30))
        """
        query = deleting.expired(cls, older_than)
        return await cls.only_deleted().filter(query).filter(*conditions, **lookups).hard_delete()
