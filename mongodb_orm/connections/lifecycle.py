"""Closing what is open."""

from __future__ import annotations

import asyncio
import logging

from ..exceptions import MongoDBORMError
from .registry import connections

logger = logging.getLogger("mongodb_orm.connections")

_OTHER_LOOP_TIMEOUT = 5.0


async def close_all_connections() -> None:
    """Close every client that was opened for a model; safe at any time, any number of times, concurrently.

    Models stay registered: the next operation opens a client again. Clients that were handed over stay open. A client
    of another running loop is closed on that loop.

    Example:
        >>> await close_all_connections()
    """
    here = asyncio.get_running_loop()
    for opened in connections.take():
        try:
            if opened.loop is here or opened.driver.name != "pymongo":
                await opened.driver.close()
            else:
                closing = asyncio.run_coroutine_threadsafe(opened.driver.close(), opened.loop)
                await asyncio.wait_for(asyncio.wrap_future(closing), _OTHER_LOOP_TIMEOUT)
        except (TimeoutError, MongoDBORMError, OSError, RuntimeError) as error:
            # One client that cannot be closed must not keep the others open.
            logger.warning("A client could not be closed: %s", error)
