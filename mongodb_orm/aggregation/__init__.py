"""Aggregation pipelines on models."""

from .aggregation import Aggregation

__all__ = ["Aggregation"]
