"""Queries as values: immutable, chainable, awaitable, async iterable."""

from .explaining import Explanation
from .queryset import QuerySet

__all__ = ["Explanation", "QuerySet"]
