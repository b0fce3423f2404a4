"""A server that dies and comes back at the same address, while a program goes on."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pymongo
import pytest

from mongodb_orm import (
    BaseModel,
    ConnectionError,
    DatabaseConfig,
    TimeoutError,
    close_all_connections,
    health_check,
    register_model,
)
from mongodb_orm.connections.embedded import find_mongod


class Item(BaseModel):
    name: str = "x"


class Server:
    """A standalone `mongod` at an address of its own."""

    def __init__(self, path: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # A standalone acknowledges before the journal has it, unless asked.
        self.uri = f"mongodb://127.0.0.1:{self.port}/?journal=true"
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [find_mongod(), "--dbpath", self._path, "--port", str(self.port), "--bind_ip", "127.0.0.1"]
        self._process = subprocess.Popen([*command, "--nounixsocket"], stdout=subprocess.DEVNULL)
        with pymongo.MongoClient(self.uri, serverSelectionTimeoutMS=30_000) as client:
            client.admin.command("ping")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path)
    await asyncio.to_thread(server.start)
    yield server
    await close_all_connections()
    server.kill()


async def test_the_same_client_goes_on_when_the_server_is_back(server: Server, driver: str) -> None:
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
