"""Queries as values: immutable, chainable, awaitable, async iterable."""

from .explaining import Explanation
from .pages import KeysetPage, Page
from .queryset import QuerySet

__all__ = ["Explanation", "KeysetPage", "Page", "QuerySet"]
