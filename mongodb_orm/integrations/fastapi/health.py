"""Routes by which an orchestrator learns whether the application can work."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from ...connections import DatabaseConfig, connections, health_report
from ..asgi import UNAVAILABLE, health_body


class HealthRouter(APIRouter):
    """The routes `/health` (the database answers) and `/ready` (it answers, and models are registered).

    Both answer 200, or 503 with the reason; neither shows an address or a credential.

    Example:
        >>> app.include_router(HealthRouter())
    """

    def __init__(self, config: DatabaseConfig | None = None, *, timeout: float = 2.0, **options: Any) -> None:
        """Make the routes.

        Args:
            config: The configuration to check; default: every registered one.
            timeout: Seconds to wait for the database.
            options: Further options of FastAPI's `APIRouter`, such as `prefix`.
        """
        super().__init__(**{"tags": ["health"], **options})

        async def answer() -> JSONResponse:
            report = await health_report(db_config=config, timeout=timeout)
            headers = {"Cache-Control": "no-store"}
            return JSONResponse(health_body(report), 200 if report.healthy else UNAVAILABLE, headers)

        async def health() -> JSONResponse:
            """Whether the database answers."""
            return await answer()

        async def ready() -> JSONResponse:
            """Whether requests can be served: models are registered, and the database answers."""
            if not connections.has_bindings():
                body = {"status": "unavailable", "reason": "No model is registered yet."}
                return JSONResponse(body, UNAVAILABLE, {"Cache-Control": "no-store"})
            return await answer()

        unavailable: dict[int | str, dict[str, Any]] = {UNAVAILABLE: {"description": "The database does not answer."}}
        self.add_api_route("/health", health, methods=["GET"], responses=unavailable, summary="Health")
        self.add_api_route("/ready", ready, methods=["GET"], responses=unavailable, summary="Readiness")
