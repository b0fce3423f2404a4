"""Connecting when an application starts, closing when it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import ModuleType
from typing import Any

from starlette.applications import Starlette

from ...connections import DatabaseConfig, close_all_connections
from ...exceptions import ConnectionError, TimeoutError
from ...registration import register_all_models, register_models
from ...schema import MappedModel

Models = str | ModuleType | Sequence[type[MappedModel]]
Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]

logger: logging.Logger = logging.getLogger("mongodb_orm.integrations")

_PAUSE = 0.5


def lifespan(
    models: Models, config: DatabaseConfig | None = None, *, wait: float = 0.0, inner: Lifespan | None = None
) -> Lifespan:
    """Return a lifespan that registers models at the start and closes every connection at the end.

    Args:
        models: A package or module, its name, or a list of classes.
        config: Where the database is; default: from the environment.
        wait: Seconds to wait at the start for a database that does not answer yet; it matters for models that
            declare indexes, since nothing else is sent at the start.
        inner: A lifespan of your own, which runs while the models are connected.

    Raises:
        ConnectionError: At the start, when indexes have to be made and no server answers within `wait`.

    Example:
        >>> app = FastAPI(lifespan=lifespan("shop.models", DatabaseConfig()))
    """

    @asynccontextmanager
    async def live(app: Starlette) -> AsyncIterator[Any]:
        try:
            await _connect(models, config, wait)
            if inner is None:
                yield None
            else:
                async with inner(app) as state:
                    yield state
        finally:
            await close_all_connections()

    return live


async def _connect(models: Models, config: DatabaseConfig | None, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            if isinstance(models, str | ModuleType):
                await register_all_models(models, db_config=config)
            else:
                await register_models(*models, db_config=config)
        except (ConnectionError, TimeoutError) as error:
            if time.monotonic() + _PAUSE > deadline:
                raise
            logger.warning("The database does not answer yet: %s", error.problem)
            await asyncio.sleep(_PAUSE)
        else:
            return
