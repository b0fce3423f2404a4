"""Who is connected to what: one client per configuration, event loop and process."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from ..drivers import Driver, driver_class
from ..drivers.recording import RecordingDriver
from ..exceptions import ConfigurationError, ModelNotInitializedError, MongoDBORMError, RegistrationError
from ..schema import MappedModel, family_of, spec_of
from .config import DatabaseConfig
from .embedded import embedded_uri

logger: logging.Logger = logging.getLogger("mongodb_orm.connections")

_OTHER_LOOP_TIMEOUT = 5.0

_CLIENTS = (
    ("mongomock_motor", "AsyncMongoMockClient", "memory"),
    ("motor.motor_asyncio", "AsyncIOMotorClient", "motor"),
    ("pymongo", "AsyncMongoClient", "pymongo"),
)
"""Where each kind of client lives; a module that is not loaded cannot have made one.

The mock stands first, since it passes for a Motor client.
"""


class Connection(NamedTuple):
    """A driver and the database to use on it."""

    driver: Driver
    database: str


class Binding(NamedTuple):
    """What a model was registered with: a configuration, or a driver on somebody else's client."""

    config: DatabaseConfig
    handed_over: Driver | None
    database: str


class _Opened(NamedTuple):
    driver: Driver
    loop: asyncio.AbstractEventLoop


class ConnectionManager:
    """Keeps the bindings of models and the clients that are open.

    A client is opened on first use, on the loop that uses it. Clients of a loop that is closed are dropped, and so
    are those that a forked child inherits.
    """

    def __init__(self) -> None:
        # Strong: Pydantic forgets a parametrised generic class that nobody holds.
        self._bindings: dict[type[MappedModel], Binding] = {}
        # One object for equal configurations, kept for good: clients are found by its identity, beside every trip.
        self._configs: dict[DatabaseConfig, DatabaseConfig] = {}
        self._open: dict[tuple[int, int, int], _Opened] = {}
        self._stores: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._opening: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def bind(
        self,
        model: type[MappedModel],
        *,
        config: DatabaseConfig | None = None,
        client: Any = None,
        database_name: str | None = None,
    ) -> None:
        """Remember where a model lives; subclasses with a collection of their own are not affected.

        Raises:
            ConfigurationError: When `client` is no client.
        """
        used = self._canonical(config if config is not None else DatabaseConfig())
        driver = None if client is None else driver_of(client)
        self._bindings[model] = Binding(used, driver, database_name or used.database_name)

    def is_bound(self, model: type[MappedModel]) -> bool:
        """Return whether a model was registered itself."""
        return model in self._bindings

    def models(self) -> list[type[MappedModel]]:
        """Return the models that were registered."""
        return list(self._bindings)

    def bindings(self) -> Mapping[type[MappedModel], Binding]:
        """Return what every model was registered with, as it is now."""
        return dict(self._bindings)

    def restore(self, bindings: Mapping[type[MappedModel], Binding]) -> None:
        """Register every model with what it had when `bindings` was taken, and no other."""
        self._bindings = dict(bindings)

    def has_bindings(self) -> bool:
        """Return whether any model was registered."""
        return bool(self._bindings)

    def model_named(self, name: str, collection: str) -> type[MappedModel] | None:
        """Return the registered model of that name and collection, or None."""
        return next(
            (model for model in self._bindings if model.__name__ == name and spec_of(model).collection == collection),
            None,
        )

    def binding_of(self, model: type[MappedModel]) -> Binding:
        """Return what a model was registered with.

        Raises:
            ModelNotInitializedError: When it was not.
        """
        binding = self._bindings.get(model)
        return self._family_binding(model) if binding is None else binding

    def configs(self) -> list[DatabaseConfig]:
        """Return the configurations in use, each once."""
        return list(dict.fromkeys(b.config for b in self._bindings.values() if b.handed_over is None))

    def handed_over(self) -> list[Driver]:
        """Return the drivers on clients that were handed over."""
        return list({id(b.handed_over): b.handed_over for b in self._bindings.values() if b.handed_over}.values())

    async def connection_for(self, model: type[MappedModel]) -> Connection:
        """Return the connection of a model on the running loop, opening it when it is the first."""
        connection = self.open_connection_of(model)
        if connection is not None:
            return connection
        binding = self.binding_of(model)
        return Connection(await self.driver_for(binding.config), binding.database)

    def open_connection_of(self, model: type[MappedModel]) -> Connection | None:
        """Return the connection of a model on the running loop if it is open, without the cost of a coroutine."""
        binding = self._bindings.get(model)
        if binding is None:
            binding = self._family_binding(model)
        if binding.handed_over is not None:
            return Connection(binding.handed_over, binding.database)
        opened = self._open.get((id(binding.config), id(asyncio.get_running_loop()), os.getpid()))
        return None if opened is None else Connection(opened.driver, binding.database)

    async def driver_for(self, config: DatabaseConfig) -> Driver:
        """Return the driver for a configuration on the running loop, opening it when it is the first."""
        loop = asyncio.get_running_loop()
        config = self._canonical(config)
        key = (id(config), id(loop), os.getpid())
        with self._lock:
            lock = self._opening.setdefault(loop, asyncio.Lock())
        async with lock:
            await self._close_dead()
            opened = self._open.get(key)
            if opened is None or opened.loop is not loop:
                driver = await self._opened(config)
                opened = _Opened(driver, loop)
                with self._lock:
                    self._open[key] = opened
            return opened.driver

    def take(self, loop: asyncio.AbstractEventLoop | None = None) -> list[_Opened]:
        """Remove and return the open clients of a loop, or of all loops."""
        with self._lock:
            keys = [key for key, opened in self._open.items() if loop is None or opened.loop is loop]
            return [self._open.pop(key) for key in keys]

    def _family_binding(self, model: type[MappedModel]) -> Binding:
        """Return the binding of the nearest parent in the same collection: an object that it read can be saved."""
        if not (isinstance(model, type) and issubclass(model, MappedModel)):
            raise RegistrationError(f"{model!r} is not a model class.", hint="Derive it from mongodb_orm.BaseModel.")
        family = family_of(model)
        for parent in model.__mro__[1:] if family is not None else ():
            if parent in self._bindings and family_of(parent) is family:
                return self._bindings[parent]
        raise ModelNotInitializedError(model.__name__)

    def _canonical(self, config: DatabaseConfig) -> DatabaseConfig:
        if not isinstance(config, DatabaseConfig):
            raise ConfigurationError("db_config must be a DatabaseConfig.", hint="Pass a client as client=....")
        return self._configs.setdefault(config, config)

    async def _opened(self, config: DatabaseConfig) -> Driver:
        if config.backend == "memory":
            return self._memory(config)
        uri = await embedded_uri(config.mongo_uri) if config.backend == "embedded" else config.mongo_uri
        driver: Driver = driver_class(config.driver).open(uri, config.client_options())
        return driver

    def _memory(self, config: DatabaseConfig) -> Driver:
        with self._lock:
            if config.mongo_uri not in self._stores:
                self._stores[config.mongo_uri] = driver_class("memory").open(config.mongo_uri, {})
            driver: Driver = self._stores[config.mongo_uri]
            return driver

    async def _close_dead(self) -> None:
        """Forget clients of closed loops and of a parent process; a parent's sockets are not ours to close."""
        with self._lock:
            pid = os.getpid()
            dead = [key for key, opened in self._open.items() if key[2] != pid or opened.loop.is_closed()]
            gone = [(key[2], self._open.pop(key)) for key in dead]
        for owner, opened in gone:
            if owner == pid:
                await close_driver(opened)


async def close_driver(opened: _Opened) -> None:
    """Close a client from the running loop, also when it belongs to another one."""
    here = asyncio.get_running_loop()
    is_bound = opened.driver.name == "pymongo"
    if is_bound and opened.loop.is_closed():
        return  # nothing can be awaited on it any more; its sockets are closed as it is collected
    try:
        if opened.loop is here or not is_bound:
            await opened.driver.close()
        else:
            closing = asyncio.run_coroutine_threadsafe(opened.driver.close(), opened.loop)
            await asyncio.wait_for(asyncio.wrap_future(closing), _OTHER_LOOP_TIMEOUT)
    except (TimeoutError, MongoDBORMError, OSError, RuntimeError) as error:
        # One client that cannot be closed must not keep others open, or hinder the next one.
        logger.warning("A client could not be closed: %s", error)


def driver_of(client: Any) -> Driver:
    """Return a driver on a client that somebody else made.

    Every attribute of a Motor client is a database, so it is known by its class and never by what it can do.

    Raises:
        ConfigurationError: When it is no client.
    """
    if isinstance(client, RecordingDriver):
        return client
    for module_name, class_name, driver_name in _CLIENTS:
        module = sys.modules.get(module_name)
        known = getattr(module, class_name, None) if module is not None else None
        if isinstance(known, type) and isinstance(client, known):
            driver: Driver = driver_class(driver_name)(client)
            return driver
    raise ConfigurationError(
        f"A {type(client).__module__}.{type(client).__name__} is no async MongoDB client.",
        hint="Pass an AsyncIOMotorClient, an AsyncMongoClient or an AsyncMongoMockClient.",
    )


connections: ConnectionManager = ConnectionManager()
"""The registry of this process."""
