"""Fixtures: one embedded server per run, a database of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pymongo
import pytest

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
