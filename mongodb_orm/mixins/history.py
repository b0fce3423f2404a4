"""Versions of documents, and who wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..compiler.casting import Place, cast
from ..persistence import versions
from ..persistence.changing import stored_id
from ..persistence.versions import Difference, Version
from ..schema import MappedModel, Signing, database_of, spec_of


class HistoryMixin(MappedModel):
    """Makes a model keep every version of its documents, in `<collection>_history`.

    Each write adds a version, with when and who (`with actor("ann"):`): writes of objects, in bulk and by query.

    Example:
        >>> class Contract(BaseModel, HistoryMixin):
        ...     text: str
        >>> with actor("ann"):
        ...     await contract.save()
        >>> [(version.version, version.by) for version in await contract.history()]
        [(2, 'ann'), (1, None)]
    """

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model or of another mixin would contradict this one

        class Meta:
            """The mixin alone is no collection."""

            abstract = True

    __mongo_history__: ClassVar[bool] = True

    async def history(self, *, skip: int = 0, limit: int = 0) -> list[Version]:
        """Return the versions of this document, the newest first.

        Args:
            skip: How many to leave out.
            limit: How many to take at most; 0 for all.

        Raises:
            DocumentNotFoundError: When the object was never stored, or removed through this instance.
        """
        database = database_of(self)
        return await versions.versions(type(self), stored_id(self), skip=skip, limit=limit, database=database)

    @classmethod
    async def history_of(cls, id: Any, *, skip: int = 0, limit: int = 0) -> list[Version]:  # noqa: A002
        """Return the versions of the document with that id, which may be gone; arguments as in `history`."""
        return await versions.versions(cls, _stored_id(cls, id), skip=skip, limit=limit, database=None)

    @classmethod
    async def forget_history(cls, id: Any) -> int:  # noqa: A002
        """Remove every version of the document with that id, for good; the document itself stays.

        Returns:
            How many versions were removed.
        """
        return await versions.forget(cls, _stored_id(cls, id))

    async def compare_versions(self, old: int, new: int) -> dict[str, Difference]:
        """Return what differs between two versions, by dotted path.

        Raises:
            DocumentNotFoundError: When there is no such version.

        Example:
            >>> await contract.compare_versions(1, 2)
            {'text': Difference(old='draft', new='final')}
        """
        return await versions.compare(self, old, new)

    async def revert(self, version: int) -> Self:
        """Take over the values of a version and save them, which makes a new version.

        The id, the timestamps and the marks of a soft delete stay as they are.

        Raises:
            DocumentNotFoundError: When there is no such version, or the document was removed in it.
            CorruptDocumentError: When the version does not fit today's model.
            ValidationError: When its values are refused today.
        """
        return await versions.revert(self, version)


def _stored_id(model: type[MappedModel], given: Any) -> Any:
    spec = spec_of(model)
    return cast(spec.id_shape, given, Place(spec.name, spec.id_field))


class ActorMixin(MappedModel):
    """Adds `created_by` and `updated_by`, taken from `with actor(...)`.

    Whatever moves `updated_at` sets `updated_by` too: saves, updates by query and in bulk, upserts, soft deletion and
    restoring. They are no hooks, so `skip_hooks()` does not leave them out. Without an actor nothing is set. A client
    never sets them (`patch`, `crud_router`). Annotate the fields anew for actors that are no strings.

    Example:
        >>> class Invoice(BaseModel, ActorMixin):
        ...     total: int
        >>> with actor("ann"):
        ...     invoice = await Invoice.create(total=5)
        >>> invoice.created_by
        'ann'
    """

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model or of another mixin would contradict this one

        class Meta:
            """The mixin alone is no collection."""

            abstract = True

    __mongo_signing__: ClassVar[Signing | None] = Signing()

    created_by: str | None = None
    updated_by: str | None = None
