"""Queries as values: immutable, chainable, awaitable, async iterable."""

from .pages import KeysetPage, Page
from .queryset import QuerySet

__all__ = ["KeysetPage", "Page", "QuerySet"]
