"""The verbs for indexes, each of which only forwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ..indexes import IndexAccess, create_index, drop_index, list_indexes
from ..schema import index_from
from ..types import Document
from .bulk import BulkModel


class IndexedModel(BulkModel):
    """A document class that can be read, written and indexed."""

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model would override this one

        class Meta:
            """The base alone is no collection."""

            abstract = True

    indexes: ClassVar[IndexAccess] = IndexAccess()
    """The model's indexes: `await User.indexes.plan()`."""

    @classmethod
    async def create_index(
        cls,
        field: str,
        *,
        unique: bool = False,
        direction: int = 1,
        sparse: bool = False,
        partial_filter_expression: Mapping[str, Any] | None = None,
        index_type: str | None = None,
        expire_after_seconds: int | None = None,
        text_weights: Mapping[str, int] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> bool:
        """Create an index on one field.

        Args:
            field: The field, dotted for nested ones.
            unique: Whether two documents may not share the value.
            direction: 1 ascending, -1 descending.
            sparse: Whether documents without the field are left out.
            partial_filter_expression: Only documents that match it are indexed.
            index_type: `"text"`, `"2dsphere"`, `"2d"` or `"hashed"` instead of a direction.
            expire_after_seconds: Documents are removed that long after the date in the field.
            text_weights: How much fields count in a text index.
            name: The index's name.
            options: The other attributes of `IndexSpec` (`collation`, `hidden`, `ignore_deleted`, ...), and any further
                option of MongoDB's `createIndexes`.

        Returns:
            True when it was made, False when it was there already.

        Raises:
            IndexConflictError: When it exists with other options.
            DuplicateDocumentError: When it is unique and stored documents share a value; `collisions` lists them.
        """
        return await cls.create_compound_index(
            [(field, index_type or direction)],
            unique=unique,
            sparse=sparse,
            partial_filter_expression=partial_filter_expression,
            expire_after_seconds=expire_after_seconds,
            text_weights=text_weights,
            name=name,
            **options,
        )

    @classmethod
    async def create_compound_index(
        cls,
        fields: Mapping[str, Any] | Sequence[tuple[str, Any] | str],
        *,
        unique: bool = False,
        sparse: bool = False,
        partial_filter_expression: Mapping[str, Any] | None = None,
        expire_after_seconds: int | None = None,
        text_weights: Mapping[str, int] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> bool:
        """Create an index on several fields; arguments, result and errors as in `create_index`.

        Example:
            >>> await Post.create_compound_index({"author_id": 1, "status": 1, "created_at": -1})
        """
        return await create_index(
            cls,
            index_from(
                {
                    **options,
                    "keys": fields,
                    "unique": unique,
                    "sparse": sparse,
                    "partial_filter_expression": partial_filter_expression,
                    "expire_after_seconds": expire_after_seconds,
                    "text_weights": text_weights,
                    "name": name,
                }
            ),
        )

    @classmethod
    async def drop_index(cls, name: str) -> bool:
        """Drop an index by its name, or by the field that it alone is on.

        Returns:
            True when it was dropped, False when there is none.
        """
        return await drop_index(cls, name)

    @classmethod
    async def list_indexes(cls) -> list[Document]:
        """Return the definitions of the collection's indexes, under the model's field names."""
        return await list_indexes(cls)
