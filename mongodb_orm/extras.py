"""Parts that need a library which not everybody installs: loaded when they are used."""

from __future__ import annotations

import importlib
from typing import Any

from .exceptions import NotSupportedError


def load_extra(module: str, attribute: str, *, feature: str, package: str) -> Any:
    """Return an attribute of a module of ours that imports an optional library.

    Args:
        module: The module's full name.
        attribute: What is wanted of it.
        feature: What it serves, for the message.
        package: What to install.

    Raises:
        NotSupportedError: When the library is not installed.
    """
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("mongodb_orm"):
            raise
        raise NotSupportedError(
            f"{feature} needs {error.name}, which is not installed.",
            hint=f'Run: pip install "{package}"',
            feature=feature,
        ) from error
