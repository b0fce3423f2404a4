"""Who has an account."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import EmailStr, Field

from mongodb_orm import Indexed, SoftDeleteMixin, VersionedMixin

from .base import SanitizedModel


class User(SanitizedModel, VersionedMixin, SoftDeleteMixin):
    """Somebody with an account; a name and an address are free again when the account is deleted."""

    class Meta(SanitizedModel.Meta):
        protected = ["password_hash", "is_active"]

    verbatim: ClassVar[frozenset[str]] = frozenset({"password_hash"})

    username: Annotated[str, Field(min_length=3, max_length=50, pattern=r"^[\w-]+$"), Indexed(unique=True)]
    email: Annotated[EmailStr, Indexed(unique=True)]
    first_name: Annotated[str, Field(min_length=1, max_length=50)]
    last_name: Annotated[str, Field(min_length=1, max_length=50)]
    bio: Annotated[str, Field(max_length=500)] | None = None
    is_active: bool = True
    password_hash: str = Field(exclude=True, repr=False)
