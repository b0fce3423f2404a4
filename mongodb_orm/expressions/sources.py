"""Where a field of a summary takes its value from: elsewhere in the document, or another document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class From:
    """Says where a field of a projected model comes from, when it is not the field of the same name.

    Attributes:
        source: A path under the model's names, `Model.f.address.city`, a calculation such as
            `Model.f.created_at + Model.f.duration`, or an aggregation expression.

    Example:
        >>> class UserSummary(pydantic.BaseModel):
        ...     id: int
        ...     city: Annotated[str, From("address.city")]
        ...     tag_count: Annotated[int, From({"$size": "$tags"})]
        >>> await User.all().project(UserSummary)
    """

    source: str | Mapping[str, Any] | Any


@dataclass(frozen=True, slots=True)
class Reference:
    """Says that a field of a projected model is a document of another model, or a list of them.

    The server joins them by `$lookup`, and of each one only the fields that the projected model has are asked for. A
    field that is a list takes all of them, any other one the first, or None when there is none.

    Attributes:
        model: The other model.
        by: The field here whose value is looked for.
        to: The field there that has it; the id unless given.
        scoped: Whether the other model's default scope and soft deletion hold.

    Example:
        >>> class PostSummary(pydantic.BaseModel):
        ...     title: str
        ...     author: Annotated[UserBrief, Reference(User, "author_id")]
        ...     comments: Annotated[list[CommentBrief], Reference(Comment, "id", "post_id")]
        >>> await Post.all().project(PostSummary)
    """

    model: Any
    by: str | Any
    to: str | Any = None
    scoped: bool = True
