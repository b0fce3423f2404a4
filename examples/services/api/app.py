"""The application: settings, lifespan, errors, routers."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from mongodb_orm import setup_logging
from mongodb_orm.integrations.fastapi import HealthRouter, add_exception_handlers, lifespan

from .. import models
from ..config import Settings
from ..services import AlreadyTakenError, UnknownUserError
from . import user_routes


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; without settings they come from the environment."""
    settings = settings or Settings()
    setup_logging(settings.log_level)
    config = settings.database()
    app = FastAPI(title=settings.app_name, lifespan=lifespan(models, config, wait=10))
    app.state.settings = settings
    add_exception_handlers(app)
    app.add_exception_handler(UnknownUserError, _unknown)
    app.add_exception_handler(AlreadyTakenError, _taken)
    app.include_router(HealthRouter(config))
    app.include_router(user_routes.router)
    return app


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, 404)


async def _taken(request: Request, error: Exception) -> JSONResponse:
    fields = list(error.fields) if isinstance(error, AlreadyTakenError) else []
    return JSONResponse({"detail": str(error), "fields": fields}, 409)
