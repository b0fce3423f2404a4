"""The repository that reads through a cache."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from zlib import crc32

from ..codec import codec_of, decode
from ..compiler.filters import compile_filter
from ..connections import connections
from ..connections.units import in_transaction
from ..exceptions import ConfigurationError, CorruptDocumentError, InvalidValueError, UnknownFieldError
from ..expressions import Compare
from ..model import BaseModel
from ..schema import snapshot_of, spec_of
from ..timestamps import current_datetime
from .aside import CacheAside, aside_of
from .base import Repository
from .caches import Cache
from .invalidation import subscribe
from .keys import Keys, shape_of_model, stored_form, text_of
from .results import pack_result, unpack_result
from .watching import following

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

_JITTER = 0.1


class CachedRepository(Repository[M]):
    """A repository with further reads that look into a cache first, and that every write of the model keeps true.

    Whatever way a document of the collection is written in this process, through the repository, an object, in bulk or
    by query, what it makes stale is dropped, after the commit where there is a transaction. Inside a transaction
    the cache is neither read nor filled. What comes from the cache is what comes from the database, and saves as an
    update. A cache that fails makes reads slower, never wrong: they go to the database.

    Attributes:
        cache: The cache.
        namespace: What every key begins with, where several applications share a cache.
        record_ttl: The longest time that a record is cached, in seconds.
        list_ttl: The same for lists.
        count_ttl: The same for counts. Entries end up to a tenth earlier, each at its own time, so that they are not
            all read again at once.

    Example:
        >>> class UserRepository(CachedRepository[User]):
        ...     record_ttl = 600
        >>> users = UserRepository(cache=RedisCache(redis.asyncio.Redis()))
        >>> ann = await users.get_by_cached(email="ann@example.com")
    """

    __slots__ = ("cache",)  # outside `__dict__`, which `invalidate` shares while it sees another cache

    namespace: ClassVar[str] = ""
    record_ttl: ClassVar[float] = 300
    list_ttl: ClassVar[float] = 120
    count_ttl: ClassVar[float] = 60

    def __init__(self, model: type[M] | None = None, *, cache: Cache) -> None:
        """Make a repository that reads through a cache.

        Args:
            model: The model, where the class does not say it.
            cache: The cache, which repositories may share.

        Raises:
            ConfigurationError: When nobody says the model, or the cache is none.
        """
        super().__init__(model)
        missing = [verb for verb in ("get", "set", "delete", "delete_prefix") if not hasattr(cache, verb)]
        if missing:
            raise ConfigurationError(
                f"A {type(cache).__name__} is no cache: it lacks {', '.join(missing)}.",
                hint="Use MemoryCache(), RedisCache(client) or NullCache().",
            )
        self.cache: Cache = cache
        self.keys: Keys = Keys(self.model, self.namespace)
        self.aside: CacheAside = aside_of(cache)
        place = (type(self), self.model, self.namespace)
        if place not in self.aside.subscriptions:
            self.aside.subscriptions[place] = subscribe(self)

    async def get_by_id_cached(self, id: Any) -> M | None:  # noqa: A002 - the contract's name
        """Return the record of an id, or None; a record that is not there is not cached."""
        key = self.keys.record(self._id_field, self._stored(self._id_field, id))

        async def load() -> tuple[bytes | None, M | None]:
            record = await self.model.get_by_id(id)
            return (None if record is None else snapshot_of(record)), record

        def revive(raw: bytes | None) -> M | None:
            return None if raw is None else codec_of(self.model).load(raw)

        return await self._through(key, self.record_ttl, load, revive)

    async def get_by_cached(self, **field: Any) -> M | None:
        """Return the first record with a value in one field, or None.

        Args:
            field: The field and the value: `email="ann@example.com"`.

        Raises:
            InvalidValueError: When it is not one field.
            UnknownFieldError: When the model has no such field.
        """
        name, value = self._only(field)
        if name == self._id_field:
            return await self.get_by_id_cached(value)
        query = self.model.all().filter(Compare((name,), "eq", value))
        stored = self._stored(name, value)

        async def load() -> tuple[Any, Any]:
            found = await query.values_list(self._id_field, flat=True).first()
            return found, found

        key = self.keys.record(name, stored)
        id_ = await self._through(key, self.record_ttl, load, lambda found: found)
        record = None if id_ is None else await self.get_by_id_cached(id_)
        if id_ is None or (record is not None and self._has(record, name, stored)):
            return record
        await self.aside.drop([key])
        return await query.first()

    async def get_all_cached(self, skip: int = 0, limit: int = 100, **filters: Any) -> list[M]:
        """Return records in the order of their ids, as `get_all` does; an empty list is not cached."""
        query = self._query(None, filters).order_by(self._id_field).skip(skip).limit(limit)

        async def load() -> tuple[bytes, list[M]]:
            records = await query
            return b"".join(snapshot_of(record) or b"" for record in records), records

        key = self.keys.list(query.filter_document(), skip, limit)
        return await self._through(key, self.list_ttl, load, lambda raws: codec_of(self.model).load_chunk(raws))

    async def count_cached(self, **filters: Any) -> int:
        """Return how many records there are, as `count` does."""
        query = self._query(None, filters)

        async def load() -> tuple[int, int]:
            number = await query.count()
            return number, number

        return await self._through(
            self.keys.count(query.filter_document()), self.count_ttl, load, lambda number: int(number)
        )

    async def cached(self, key: str, load: Callable[[], Awaitable[T]], *, ttl: float | None = None) -> T:
        """Return what is cached under a key of your own, or what `load` reads, and cache that.

        It has what the other cached reads have: one load for each key at a time, a failing cache is passed over, and in
        a transaction the database is read.

        Args:
            key: The key. What begins with `self.keys.lists` is dropped by every write of the model; what begins with
                `self.keys.records` by your `invalidate`, and by every write that does not know its records.
            load: Reads from the database. A record of the model or a list of them comes back as that; anything else is
                a value that BSON holds, and comes in its types, the first time too. None and `[]` are not cached.
            ttl: The longest time in the cache, in seconds; `list_ttl` unless given.

        Raises:
            InvalidValueError: When a record is new, or loaded in parts.
            UnencodableValueError: When BSON cannot hold a value.

        Example:
            >>> async def search(self, text: str) -> list[User]:
            ...     key = f"{self.keys.lists}search:{text}"
            ...     return await self.cached(key, lambda: self.find(UserCriteria(name__icontains=text), limit=20))
        """

        async def read() -> tuple[bytes | None, Any]:
            result = await load()
            raw = pack_result(self.model, result)
            return raw, result if raw is None else unpack_result(self.model, raw)

        return await self._through(
            key, self.list_ttl if ttl is None else ttl, read, lambda raw: unpack_result(self.model, raw)
        )

    async def invalidate(self, record: M) -> None:
        """Drop keys of your own; override it. It is called with a record as it was and as it is after every write.

        A write by query does not know its records and drops every key that begins with `self.keys.records` instead:
        begin yours with that too. `self.cache` is here one that owes: what it cannot delete now, it deletes before it
        is read again. An error is logged, since the write is done. Where several repositories of a class share a cache,
        it is called once, with the attributes of the first of them.

        Args:
            record: The record as it was before the write, or as it is now.

        Example:
            >>> async def invalidate(self, record: User) -> None:
            ...     await self.cache.delete(f"{self.keys.records}profile:{record.id}")
        """

    async def _through(self, key: str, ttl: float, load: Callable[[], Any], revive: Callable[[Any], T]) -> T:
        if in_transaction():
            return (await load())[1]  # type: ignore[no-any-return]
        shape = shape_of_model(self.model) + connections.binding_of(self.model).database.encode()
        data = _opened(await self.aside.get(key), shape)
        if data is not None:
            try:
                return revive(data)
            except (CorruptDocumentError, TypeError, ValueError):  # not what was put there
                pass
        return await self.aside.load(key, load, revive, lambda data: _entry(data, shape, ttl), ttl)

    def watch_changes(self) -> AbstractAsyncContextManager[None]:
        """Follow the collection's changes while a block runs, and drop what they make stale.

        For writes that this process does not hear of: of other processes where each has a `MemoryCache`, and of other
        programs. A change shows here a moment after it happened. It needs a replica set.

        Raises:
            NotSupportedError: When the backend has no change streams.

        Example:
            >>> async with users.watch_changes():
            ...     await serve()
        """
        return following(self)

    @property
    def has_own_keys(self) -> bool:
        """Whether the class overrides `invalidate`."""
        return type(self).invalidate is not CachedRepository.invalidate

    def _stored(self, field: str, value: Any) -> Any:
        """Return a value in the form in which it is stored in a field."""
        spec = spec_of(self.model)
        compiled = compile_filter(spec, Compare((field,), "eq", value)).filter[spec.fields[field].stored]
        plain = compiled["$eq"] if isinstance(compiled, dict) and compiled.keys() == {"$eq"} else compiled
        return stored_form(plain, spec.name)

    def _has(self, record: M, field: str, stored: Any) -> bool:
        """Return whether a record has a value in a field, or in a list there."""
        spec = spec_of(self.model)
        found = decode(snapshot_of(record) or b"").get(spec.fields[field].stored)
        candidates = [found, *found] if isinstance(found, list) else [found]
        # Their texts tell documents apart that differ by the order of their keys.
        return any(one == stored and text_of(one, spec.name) == text_of(stored, spec.name) for one in candidates)

    def _only(self, field: dict[str, Any]) -> tuple[str, Any]:
        spec = spec_of(self.model)
        if len(field) != 1:
            raise InvalidValueError(
                f"get_by_cached takes one field, not {len(field)}.",
                hint="Use get() for more conditions, or a key of your own.",
                model=spec.name,
            )
        given, value = next(iter(field.items()))
        name = given if given in spec.fields else spec.names.get(given)
        if name is None:
            raise UnknownFieldError(spec.name, given, list(spec.fields))
        return name, value


def _entry(data: Any, shape: bytes, ttl: float) -> dict[str, Any]:
    # The cache is told the whole time; the entry itself ends a little earlier, each at its own time.
    early = timedelta(seconds=ttl * random.uniform(0, _JITTER))  # noqa: S311 - no secret
    until = current_datetime() + timedelta(seconds=ttl) - early
    return {"of": shape, "until": until, "data": data, "sum": _checksum(data)}


def _opened(entry: Any, shape: bytes) -> Any:
    """Return the data of an entry of that shape whose time is not over, else None."""
    if not isinstance(entry, dict) or entry.get("of") != shape:
        return None
    until, data = entry.get("until"), entry.get("data")
    is_whole = isinstance(until, datetime) and until > current_datetime() and entry.get("sum") == _checksum(data)
    return data if is_whole else None


def _checksum(data: Any) -> int:
    return crc32(data) if isinstance(data, bytes) else 0
