"""A server that dies and comes back at the same address, while a program goes on."""

from __future__ import annotations

import asyncio
from typing import Any

from mongodb_orm import (
    BaseModel,
    ConnectionError,
    DatabaseConfig,
    TimeoutError,
    close_all_connections,
    health_check,
    register_model,
)


class Item(BaseModel):
    name: str = "x"


async def test_the_same_client_goes_on_when_the_server_is_back(standalone: Any, driver: str) -> None:
    server = await asyncio.to_thread(standalone)
    config = DatabaseConfig(server.uri, driver=driver, server_selection_timeout_ms=500, timeout_ms=5000)
    await register_model(Item, config)
    stored, unsure, is_over = [], 0, False

    async def work() -> None:
        nonlocal unsure
        while not is_over:
            try:
                stored.append((await Item.create()).id)
            except (ConnectionError, TimeoutError):
                unsure += 1
                await asyncio.sleep(0.01)

    workers = [asyncio.create_task(work()) for _ in range(5)]
    while len(stored) < 50:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(server.kill)
    while not unsure:
        await asyncio.sleep(0.01)
    assert not await health_check(db_config=config, timeout=1)
    await asyncio.to_thread(server.start)
    before = len(stored)
    while len(stored) < before + 50:
        await asyncio.sleep(0.01)
    is_over = True
    await asyncio.gather(*workers)
    assert await health_check(db_config=config)
    assert len(stored) == len(set(stored)), "no id was handed out twice"
    found = {item.id async for item in Item.all()}
    assert set(stored) <= found, "nothing that was acknowledged is lost"
    assert len(found) <= len(stored) + unsure, "nothing was stored twice"
    await close_all_connections()
