"""The driver on Motor."""

from __future__ import annotations

from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient

from ..commands import Aggregate
from ..types import Target
from .arguments import transaction_arguments
from .base import TransactionOptions
from .errors import translated
from .pymongo_async import PyMongoDriver


class MotorDriver(PyMongoDriver):
    """Runs commands on an `AsyncIOMotorClient`."""

    name = "motor"

    @classmethod
    def _client(cls, uri: str, options: dict[str, Any]) -> Any:
        return AsyncIOMotorClient(uri, **options)

    async def start_session(self, *, causal: bool) -> Any:
        """Begin a session."""
        with translated():
            return await self.client.start_session(causal_consistency=causal)

    async def start_transaction(self, session: Any, options: TransactionOptions) -> None:
        """Begin a transaction in a session; Motor does it at once."""
        with translated():
            session.start_transaction(**transaction_arguments(options))

    async def close(self) -> None:
        """Close the client; Motor does it from any loop, at once."""
        self.client.close()

    def _native_client(self) -> Any:
        return self.client.delegate

    async def _aggregate(self, target: Target, command: Aggregate, session: Any) -> Any:
        return self._reading(target, command).aggregate_raw_batches(
            list(command.pipeline), **self._aggregate_arguments(command, session)
        )

    async def _open_stream(self, collection: Any, pipeline: list[Any], options: dict[str, Any]) -> Any:
        return collection.watch(pipeline, **options)

    async def _index_cursor(self, target: Target) -> Any:
        return self._collection(target).list_indexes()
