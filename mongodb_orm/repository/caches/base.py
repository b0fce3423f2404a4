"""What a cache backend must be able to do, and how values and keys look inside one."""

from __future__ import annotations

from typing import Any, Protocol, TypeGuard

import bson
from bson.errors import BSONError

from ...codec import CODEC_OPTIONS

_DEEPEST = 4


class Cache(Protocol):
    """A store of values that may forget them at any time.

    Values are anything that BSON can hold; what comes back is a copy. Derive your own from nothing: any class with
    these methods is one.
    """

    async def get(self, key: str) -> Any | None:
        """Return the value, or None when there is none, or none that can be read."""
        ...

    async def set(self, key: str, value: Any, expire: float | None = None) -> None:
        """Keep a value, for `expire` seconds at most."""
        ...

    async def delete(self, *keys: str) -> None:
        """Forget keys; those that are not there do not matter."""
        ...

    async def delete_prefix(self, prefix: str) -> None:
        """Forget every key that begins with `prefix`."""
        ...


class LeasingCache(Cache, Protocol):
    """A cache that is shared by processes, and refuses values that were read before somebody deleted their key.

    Without leases, a process that reads a record, is overtaken by a write with its deletion, and keeps what it read
    only then, would leave the old record in the cache.
    """

    async def lease(self, key: str) -> Any:
        """Return a token for a value that is about to be read from the database."""
        ...

    async def set_leased(self, key: str, value: Any, expire: float | None, lease: Any) -> None:
        """Keep a value, unless its key was deleted since the token was given."""
        ...


def leases(cache: Cache) -> TypeGuard[LeasingCache]:
    """Return whether the class of a cache says how to lease; a mock, or a wrapper that forwards names, says nothing."""
    return all(hasattr(type(cache), verb) for verb in ("lease", "set_leased"))


def pack(value: Any, **more: Any) -> bytes:
    """Return a value, and what a backend notes beside it, as bytes."""
    return bson.encode({"v": value, **more}, codec_options=CODEC_OPTIONS)


def unpack(raw: bytes) -> dict[str, Any]:
    """Return what was packed, or an empty dict for bytes that nobody here has packed."""
    try:
        return bson.decode(raw, CODEC_OPTIONS)
    except (BSONError, ValueError):
        return {}


def prefixes_of(key: str) -> list[str]:
    """Return the first prefixes of a key that end in a colon: `user:`, `user:id:`."""
    found: list[str] = []
    end = key.find(":")
    while end != -1 and len(found) < _DEEPEST:
        found.append(key[: end + 1])
        end = key.find(":", end + 1)
    return found
