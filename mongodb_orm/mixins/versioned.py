"""Optimistic locking: a save that would overwrite somebody else's is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..schema import MappedModel, Versioning


class VersionedMixin(MappedModel):
    """Makes every save check that nobody saved the document since it was loaded.

    The version is one int. `save`, `delete` and `restore` of an object check and increment it in one update; when it
    is not the one that was loaded, nothing is written and the error is a `StaleDocumentError` with both versions.
    Updates by query do not look at it.

    Example:
        >>> class Account(BaseModel, VersionedMixin):
        ...     balance: int = 0
    """

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model or of another mixin would contradict this one

        class Meta:
            """The mixin alone is no collection."""

            abstract = True

    __mongo_versioning__: ClassVar[Versioning | None] = Versioning()

    version: int = 1
