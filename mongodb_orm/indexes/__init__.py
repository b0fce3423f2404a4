"""Indexes: planning is pure, applying asks the server."""

from .applying import create_index, drop_index, ensure_indexes, list_indexes
from .planning import compile_index

__all__ = ["compile_index", "create_index", "drop_index", "ensure_indexes", "list_indexes"]
