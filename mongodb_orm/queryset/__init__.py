"""Queries as values: immutable, chainable, awaitable, async iterable."""

from .explaining import Explanation
from .queryset import QuerySet
from .ranked import Nearby, Ranked, Scored

__all__ = ["Explanation", "Nearby", "QuerySet", "Ranked", "Scored"]
