"""The drivers, loaded when one is used."""

from __future__ import annotations

from typing import Any

from ..extras import load_extra
from .base import Driver, ServerInfo, TransactionOptions

__all__ = ["Driver", "ServerInfo", "TransactionOptions", "driver_class"]

_CLASSES = {
    "motor": ("mongodb_orm.drivers.motor", "MotorDriver", "motor"),
    "pymongo": ("mongodb_orm.drivers.pymongo_async", "PyMongoDriver", "pymongo"),
    "memory": ("mongodb_orm.drivers.memory", "MemoryDriver", "mongodb-orm[memory]"),
}


def driver_class(name: str) -> Any:
    """Return a driver's class, importing the client library it needs.

    Args:
        name: `"motor"`, `"pymongo"` or `"memory"`.

    Raises:
        NotSupportedError: When the library is not installed.
    """
    module, attribute, package = _CLASSES[name]
    return load_extra(module, attribute, feature=f"The {name} driver", package=package)
