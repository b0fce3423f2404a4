"""Where a field of a summary takes its value from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class From:
    """Says where a field of a projected model comes from, when it is not the field of the same name.

    Attributes:
        source: A path under the model's names, `Model.f.address.city`, or an aggregation expression.

    Example:
        >>> class UserSummary(pydantic.BaseModel):
        ...     id: int
        ...     city: Annotated[str, From("address.city")]
        ...     tag_count: Annotated[int, From({"$size": "$tags"})]
        >>> await User.all().project(UserSummary)
    """

    source: str | Mapping[str, Any] | Any
