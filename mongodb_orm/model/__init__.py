"""The face: document classes and their verbs."""

from .documents import BaseModel

__all__ = ["BaseModel"]
