"""Queries as values: immutable, chainable, awaitable, async iterable."""

from .queryset import QuerySet

__all__ = ["QuerySet"]
