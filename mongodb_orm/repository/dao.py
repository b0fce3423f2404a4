"""The same under the names of the DAO pattern."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from ..model import BaseModel
from .base import Repository
from .cached import CachedRepository
from .caches import Cache

M = TypeVar("M", bound=BaseModel)

BaseDAO = Repository
"""What data access objects derive from: `class UserDAO(BaseDAO[User])`."""


@overload
def get_dao(model: type[M]) -> Repository[M]: ...


@overload
def get_dao(model: type[M], *, cache: Cache) -> CachedRepository[M]: ...


def get_dao(model: type[M], *, cache: Cache | None = None) -> Any:
    """Return the data access object of a model, without writing a class.

    Args:
        model: The model.
        cache: A cache, for the reads that look into one.

    Example:
        >>> user = await get_dao(User).get_by_id(5)
    """
    return Repository(model) if cache is None else CachedRepository(model, cache=cache)
