"""What users write."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mongodb_orm import SoftDeleteMixin

from .base import SanitizedModel


class Post(SanitizedModel, SoftDeleteMixin):
    class Meta(SanitizedModel.Meta):
        indexes = ({"keys": {"author_id": 1, "created_at": -1}},)

    title: Annotated[str, Field(min_length=1, max_length=200)]
    body: str = ""
    author_id: int
