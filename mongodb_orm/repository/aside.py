"""Cache-aside: reading through a cache that may fail, one load for each key, and nothing stale kept."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from .caches import Cache, leases

T = TypeVar("T")

Load = Callable[[], Awaitable[tuple[Any, T]]]
"""Reads from the database: returns what is cached, None or nothing for what is not, and the result."""

Revive = Callable[[Any], T]
"""Makes the result of what was cached."""

logger: logging.Logger = logging.getLogger("mongodb_orm.cache")

_PAUSE = 1.0
_MOST_OWED = 10_000


class _Flight:
    """A load that is under way; whoever asks for the same key waits for it."""

    __slots__ = ("future", "is_stale")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.is_stale = False

    def fail(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            self.future.set_exception(error)
            self.future.exception()  # nobody may be waiting
        else:
            self.future.cancel()


class _Answer(NamedTuple):
    """What a cache said."""

    value: Any = None
    has_failed: bool = False


_FAILURE = _Answer(has_failed=True)


class CacheAside:
    """One cache as its repositories use it.

    A failing cache is passed over: it is asked again after a second, and what should have been deleted in the meantime
    is deleted before anything is read. The failure is logged once, and so is its end.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = _reference(cache)
        self._flights: dict[tuple[asyncio.AbstractEventLoop, str], _Flight] = {}
        self._owed: dict[str, object] = {}
        self._owed_prefixes: dict[str, object] = {}
        self._is_failing = False
        self._asked_again_at = 0.0
        self.subscriptions: dict[Any, Callable[[], None]] = {}

    async def get(self, key: str) -> Any | None:
        """Return what is cached, None when there is nothing or the cache fails."""
        cache = self._cache()
        if cache is None or self._rests():
            return None
        if (self._owed or self._owed_prefixes) and not await self._pay(cache):
            return None
        return (await self._ask(lambda: cache.get(key))).value

    async def load(self, key: str, load: Load[T], revive: Revive[T], pack: Callable[[Any], Any], expire: float) -> T:
        """Return what `load` reads, or what another call for the same key is reading just now, and cache it.

        Args:
            key: The key.
            load: Reads from the database.
            revive: Makes a result of what another call has read.
            pack: Makes a cache's value of what was read.
            expire: The longest time in the cache, in seconds.
        """
        loop = asyncio.get_running_loop()
        while True:
            flight = self._flights.get((loop, key))
            if flight is None:
                return await self._lead(loop, key, load, pack, expire)
            try:
                return revive(await asyncio.shield(flight.future))
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not flight.future.cancelled() or (task is not None and task.cancelling()):
                    raise

    async def _lead(
        self, loop: asyncio.AbstractEventLoop, key: str, load: Load[T], pack: Callable[[Any], Any], expire: float
    ) -> T:
        flight = self._flights[loop, key] = _Flight(loop)
        try:
            lease = await self._lease(key)
            data, result = await load()
            flight.future.set_result(data)
            if data is not None and data != b"" and not flight.is_stale:
                await self._set(key, pack(data), expire, lease)
                if flight.is_stale:  # a write has deleted the key while a cache took its time to keep it
                    await self.drop([key])
            return result
        except BaseException as error:
            if not flight.future.done():
                flight.fail(error)
            raise
        finally:
            if self._flights.get((loop, key)) is flight:
                del self._flights[loop, key]

    async def attempt(self, invalidation: Callable[[], Awaitable[Any]]) -> None:
        """Run a repository's own invalidation; the write is done, so that no error of it may reach the writer."""
        await self._ask(invalidation, is_own=True)

    async def drop(self, keys: Iterable[str], prefixes: Iterable[str] = ()) -> None:
        """Forget keys and prefixes, in the cache and among the loads under way; what fails is done later."""
        keys, prefixes = set(keys), tuple(prefixes)
        for place, flight in list(self._flights.items()):
            if place[1] in keys or place[1].startswith(prefixes):
                flight.is_stale = True
                del self._flights[place]
        cache = self._cache()
        if cache is None:
            return
        answer = _FAILURE
        try:
            answer = await self._ask(lambda: _forget(cache, keys, prefixes))
        finally:  # a cancelled task owes it too
            if answer.has_failed:
                self._owe(keys, prefixes)

    def _owe(self, keys: Iterable[str], prefixes: Iterable[str]) -> None:
        mark = object()
        self._owed_prefixes.update(dict.fromkeys(prefixes, mark))
        self._owed.update(dict.fromkeys(keys, mark))
        if len(self._owed) > _MOST_OWED:
            self._owed_prefixes.update((key.partition(":")[0] + ":", mark) for key in self._owed)
            self._owed.clear()

    async def _pay(self, cache: Cache) -> bool:
        """Delete what has to be deleted; tell whether it is done."""
        keys, prefixes = dict(self._owed), dict(self._owed_prefixes)
        if (await self._ask(lambda: _forget(cache, keys, prefixes))).has_failed:
            return False
        for owed, paid in ((self._owed, keys), (self._owed_prefixes, prefixes)):
            for name, mark in paid.items():
                if owed.get(name) is mark:
                    del owed[name]
        return True

    async def _lease(self, key: str) -> Any:
        cache = self._cache()
        if cache is None or not leases(cache) or self._rests():
            return None
        return (await self._ask(lambda: cache.lease(key))).value

    async def _set(self, key: str, value: Any, expire: float, lease: Any) -> None:
        cache = self._cache()
        if cache is None or self._rests() or self._owed or self._owed_prefixes:
            return
        if not leases(cache):
            await self._ask(lambda: cache.set(key, value, expire=expire))
        elif lease is not None:
            await self._ask(lambda: cache.set_leased(key, value, expire, lease))

    async def _ask(self, question: Callable[[], Awaitable[Any]], *, is_own: bool = False) -> _Answer:
        """Return what the cache says, or a repository's own invalidation, or that it fails.

        Either is somebody else's code and may raise anything, yet no read or write of the database may fail by it.
        """
        try:
            value = await question()
        except Exception as error:
            if is_own:
                name = type(error).__name__
                logger.warning("invalidate() fails (%s: %s); its keys may be stale.", name, error, exc_info=error)
            else:
                self._failed(error)
            return _FAILURE
        if self._is_failing and not is_own:
            self._is_failing = False
            logger.info("The cache answers again.")
        return _Answer(value)

    def _rests(self) -> bool:
        return self._is_failing and time.monotonic() < self._asked_again_at

    def _failed(self, error: Exception) -> None:
        self._asked_again_at = time.monotonic() + _PAUSE
        if not self._is_failing:
            self._is_failing = True
            logger.warning(
                "The cache fails (%s: %s); reads go to the database until it answers.",
                type(error).__name__,
                error,
                exc_info=error,
            )


async def _forget(cache: Cache, keys: Iterable[str], prefixes: Iterable[str]) -> None:
    if keys:
        await cache.delete(*keys)
    for prefix in prefixes:
        await cache.delete_prefix(prefix)


_ASIDES: dict[int, CacheAside] = {}


def aside_of(cache: Cache) -> CacheAside:
    """Return how a cache is used: once for each cache, as long as that exists."""
    found = _ASIDES.get(id(cache))
    if found is None:
        found = _ASIDES[id(cache)] = CacheAside(cache)
        with suppress(TypeError):  # of a class with slots, which cannot be watched and so stays
            weakref.finalize(cache, _end, id(cache))
    return found


def _end(identity: int) -> None:
    aside = _ASIDES.pop(identity, None)
    for stop in aside.subscriptions.values() if aside is not None else ():
        stop()


def _reference(cache: Cache) -> Callable[[], Cache | None]:
    try:
        return weakref.ref(cache)
    except TypeError:  # a class with slots
        return lambda: cache
