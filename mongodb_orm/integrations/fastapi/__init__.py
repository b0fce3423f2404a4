"""FastAPI: lifespan, errors as responses, pages, health, routes for a model; the extra `fastapi`."""

from ..starlette import add_exception_handlers, lifespan
from .criteria import criteria_params
from .crud import crud_router
from .health import HealthRouter
from .paging import KeysetParams, PageParams
from .schemas import create_model_of, response_model_of, update_model_of

__all__ = [
    "HealthRouter",
    "KeysetParams",
    "PageParams",
    "add_exception_handlers",
    "create_model_of",
    "criteria_params",
    "crud_router",
    "lifespan",
    "response_model_of",
    "update_model_of",
]
