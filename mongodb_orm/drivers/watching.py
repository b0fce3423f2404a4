"""Change streams: what happens in a collection, as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ..codec import CODEC_OPTIONS
from ..commands import Watch
from ..types import Document, Target
from .arguments import given
from .cancelling import obey_cancellation
from .errors import translated


class Watching:
    """The part of a driver that follows the changes of a collection; PyMongo resumes after a lost connection."""

    client: Any

    async def watch(self, target: Target, command: Watch) -> AsyncIterator[Document]:
        """Yield the change events of a collection (https://www.mongodb.com/docs/manual/reference/change-events/)."""
        collection = self.client.get_database(target.database).get_collection(
            target.collection, codec_options=CODEC_OPTIONS
        )
        options = given(
            full_document=command.full_document,
            start_at_operation_time=command.start_at,
            max_await_time_ms=command.max_time_ms,
            comment=command.comment,
        )
        with translated(target):
            stream = await self._open_stream(collection, list(command.pipeline), options)
        try:
            while True:
                with translated(target):
                    change = await stream.try_next()
                obey_cancellation()
                if change is not None:
                    yield change
        finally:
            await stream.close()

    async def _open_stream(self, collection: Any, pipeline: list[Any], options: dict[str, Any]) -> Any:
        return await collection.watch(pipeline, **options)
