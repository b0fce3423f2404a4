"""A cache on Redis, shared by the processes of an application."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Any, TypeVar

from .base import pack, prefixes_of, unpack

T = TypeVar("T")

_GUARDS = "mongodb_orm:guard:"
_GUARD_SECONDS = 86_400
_LEASE_SECONDS = 120

_TAKE_LEASE = """
local tokens = {}
for number, guard in ipairs(KEYS) do
    local token = redis.call('GET', guard)
    if not token then token = ARGV[1] end
    redis.call('SET', guard, token, 'EX', number == 1 and ARGV[2] or ARGV[3])
    tokens[number] = token
end
return tokens
"""
_SET_LEASED = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""


class RedisCache:
    """Keeps values as BSON in Redis or a server that speaks its protocol, such as Valkey.

    Forgetting a prefix that ends in a colon takes one short command, however many keys there are: each value carries
    the tokens of its prefixes, and a token that is gone makes it a miss. What it leaves behind ends with its time. Any
    other prefix is looked for by `SCAN`. One server or a replicated one serves, not a cluster: a value and its tokens
    are on one node.

    Args:
        client: A client of `redis.asyncio`; whether it decodes responses does not matter. It stays the caller's.
        timeout: How many seconds Redis may take for an answer, before it counts as failing.

    Example:
        >>> cache = RedisCache(redis.asyncio.Redis(host="localhost"))
        >>> users = UserRepository(cache=cache)
    """

    def __init__(self, client: Any, *, timeout: float = 1.0) -> None:
        self._client = client
        self._timeout = timeout

    async def get(self, key: str) -> Any | None:
        """Return the value, or None; what others have written under the key is none."""
        guards = [_prefix_guard(prefix) for prefix in prefixes_of(key)]
        raw, *tokens = await self._answer(self._client.execute_command("MGET", key, *guards, NEVER_DECODE=True))
        if raw is None:
            return None
        kept = unpack(raw)
        return kept.get("v") if kept.get("t") == [_text(token) for token in tokens] else None

    async def set(self, key: str, value: Any, expire: float | None = None) -> None:
        """Keep a value for `expire` seconds."""
        await self.set_leased(key, value, expire, await self.lease(key))

    async def lease(self, key: str) -> list[str]:
        """Return the tokens of a key and of its prefixes."""
        guards = [_key_guard(key), *(_prefix_guard(prefix) for prefix in prefixes_of(key))]
        token = secrets.token_hex(8)
        command = self._client.eval(_TAKE_LEASE, len(guards), *guards, token, _LEASE_SECONDS, _GUARD_SECONDS)
        return [str(_text(given)) for given in await self._answer(command)]

    async def set_leased(self, key: str, value: Any, expire: float | None, lease: list[str]) -> None:
        """Keep a value, unless its key was deleted since the lease was taken."""
        if expire is not None and expire <= 0:
            return
        raw = pack(value, t=lease[1:])
        milliseconds = "" if expire is None else str(max(1, round(expire * 1000)))
        await self._answer(self._client.eval(_SET_LEASED, 2, key, _key_guard(key), lease[0], raw, milliseconds))

    async def delete(self, *keys: str) -> None:
        """Forget keys."""
        if keys:
            await self._answer(self._client.unlink(*keys, *map(_key_guard, keys)))

    async def delete_prefix(self, prefix: str) -> None:
        """Forget every key that begins with `prefix`."""
        if prefix in prefixes_of(prefix):
            await self._answer(self._client.unlink(_prefix_guard(prefix)))
            return
        cursor: Any = 0
        while True:
            found = self._client.execute_command(
                "SCAN", cursor, "MATCH", f"{_escape(prefix)}*", "COUNT", 1000, NEVER_DECODE=True
            )
            cursor, keys = await self._answer(found)
            if keys:
                await self._answer(self._client.unlink(*keys))
            if not int(cursor):
                return

    async def _answer(self, command: Awaitable[T]) -> T:
        async with asyncio.timeout(self._timeout):
            return await command


def _key_guard(key: str) -> str:
    return f"{_GUARDS}key:{key}"


def _prefix_guard(prefix: str) -> str:
    return f"{_GUARDS}prefix:{prefix}"


def _text(token: Any) -> Any:
    return token.decode() if isinstance(token, bytes) else token


def _escape(prefix: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in prefix)
