"""Ids for new documents."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from ..codec import decode
from ..commands import Find, FindAndUpdate, Update
from ..exceptions import DocumentError, DuplicateDocumentError
from ..executor import connection_for, run, stream
from ..ids import AssignedId, CounterId, FactoryId
from ..schema import MappedModel, spec_of

COUNTERS = "counters"
"""The collection that holds the last id of each collection with auto-increment ids."""

_RACES = 5


class _Block:
    """Integers that are reserved on the server and not yet handed out."""

    __slots__ = ("end", "floor", "lock", "next", "size")

    def __init__(self) -> None:
        self.next = 0
        self.end = 0
        self.size = 1
        self.floor = 0
        self.lock = asyncio.Lock()


_BLOCKS: WeakKeyDictionary[Any, dict[tuple[str, str], _Block]] = WeakKeyDictionary()


async def new_ids(model: type[MappedModel], count: int) -> list[Any]:
    """Return ids for `count` new documents; at most one trip however many they are.

    Counters are kept outside of transactions: a number is never handed out twice, so an abort leaves a gap.

    Raises:
        DocumentError: When the model's ids are given by the caller.
    """
    spec = spec_of(model)
    strategy = spec.id_strategy
    if isinstance(strategy, FactoryId):
        return [strategy.factory() for _ in range(count)]
    if isinstance(strategy, AssignedId):
        raise DocumentError(
            f"{spec.name}.{spec.id_field} is not generated, so every new document needs one.",
            hint=f"Pass {spec.id_field}=..., or set Meta.use_auto_id or Meta.id_factory.",
            model=spec.name,
        )
    block = await _block_of(model)
    if count == 1 and block.next < block.end:
        block.next += 1
        return [block.next - 1]
    async with block.lock:
        left = list(range(block.next, min(block.end, block.next + count)))
        block.next += len(left)
        missing = count - len(left)
        if not missing:
            return left
        wanted = max(missing, block.size)
        first = await _reserve(model, block, wanted)
        block.next, block.end = first + missing, first + wanted
        if count == 1:
            block.size = min(block.size * 2, strategy.max_block)
        return left + list(range(first, first + missing))


async def note_given_id(model: type[MappedModel], given: Any) -> None:
    """Keep the counter ahead of an id that the caller chose."""
    if isinstance(spec_of(model).id_strategy, CounterId) and isinstance(given, int):
        block = await _block_of(model)
        block.floor = max(block.floor, given)
        if block.next <= given:
            block.next = block.end = 0


def forget_reserved_ids() -> None:
    """Forget which ids were reserved, for tests that empty the counters."""
    _BLOCKS.clear()


async def _block_of(model: type[MappedModel]) -> _Block:
    connection = await connection_for(model)
    blocks = _BLOCKS.get(connection.driver)
    if blocks is None:
        blocks = _BLOCKS[connection.driver] = {}
    key = (connection.database, spec_of(model).collection)
    block = blocks.get(key)
    if block is None:
        block = blocks[key] = _Block()
    return block


async def _reserve(model: type[MappedModel], block: _Block, count: int) -> int:
    """Reserve integers on the server and return the first.

    A counter that is new, or behind what this process has seen, is first moved past the ids that exist: the
    collection may have been filled by other means, or the counter dropped.
    """
    last = await _increment(model, count)
    first = last - count + 1
    if first == 1 or first <= block.floor:
        highest = max(block.floor, await _highest_id(model) if first == 1 else 0)
        if highest >= first:
            await _raise_to(model, highest)
            last = await _increment(model, count)
            first = last - count + 1
    block.floor = last
    return first


async def _increment(model: type[MappedModel], count: int) -> int:
    command = FindAndUpdate(
        filter={"_id": spec_of(model).collection}, update={"$inc": {"last": count}}, upsert=True, return_new=True
    )
    for _ in range(_RACES):
        try:
            raw = await run(model, command, collection=COUNTERS, ambient=False)
        except DuplicateDocumentError:  # another process made the counter in the same moment
            continue
        return int(decode(raw or b"")["last"])
    raise DocumentError(f"The id counter of {spec_of(model).name} is contended.", model=spec_of(model).name)


async def _raise_to(model: type[MappedModel], value: int) -> None:
    command = Update(filter={"_id": spec_of(model).collection}, update={"$max": {"last": value}}, upsert=True)
    await run(model, command, collection=COUNTERS, ambient=False)


async def _highest_id(model: type[MappedModel]) -> int:
    command = Find(filter={"_id": {"$gte": 0}}, projection={"_id": 1}, sort=(("_id", -1),), limit=1)
    async for chunk in stream(model, command, ambient=False):
        return int(decode(chunk)["_id"])
    return 0
