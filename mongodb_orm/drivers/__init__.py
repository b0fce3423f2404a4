"""The drivers, loaded when one is used."""

from __future__ import annotations

import importlib
from typing import Any

from ..exceptions import NotSupportedError
from .base import Driver, ServerInfo

__all__ = ["Driver", "ServerInfo", "driver_class"]

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
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("mongodb_orm"):
            raise
        raise NotSupportedError(
            f"The {name} driver needs {error.name}, which is not installed.",
            hint=f'Run: pip install "{package}"',
            feature=name,
        ) from error
