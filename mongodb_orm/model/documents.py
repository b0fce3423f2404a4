"""`BaseModel`: what users derive their documents from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ..connections import DatabaseConfig
from ..registration import register_model
from .indexing import IndexedModel


class BaseModel(IndexedModel):
    """A document class: Pydantic fields, and the methods that read and write them.

    Derive a class and register it; its collection is the class's name in snake case.

    Attributes:
        id: MongoDB's `_id`; an auto-increment int unless annotated otherwise; None before the first save.
        created_at: When the object was made, UTC.
        updated_at: When it was last saved, UTC.
        f: Field paths for expressions: `User.f.age >= 18`.

    Example:
        >>> class User(BaseModel):
        ...     username: str
        ...     age: int | None = None
        >>> await register_model(User, db_config=DatabaseConfig(mongo_uri="embedded://"))
        >>> user = await User.create(username="ann")
        >>> user.id
        1
    """

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model would override this one

        class Meta:
            """The base alone is no collection."""

            abstract = True

    @classmethod
    async def __initialize__(cls, db_config: DatabaseConfig | None = None, client: Any = None) -> type[Self]:
        """Connect this class to a database, as `register_model` does."""
        return await register_model(cls, db_config, client)
