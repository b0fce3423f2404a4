"""FastAPI: lifespan, errors as responses, pages, health, routes for a model; the extra `fastapi`."""

from .crud import crud_router
from .errors import add_exception_handlers
from .health import HealthRouter
from .lifespan import lifespan
from .paging import KeysetParams, PageParams
from .schemas import create_model_of, update_model_of

__all__ = [
    "HealthRouter",
    "KeysetParams",
    "PageParams",
    "add_exception_handlers",
    "create_model_of",
    "crud_router",
    "lifespan",
    "update_model_of",
]
