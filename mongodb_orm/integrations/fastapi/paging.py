"""Query parameters that ask for a page."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from ...exceptions import InvalidValueError
from ...queryset import KeysetPage, Page, QuerySet
from ...schema import MappedModel

M = TypeVar("M", bound=MappedModel)
T = TypeVar("T")

MAX_SIZE = 100
MAX_PAGE = 100_000


def ordered(query: QuerySet[M, T], sort: list[str], sortable: tuple[str, ...] | None) -> QuerySet[M, T]:
    """Return a query in the order that a client asks for; its own order when the client asks for none.

    Raises:
        InvalidValueError: When a field is not among `sortable`.
    """
    for key in sort:
        if sortable is not None and key.removeprefix("-") not in sortable:
            raise InvalidValueError(
                "The results cannot be sorted by that field.",
                hint=f"Sort by {', '.join(sortable)}." if sortable else "",
                model=query.model.__name__,
                field="sort",
                value=key,
            )
    return query.order_by(*sort) if sort else query


class PageParams(BaseModel):
    """The parameters `page`, `size` and `sort`, as a dependency.

    Attributes:
        page: The page's number, from 1.
        size: How many results a page holds, 100 at most.
        sort: Field names, descending with a leading `-`; the query's own order where nothing is said.

    Example:
        >>> @app.get("/users")
        ... async def users(params: Annotated[PageParams, Query()]) -> Page[User]:
        ...     return await params.page_of(User.filter(is_active=True), sortable=("username", "created_at"))
    """

    page: Annotated[int, Field(ge=1, le=MAX_PAGE, description="The page's number, from 1.")] = 1
    size: Annotated[int, Field(ge=1, le=MAX_SIZE, description="How many results a page holds.")] = 20
    sort: Annotated[
        list[str], Query(max_length=8, description="Field names; a leading - means descending."), Field(max_length=8)
    ] = []

    async def page_of(self, query: QuerySet[M, T], *, sortable: tuple[str, ...] | None = None) -> Page[T]:
        """Return the page of a query that was asked for.

        Args:
            query: What to cut into pages.
            sortable: The fields that a client may sort by; None for every field of the model.

        Raises:
            InvalidValueError: When `sort` names another field.
        """
        return await ordered(query, self.sort, sortable).paginate(self.page, self.size)


class KeysetParams(BaseModel):
    """The parameters `token`, `size` and `sort`, as a dependency: pages from place to place.

    Attributes:
        token: A page's `next_token` or `prev_token`; nothing for the first page.
        size: How many results a page holds, 100 at most.
        sort: As in `PageParams`; the same with every token.

    Example:
        >>> @app.get("/posts")
        ... async def posts(params: Annotated[KeysetParams, Query()]) -> KeysetPage[Post]:
        ...     return await params.page_of(Post.all().order_by("-created_at"))
    """

    token: Annotated[str | None, Field(max_length=4096, description="A page's next_token or prev_token.")] = None
    size: Annotated[int, Field(ge=1, le=MAX_SIZE, description="How many results a page holds.")] = 20
    sort: Annotated[
        list[str], Query(max_length=8, description="Field names; a leading - means descending."), Field(max_length=8)
    ] = []

    async def page_of(self, query: QuerySet[M, T], *, sortable: tuple[str, ...] | None = None) -> KeysetPage[T]:
        """Return the page of a query that was asked for; arguments as in `PageParams.page_of`.

        Raises:
            InvalidTokenError: When the token was not made here, or for another query.
            InvalidValueError: When `sort` names a field that is not sortable.
        """
        return await ordered(query, self.sort, sortable).paginate_after(self.token, self.size)
