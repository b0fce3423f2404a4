"""Whether a server can be reached, and what it says of itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pymongo
from pymongo import errors as pymongo_errors

from ..exceptions import MongoDBORMError
from ..types import Document
from .base import ServerInfo
from .errors import DRIVER_ERRORS, translate

_OWN_PART = 0.9  # of a health check's deadline: what ends before the caller's own can tell the reason


class Vitals:
    """The part of a driver that knows servers, not collections."""

    client: Any

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
