"""The cache that keeps nothing."""

from __future__ import annotations

from typing import Any


class NullCache:
    """Keeps nothing: every read goes to the database. For tests, and to switch caching off by configuration."""

    async def get(self, key: str) -> Any | None:
        """Return None."""
        return None

    async def set(self, key: str, value: Any, expire: float | None = None) -> None:
        """Do nothing."""

    async def delete(self, *keys: str) -> None:
        """Do nothing."""

    async def delete_prefix(self, prefix: str) -> None:
        """Do nothing."""
