"""Whether a server can be reached, and what it says of itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pymongo
from pymongo import errors as pymongo_errors
from pymongo.errors import OperationFailure

from ..exceptions import MongoDBORMError
from ..types import Document
from .base import ServerInfo
from .errors import DRIVER_ERRORS, translate, translated

_OWN_PART = 0.9  # of a health check's deadline: what ends before the caller's own can tell the reason
_MONGODB_8 = 25  # its wire version
_INVALID_LENGTH = 16


class Vitals:
    """The part of a driver that knows servers, not collections."""

    client: Any
    _takes_bulk_write: bool | None = None

    async def ping(self, timeout: float) -> None:
        """Ask for a sign of life; the driver's own deadline ends threads and sockets, not only the wait."""
        await self._admin({"ping": 1}, timeout)

    async def server_info(self, timeout: float) -> ServerInfo:
        """Ask for version and topology."""
        hello = await self._admin({"hello": 1}, timeout)
        build = await self._admin({"buildInfo": 1}, timeout)
        topology = "replica_set" if "setName" in hello else "standalone"
        if hello.get("msg") == "isdbgrid":
            topology = "sharded"
        options = self._client_options().pool_options
        return ServerInfo(
            str(build["version"]),
            topology,
            {"max_size": options.max_pool_size or 0, "min_size": options.min_pool_size, **self._pool_use()},
        )

    async def writes_across(self) -> bool:
        """Return whether one command may write to several collections, which MongoDB 8.0 and later have.

        PyMongo offers it neither to clients that encrypt nor to ordered writes that nobody acknowledges.
        """
        if self._client_options().auto_encryption_opts or not self._native_client().write_concern.acknowledged:
            return False
        with translated():
            if not self._topology().has_known_servers:
                await self._find_server()
            if (self._topology().common_wire_version or 0) < _MONGODB_8:
                return False
            if self._takes_bulk_write is None:
                self._takes_bulk_write = await self._knows_bulk_write()
            return self._takes_bulk_write

    async def _knows_bulk_write(self) -> bool:
        """Ask, once, with a command that holds no writes.

        A server in the midst of an upgrade has MongoDB 8's wire version and refuses its commands, as long as its
        `featureCompatibilityVersion` is lower; so do services that only resemble MongoDB.
        """
        try:
            await self.client.admin.command({"bulkWrite": 1, "ops": [], "nsInfo": []})
        except OperationFailure as error:
            return error.code == _INVALID_LENGTH
        return False

    async def _find_server(self) -> None:
        """Wait for a server no longer than the configuration says.

        With an operation's deadline set, PyMongo lets server selection use all of it and passes over
        `serverSelectionTimeoutMS` (`get_server_selection_timeout` in its `topology_shared`).
        """
        with pymongo.timeout(self._client_options().server_selection_timeout):
            await self.client.admin.command("ping")

    def _native_client(self) -> Any:
        return self.client

    def _topology(self) -> Any:
        return self._native_client().topology_description

    def _client_options(self) -> Any:
        return self._native_client().options

    def _pool_use(self) -> dict[str, int]:
        """Count connections; PyMongo tells of them only by events, which would cost every operation."""
        servers = getattr(getattr(self._native_client(), "_topology", None), "_servers", {})
        pools = [server.pool for server in servers.values()]
        return {
            "in_use": sum(getattr(pool, "active_sockets", 0) for pool in pools),
            "idle": sum(len(getattr(pool, "conns", ())) for pool in pools),
        }

    async def _admin(self, command: dict[str, Any], timeout: float) -> Document:
        try:
            with pymongo.timeout(timeout * _OWN_PART):
                answer: Document = await asyncio.wait_for(self.client.admin.command(command), timeout * _OWN_PART)
                return answer
        except TimeoutError as error:
            raise self._unanswered() from error
        except DRIVER_ERRORS as error:
            raise translate(error) from error
        except RuntimeError as error:
            if "event loop" not in str(error):
                raise
            raise translate(error) from error

    def _unanswered(self) -> MongoDBORMError:
        """Return the error for a server that did not answer, with what was found out about it meanwhile."""
        found = [server.error for server in self._topology().server_descriptions().values() if server.error]
        if found:
            return translate(pymongo_errors.ServerSelectionTimeoutError("; ".join(map(str, found))))
        return translate(pymongo_errors.NetworkTimeout("timed out"))
