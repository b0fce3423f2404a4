"""Ready-made parts of models."""

from .history import ActorMixin, HistoryMixin
from .soft_delete import SoftDeleteMixin

__all__ = ["ActorMixin", "HistoryMixin", "SoftDeleteMixin"]
