"""Pages of results as Pydantic models, so that they serialise to JSON and show in OpenAPI."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

T = TypeVar("T")
P = TypeVar("P", bound=BaseModel)


class Page(BaseModel, Generic[T]):
    """One numbered page of a result; `Page[User]` is a type for a response.

    Attributes:
        items: The results on this page.
        total: How many results there are on all pages.
        page: This page's number, from 1.
        size: How many results a page holds.
        pages: How many pages there are; 0 when there are no results.
        has_next: Whether a page follows.
        has_prev: Whether a page comes before.

    Example:
        >>> page = await User.filter(is_active=True).paginate(page=2, size=20)
        >>> page.total, len(page.items), page.has_next
        (45, 20, True)
    """

    items: list[T]
    total: int = Field(ge=0, description="How many results there are on all pages.")
    page: int = Field(ge=1, description="This page's number, from 1.")
    size: int = Field(ge=1, description="How many results a page holds.")
    pages: int = Field(ge=0, description="How many pages there are.")
    has_next: bool = Field(description="Whether a page follows.")
    has_prev: bool = Field(description="Whether a page comes before.")


class KeysetPage(BaseModel, Generic[T]):
    """One page of a result that is read from place to place; `KeysetPage[User]` is a type for a response.

    Attributes:
        items: The results on this page.
        next_token: What `paginate_after` takes for the page that follows; None when there is none.
        prev_token: The same for the page before.
        has_next: Whether a page follows. In the direction that one came from, it says that one did.
        has_prev: Whether a page comes before; likewise.

    Example:
        >>> page = await User.all().order_by("-created_at").paginate_after(size=20)
        >>> page = await User.all().order_by("-created_at").paginate_after(page.next_token, size=20)
    """

    items: list[T]
    next_token: str | None = Field(default=None, description="Asks for the page that follows.")
    prev_token: str | None = Field(default=None, description="Asks for the page before.")
    has_next: bool = Field(default=False, description="Whether a page follows.")
    has_prev: bool = Field(default=False, description="Whether a page comes before.")


def page_maker(page: type[P], kind: Any) -> Callable[..., P]:
    """Return what makes pages of one kind of items, from values that need no validation."""
    make: Callable[..., P] = _parametrised(page, kind).model_construct
    return make


@lru_cache(maxsize=512)
def _parametrised(page: Any, kind: Any) -> Any:
    # Pydantic forgets a parametrised class that nobody holds, and building one takes longer than reading a page.
    return page[kind]
