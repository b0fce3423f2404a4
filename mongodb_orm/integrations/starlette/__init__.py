"""Starlette, and so FastAPI: lifespan, errors as responses; the extra `starlette`."""

from .errors import add_exception_handlers
from .lifespan import lifespan

__all__ = ["add_exception_handlers", "lifespan"]
