"""Indexes: planning is pure, applying asks the server, advising looks at what was asked."""

from .advising import Advice
from .applying import Drop, IndexChanges, create_index, drop_index, ensure_indexes, list_indexes
from .compiling import compile_index
from .manager import IndexAccess, IndexManager
from .planning import IndexDifference, IndexInfo, IndexPlan

__all__ = [
    "Advice",
    "Drop",
    "IndexAccess",
    "IndexChanges",
    "IndexDifference",
    "IndexInfo",
    "IndexManager",
    "IndexPlan",
    "compile_index",
    "create_index",
    "drop_index",
    "ensure_indexes",
    "list_indexes",
]
