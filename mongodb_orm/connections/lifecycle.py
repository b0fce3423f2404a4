"""Closing what is open."""

from __future__ import annotations

from .registry import close_driver, connections


async def close_all_connections() -> None:
    """Close every client that was opened for a model; safe at any time, any number of times, concurrently.

    Models stay registered: the next operation opens a client again. Clients that were handed over stay open. A client
    of another running loop is closed on that loop.

    Example:
        >>> await close_all_connections()
    """
    for opened in connections.take():
        await close_driver(opened)
