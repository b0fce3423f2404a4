"""Queries as values: immutable, chainable, awaitable, async iterable."""

from ..explaining import Explanation
from .pages import KeysetPage, Page
from .queryset import QuerySet
from .ranked import Nearby, Ranked, Scored

__all__ = ["Explanation", "KeysetPage", "Nearby", "Page", "QuerySet", "Ranked", "Scored"]
