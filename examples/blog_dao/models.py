"""What is stored."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import EmailStr, Field

from mongodb_orm import BaseModel, Indexed


class User(BaseModel):
    """Somebody who writes."""

    username: Annotated[str, Field(min_length=3, max_length=50), Indexed(unique=True)]
    email: Annotated[EmailStr, Indexed(unique=True)]
    full_name: Annotated[str, Field(max_length=100)] = ""
    is_active: bool = True


class PostStatus(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"


class Post(BaseModel):
    """What somebody wrote."""

    class Meta:
        indexes = ({"keys": {"author_id": 1, "status": 1}},)

    title: Annotated[str, Field(min_length=1, max_length=200)]
    body: str = ""
    author_id: int
    status: PostStatus = PostStatus.DRAFT


class Comment(BaseModel):
    """What a reader said to a post."""

    post_id: Annotated[int, Indexed()]
    text: Annotated[str, Field(min_length=1, max_length=2000)]
