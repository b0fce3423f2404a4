"""A cache in the memory of the process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from ...exceptions import ConfigurationError
from .base import pack, prefixes_of, unpack


class _Entry(NamedTuple):
    raw: bytes
    until: float


class MemoryCache:
    """Keeps values in this process, the least recently used of them for the shortest time.

    Values are held as BSON, so that nobody can change what is cached. Other processes do not see it: their writes show
    here when the time of an entry is over, or at once where `CachedRepository.watch_changes` runs.

    Args:
        max_entries: How many values are kept.
        max_bytes: How many bytes they may have together.
        max_ttl: The longest time that a value is kept, in seconds, whatever `set` says; None for no bound.
        clock: Returns the time in seconds.

    Raises:
        ConfigurationError: When a bound is not above 0.
    """

    def __init__(
        self,
        *,
        max_entries: int = 10_000,
        max_bytes: int = 64 * 1024 * 1024,
        max_ttl: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, bound in (("max_entries", max_entries), ("max_bytes", max_bytes), ("max_ttl", max_ttl)):
            if bound is not None and (isinstance(bound, bool) or not bound > 0):
                raise ConfigurationError(f"{name} of a MemoryCache is above 0, not {bound!r}.")
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._max_ttl = float("inf") if max_ttl is None else max_ttl
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._keys: dict[str, set[str]] = {}
        self._size = 0

    async def get(self, key: str) -> Any | None:
        """Return a copy of the value, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.until <= self._clock():
            self._forget(key)
            return None
        self._entries.move_to_end(key)
        return unpack(entry.raw).get("v")

    async def set(self, key: str, value: Any, expire: float | None = None) -> None:
        """Keep a copy of a value for `expire` seconds; what is too large for the whole cache is not kept."""
        raw = pack(value)
        self._forget(key)
        seconds = min(self._max_ttl, self._max_ttl if expire is None else expire)
        if len(raw) > self._max_bytes or seconds <= 0:
            return
        self._entries[key] = _Entry(raw, self._clock() + seconds)
        self._size += len(raw)
        for prefix in prefixes_of(key):
            self._keys.setdefault(prefix, set()).add(key)
        while len(self._entries) > self._max_entries or self._size > self._max_bytes:
            self._forget(next(iter(self._entries)))

    async def delete(self, *keys: str) -> None:
        """Forget keys."""
        for key in keys:
            self._forget(key)

    async def delete_prefix(self, prefix: str) -> None:
        """Forget every key that begins with `prefix`; one that ends in a colon costs no look at the others."""
        if prefix in prefixes_of(prefix):
            below = tuple(self._keys.get(prefix, ()))
        else:
            below = tuple(key for key in self._entries if key.startswith(prefix))
        for key in below:
            self._forget(key)

    def __len__(self) -> int:
        return len(self._entries)

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._size -= len(entry.raw)
        for prefix in prefixes_of(key):
            keys = self._keys[prefix]
            keys.discard(key)
            if not keys:
                del self._keys[prefix]
