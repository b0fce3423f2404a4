"""Whether the database answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from ..drivers import Driver
from ..exceptions import MongoDBORMError
from ..timestamps import current_datetime
from ..types import HealthReport
from .config import DatabaseConfig
from .registry import connections, driver_of


async def health_check(
    client: Any = None,
    db_config: DatabaseConfig | None = None,
    timeout: float = 5.0,
) -> bool:
    """Return whether the database answers a ping in time; never raises because of a sick server.

    Args:
        client: A client of your own to check.
        db_config: The configuration to check; default: every registered one.
        timeout: Seconds to wait at most.

    Example:
        >>> await health_check(db_config=config, timeout=2)
        True
    """
    return (await health_report(client, db_config, timeout)).healthy


async def health_report(
    client: Any = None,
    db_config: DatabaseConfig | None = None,
    timeout: float = 5.0,
) -> HealthReport:
    """Return latency, version, topology and pool figures; the arguments are those of `health_check`.

    It uses the client that the models use, so that calling it every second opens nothing. With several registered
    configurations it reports the first that is not healthy.

    Example:
        >>> (await health_report()).topology
        'replica_set'
    """
    start = time.perf_counter()
    report = _failed("Nothing is configured.")
    try:
        async with asyncio.timeout(timeout):
            drivers = await _drivers(client, db_config)
    except TimeoutError:
        return _failed(f"No answer within {timeout:g} s.")
    except (MongoDBORMError, OSError) as error:
        return _failed(_reason(error))
    for driver in drivers:
        report = await _check(driver, max(0.001, timeout - (time.perf_counter() - start)))
        if not report.healthy:
            break
    return report


async def _drivers(client: Any, config: DatabaseConfig | None) -> Iterable[Driver]:
    if client is not None:
        return [driver_of(client)]
    if config is not None:
        return [await connections.driver_for(config)]
    found = connections.handed_over()
    configs = connections.configs() or ([] if found else [DatabaseConfig()])
    return [*found, *[await connections.driver_for(registered) for registered in configs]]


async def _check(driver: Driver, limit: float) -> HealthReport:
    start = time.perf_counter()
    try:
        async with asyncio.timeout(limit):
            await driver.ping(limit)
            latency = (time.perf_counter() - start) * 1000
            info = await driver.server_info(max(0.001, limit - latency / 1000))
    except TimeoutError:
        return _failed(f"No answer within {limit:.3g} s.")
    except (MongoDBORMError, OSError) as error:
        return _failed(_reason(error))
    return HealthReport(True, round(latency, 3), info.version, info.topology, info.pool, None, current_datetime())


def _reason(error: BaseException) -> str:
    return error.problem if isinstance(error, MongoDBORMError) else type(error).__name__


def _failed(reason: str) -> HealthReport:
    return HealthReport(False, None, None, "unknown", {}, reason, current_datetime())
