"""A health endpoint for any ASGI server or framework."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from ..connections import DatabaseConfig, health_report
from ..types import HealthReport

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

UNAVAILABLE = 503


def health_body(report: HealthReport) -> dict[str, Any]:
    """Return what a health endpoint says: status and reason, latency, version; never an address or a credential.

    Example:
        >>> health_body(await health_report())
        {'status': 'ok', 'latency_ms': 0.5, 'server_version': '6.0.5', 'topology': 'replica_set'}
    """
    if not report.healthy:
        return {"status": "unavailable", "reason": report.error}
    return {
        "status": "ok",
        "latency_ms": report.latency_ms,
        "server_version": report.server_version,
        "topology": report.topology,
    }


class HealthEndpoint:
    """An ASGI application that answers 200 while the database answers, and 503 with the reason while it does not.

    Example:
        >>> app = Starlette(routes=[Mount("/health", HealthEndpoint(config))])
    """

    def __init__(self, config: DatabaseConfig | None = None, *, timeout: float = 2.0) -> None:
        """Make an endpoint.

        Args:
            config: The configuration to check; default: every registered one.
            timeout: Seconds to wait for the database.
        """
        self._config = config
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] != "http":
            raise RuntimeError(f"A health endpoint answers HTTP requests, not {scope['type']}.")
        elif scope["method"] not in ("GET", "HEAD"):
            await _answer(scope, send, 405, {"detail": "Method Not Allowed"}, {"allow": "GET, HEAD"})
        else:
            report = await health_report(db_config=self._config, timeout=self._timeout)
            await _answer(scope, send, 200 if report.healthy else UNAVAILABLE, health_body(report), {})


async def _live(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})


async def _answer(scope: Scope, send: Send, status: int, body: Any, headers: Mapping[str, str]) -> None:
    content = json.dumps(body).encode()
    every = {
        "content-type": "application/json",
        "content-length": str(len(content)),
        "cache-control": "no-store",
        **headers,
    }
    encoded = [(name.encode(), value.encode()) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})
