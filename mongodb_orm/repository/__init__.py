"""Data access on top of the models."""

from .base import Repository
from .criteria import Criteria, Lookup
