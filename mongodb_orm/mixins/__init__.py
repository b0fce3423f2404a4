"""Ready-made parts of models."""

from .soft_delete import SoftDeleteMixin

__all__ = ["SoftDeleteMixin"]
