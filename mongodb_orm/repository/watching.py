"""Invalidation by a change stream: what other processes and other programs write is dropped here too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from ..commands import RunCommand, Watch
from ..exceptions import MongoDBORMError, NotSupportedError
from ..executor import run, watch
from .invalidation import Subscriber, drop_all, drop_changed

logger: logging.Logger = logging.getLogger("mongodb_orm.cache")

_LONGEST_WAIT_MS = 1000
_PAUSE = 1.0


@asynccontextmanager
async def following(repository: Subscriber) -> AsyncIterator[None]:
    """Follow the changes of the repository's collection while the block runs.

    Raises:
        NotSupportedError: When the backend has no change streams.
    """
    start = await _server_time(repository)
    await drop_all(repository)  # what changed before the stream begins
    task = asyncio.create_task(_follow(repository, start))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _follow(repository: Subscriber, start: Any) -> None:
    while True:
        try:
            command = Watch(full_document="updateLookup", start_at=start, max_time_ms=_LONGEST_WAIT_MS)
            async for change in watch(repository.model, command):
                await drop_changed(repository, change)
                if change["operationType"] == "invalidate":  # the stream ends with its collection
                    break
        except MongoDBORMError as error:
            logger.warning("A change stream was lost (%s); everything cached is dropped, and it begins anew.", error)
            await asyncio.sleep(_PAUSE)
        with suppress(MongoDBORMError):  # the server is not back yet; the next attempt tells
            start = await _server_time(repository)
        await drop_all(repository)


async def _server_time(repository: Subscriber) -> Any:
    answer = await run(repository.model, RunCommand(command={"ping": 1}), ambient=False)
    if "operationTime" not in answer:
        raise NotSupportedError(
            "A standalone server has no change streams.",
            hint="Use a replica set; embedded:// is one.",
            feature="change_streams",
            backends=("mongodb:// with a replica set", "embedded://"),
        )
    return answer["operationTime"]
