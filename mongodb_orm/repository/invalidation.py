"""Invalidation: what a write of a model makes stale in a cache."""

from __future__ import annotations

import copy
import logging
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from ..codec import codec_of, decode, encode
from ..exceptions import CorruptDocumentError
from ..model import BaseModel
from ..persistence.notices import Written, observe
from ..schema import spec_of
from .aside import CacheAside
from .keys import Keys

logger: logging.Logger = logging.getLogger("mongodb_orm.cache")


class Subscriber(Protocol):
    """A repository whose cache is to be kept true."""

    model: Any
    cache: Any
    keys: Keys
    aside: CacheAside

    @property
    def has_own_keys(self) -> bool:
        """Whether `invalidate` does anything."""
        ...

    async def invalidate(self, record: Any) -> None:
        """Drop further keys of a record."""
        ...


def subscribe(repository: Subscriber) -> Callable[[], None]:
    """Let every write of the repository's collection drop what it makes stale, by whatever model it is written.

    Returns:
        A function that ends it.
    """
    # The subscription must not keep the cache alive, whose end is its own.
    cache = repository.cache
    with suppress(TypeError):  # of a class with slots
        cache = weakref.proxy(cache)
    own = _with_cache(repository, cache)
    collection = spec_of(repository.model).collection

    async def hear(written: Written) -> None:
        if spec_of(written.model).collection == collection:
            await drop_stale(own, written)

    return observe(BaseModel, hear)


class _OwingCache:
    """The cache as `invalidate` sees it: what cannot be deleted now is later, and loads under way are not kept."""

    def __init__(self, aside: CacheAside, cache: Any) -> None:
        self._aside = aside
        self._cache = cache

    async def delete(self, *keys: str) -> None:
        await self._aside.drop(keys)

    async def delete_prefix(self, prefix: str) -> None:
        await self._aside.drop((), [prefix])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)


async def drop_stale(repository: Subscriber, written: Written) -> None:
    """Drop what a write made stale: lists and counts, and the keys of old and new values.

    A record is cached under its id alone; under other values there is its id, which is proved on reading. So an object
    that was loaded long ago, and does not know what others wrote since, leaves nothing stale. Where it is not known
    which documents a query wrote, or what they were before, every record is dropped.
    """
    keys = repository.keys
    raws = [raw for raw in (*written.old, *written.new) if raw]
    found = {key for raw in raws for key in keys.of_record(decode(raw))}
    is_known = len(written.ids) == written.matched
    if written.is_by_query:
        has_both = written.kind != "update" or len(written.old) == len(written.new)
        is_known = is_known and written.is_certain and has_both
    await repository.aside.drop(found, [keys.lists] if is_known else [keys.lists, keys.records])
    for raw in dict.fromkeys(raws) if repository.has_own_keys else ():
        await _invalidate(repository, raw)


async def drop_changed(repository: Subscriber, change: Mapping[str, Any]) -> None:
    """Drop what a change makes stale that a change stream told of; what the document was before is not known."""
    keys, spec = repository.keys, spec_of(repository.model)
    if "documentKey" not in change:  # the collection was dropped or renamed
        await drop_all(repository)
        return
    found = {keys.record(spec.id_field, change["documentKey"]["_id"])}
    document = change.get("fullDocument")
    if document is not None:
        found |= keys.of_record(document)
    await repository.aside.drop(found, [keys.lists])
    if document is not None and repository.has_own_keys:
        await _invalidate(repository, encode(document, model=spec.name))


async def drop_all(repository: Subscriber) -> None:
    """Drop every record, list and count."""
    await repository.aside.drop((), [repository.keys.lists, repository.keys.records])


async def _invalidate(repository: Subscriber, raw: bytes) -> None:
    try:
        record = codec_of(repository.model).load(raw)
    except CorruptDocumentError as error:  # of a class that shares the collection, or of an older shape
        logger.debug("No record for invalidate(): %s", error)
    else:
        own = _with_cache(repository, _OwingCache(repository.aside, repository.cache))
        await repository.aside.attempt(lambda: own.invalidate(record))


def _with_cache(repository: Subscriber, cache: Any) -> Subscriber:
    """Return the repository with another cache and the same attributes, those too that it is given later."""
    own = copy.copy(repository)
    own.__dict__ = repository.__dict__
    own.cache = cache
    return own
