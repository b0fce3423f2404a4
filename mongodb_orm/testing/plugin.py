"""The pytest plugin: a real server for the run, a clean database for each test."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pymongo
import pytest

from ..connections import DatabaseConfig, close_driver, connections, start_embedded
from ..indexes import ensure_indexes
from ..model import BaseModel
from ..persistence.identifiers import forget_reserved_ids
from ..registration import register_all_models
from ..schema import MappedModel, is_abstract, spec_of
from .rollback import rolled_back
from .sharing import ServerOffice, ask_for_server

try:
    import pytest_asyncio
except ImportError:  # the fixture `mongo` is for async tests; without the plugin for them there are none
    pytest_asyncio = None  # type: ignore[assignment]

_ADDRESS = "mongodb_orm_server"
_OFFICE = pytest.StashKey[ServerOffice]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings `mongodb_orm_models` and `mongodb_orm_uri`."""
    parser.addini("mongodb_orm_models", "Modules whose models the fixture `mongo` connects.", "linelist", [])
    parser.addini("mongodb_orm_uri", "The server for tests; default: embedded://.", "string", "")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where to ask for the server that all workers share."""
    office = node.config.stash.get(_OFFICE, None)
    if office is None:
        office = node.config.stash[_OFFICE] = ServerOffice(lambda: _uri(node.config))
    node.workerinput[_ADDRESS] = office.address


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the sharing; the server ends with the program."""
    office = config.stash.get(_OFFICE, None)
    if office is not None:
        office.close()


def _uri(config: pytest.Config) -> str:
    uri = os.environ.get("MONGODB_ORM_TEST_URI") or str(config.getini("mongodb_orm_uri")) or "embedded://"
    if uri.startswith("embedded:"):
        return start_embedded("embedded://?name=pytest&set_parameter=enableTestCommands=1").uri
    return uri


@pytest.fixture(scope="session")
def mongo_server(request: pytest.FixtureRequest) -> str:
    """The URI of the server for tests: one for the run, workers of pytest-xdist included."""
    address = getattr(request.config, "workerinput", {}).get(_ADDRESS)
    return _uri(request.config) if address is None else ask_for_server(address)


class _Database:
    """The database of one run, or of one worker of it."""

    def __init__(self, uri: str) -> None:
        self.config = DatabaseConfig(mongo_uri=uri, database_name=f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}")
        self.indexed: set[type[MappedModel]] = set()
        self._client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(uri)
        self._database = self._client[self.config.database_name]

    def clean(self) -> None:
        """Remove every document; collections and indexes stay, which is faster than making them anew."""
        for found in self._database.list_collections(filter={"type": "collection"}):
            if not found["name"].startswith("system."):
                self._database[found["name"]].delete_many({})

    def drop(self) -> None:
        self._client.drop_database(self.config.database_name)
        self._client.close()


@pytest.fixture(scope="session")
def _mongo_database(mongo_server: str) -> Iterator[_Database]:
    database = _Database(mongo_server)
    yield database
    database.drop()


async def _connected(request: pytest.FixtureRequest, database: _Database) -> None:
    modules = request.config.getini("mongodb_orm_models")
    for module in modules:
        await register_all_models(
            module, db_config=database.config, database_name=database.config.database_name, create_indexes=False
        )
    models = list(connections.models()) if modules else _concrete(BaseModel)
    for model in models:
        connections.bind(model, config=database.config, database_name=database.config.database_name)
        spec = spec_of(model)
        if model not in database.indexed and spec.indexes and spec.settings.auto_create_indexes:
            await ensure_indexes(model)
        database.indexed.add(model)


def _concrete(base: type[MappedModel]) -> list[type[MappedModel]]:
    """Return every model class that is loaded and not abstract."""
    found = []
    for model in base.__subclasses__():
        if not is_abstract(model):
            found.append(model)
        found += _concrete(model)
    return found


@asynccontextmanager
async def _connection(request: pytest.FixtureRequest, database: _Database) -> AsyncIterator[None]:
    """Connect the models for the block, then close what was opened and put back what was registered before."""
    bindings = connections.bindings()
    await _connected(request, database)
    try:
        yield
    finally:
        for opened in connections.take(asyncio.get_running_loop()):
            await close_driver(opened)
        connections.restore(bindings)
        forget_reserved_ids()


if pytest_asyncio is not None:

    @pytest_asyncio.fixture
    async def mongo(request: pytest.FixtureRequest, _mongo_database: _Database) -> AsyncIterator[DatabaseConfig]:
        """An empty database on a real server, with the models connected to it.

        The models are those of the modules that the setting `mongodb_orm_models` names; without it, every model class
        that is loaded. The value is the configuration.

        Example:
            >>> async def test_sign_up(mongo):
            ...     assert (await User.create(username="ann")).id == 1
        """
        async with _connection(request, _mongo_database):
            yield _mongo_database.config
        _mongo_database.clean()

    @pytest_asyncio.fixture
    async def mongo_transaction(
        request: pytest.FixtureRequest, _mongo_database: _Database
    ) -> AsyncIterator[DatabaseConfig]:
        """A database on a real server, with the test inside a transaction that is rolled back at its end.

        Nothing is ever stored, so nothing has to be cleaned. As in any transaction, the first error of the server ends
        it, and operations run one after the other; a test of either needs `mongo`.

        Example:
            >>> async def test_sign_up(mongo_transaction):
            ...     await sign_up("ann")
            ...     assert await User.exists(username="ann")
        """
        async with _connection(request, _mongo_database), rolled_back():
            yield _mongo_database.config
