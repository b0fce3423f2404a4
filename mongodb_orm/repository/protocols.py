"""What business code may expect of a repository, so that a double can stand in for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeVar

from ..model import BaseModel
from ..queryset import Page
from .criteria import CriteriaLike

M = TypeVar("M", bound=BaseModel)


class RepositoryProtocol(Protocol[M]):
    """The operations of every repository; depend on it, and give a test any class that has them.

    Example:
        >>> class Registration:
        ...     def __init__(self, users: RepositoryProtocol[User]) -> None:
        ...         self.users = users
    """

    async def create(self, **values: Any) -> M:
        """Make and store a record."""
        ...

    async def get_by_id(self, id: Any) -> M | None:  # noqa: A002
        """Return the record of an id, or None."""
        ...

    async def get_all(self, skip: int = 0, limit: int = 100, **filters: Any) -> list[M]:
        """Return records in the order of their ids."""
        ...

    async def update(self, id: Any, /, **values: Any) -> M | None:  # noqa: A002
        """Change fields of a record, or return None when there is none."""
        ...

    async def delete(self, id: Any) -> bool:  # noqa: A002
        """Delete a record; tell whether it was there."""
        ...

    async def count(self, criteria: CriteriaLike | None = None, **filters: Any) -> int:
        """Return how many records there are."""
        ...

    async def exists(self, criteria: CriteriaLike | None = None, **filters: Any) -> bool:
        """Return whether there is any record."""
        ...

    async def any(self, criteria: CriteriaLike | None = None) -> bool:
        """Return whether any record fulfils criteria."""
        ...

    async def find(
        self,
        criteria: CriteriaLike | None = None,
        sort: Any = None,
        skip: int = 0,
        limit: int = 0,
        projection: Any = None,
    ) -> list[Any]:
        """Return the records that fulfil criteria, or summaries of them."""
        ...

    async def find_one(self, criteria: CriteriaLike | None = None, sort: Any = None, projection: Any = None) -> Any:
        """Return the first record that fulfils criteria, or None."""
        ...

    async def page(
        self,
        criteria: CriteriaLike | None = None,
        sort: Any = None,
        page: int = 1,
        size: int = 20,
        projection: Any = None,
    ) -> Page[Any]:
        """Return one numbered page of what fulfils criteria, with the total."""
        ...

    def stream(
        self, criteria: CriteriaLike | None = None, sort: Any = None, projection: Any = None
    ) -> AsyncIterator[Any]:
        """Yield what fulfils criteria, in batches, without holding it all."""
        ...
