"""Sessions and transactions of PyMongo's async API."""

from __future__ import annotations

from typing import Any

from .arguments import transaction_arguments
from .base import TransactionOptions
from .errors import translated


class Sessions:
    """The part of a driver that begins and ends sessions.

    Attributes:
        client: The client library's own object.
    """

    client: Any

    async def start_session(self, *, causal: bool) -> Any:
        """Begin a session."""
        with translated():
            return self.client.start_session(causal_consistency=causal)

    async def start_transaction(self, session: Any, options: TransactionOptions) -> None:
        """Begin a transaction in a session."""
        with translated():
            await session.start_transaction(**transaction_arguments(options))

    async def commit(self, session: Any) -> None:
        """Commit a session's transaction."""
        with translated():
            await session.commit_transaction()

    async def abort(self, session: Any) -> None:
        """Abort a session's transaction."""
        with translated():
            await session.abort_transaction()

    async def end_session(self, session: Any) -> None:
        """End a session."""
        with translated():
            await session.end_session()
