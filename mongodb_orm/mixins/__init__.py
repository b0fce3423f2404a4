"""Ready-made parts of models."""

from .history import ActorMixin, HistoryMixin
from .soft_delete import SoftDeleteMixin
from .versioned import VersionedMixin

__all__ = ["ActorMixin", "HistoryMixin", "SoftDeleteMixin", "VersionedMixin"]
