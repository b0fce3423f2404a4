"""The package's errors as HTTP responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from ...exceptions import (
    ConnectionError,
    DocumentNotFoundError,
    DocumentTooLargeError,
    DuplicateDocumentError,
    MongoDBORMError,
    QueryError,
    StaleDocumentError,
    TimeoutError,
    TransientTransactionError,
    UnencodableValueError,
)

_RETRY_AFTER = {"Retry-After": "1"}


def add_exception_handlers(app: Starlette) -> None:
    """Answer the package's errors with the status that a client understands.

    | error | status | body |
    |---|---|---|
    | `DocumentNotFoundError` | 404 | `detail` |
    | `DuplicateDocumentError` | 409 | `detail`, `fields`; never the value, which may be somebody else's |
    | `StaleDocumentError` | 409 | `detail` |
    | Pydantic's `ValidationError`, `QueryError`, `UnencodableValueError` | 422 | `detail` as FastAPI's own |
    | `DocumentTooLargeError` | 413 | `detail` |
    | `ConnectionError`, `TimeoutError` | 503 with `Retry-After` | `detail`, without an address |
    | `TransientTransactionError` | 503 with `Retry-After` | `detail`; nothing was stored |

    Any other error stays what it is: a fault of the server, which its log shows.

    Example:
        >>> app = FastAPI()
        >>> add_exception_handlers(app)
    """
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": f"{_facts(error).get('model') or 'The document'} was not found."}, 404)


async def _duplicate(request: Request, error: Exception) -> JSONResponse:
    fields = list(_facts(error).get("fields") or ())
    named = ", ".join(fields) or "these values"
    return JSONResponse({"detail": f"A document with the same {named} exists already.", "fields": fields}, 409)


async def _stale(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "Somebody else changed the document; read it again."}, 409)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ValidationError)
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return JSONResponse({"detail": details}, 422)


async def _bad_query(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MongoDBORMError)
    location = [str(error.facts["field"])] if error.facts.get("field") is not None else []
    kind = type(error).__name__.removesuffix("Error")
    return JSONResponse({"detail": [{"type": kind, "loc": location, "msg": str(error)}]}, 422)


async def _too_large(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "The document is over MongoDB's limit of 16 MiB."}, 413)


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "The database does not answer. Try again."}, 503, _RETRY_AFTER)


async def _busy(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "Others write the same documents. Try again."}, 503, _RETRY_AFTER)


def _facts(error: Exception) -> dict[str, Any]:
    return dict(error.facts) if isinstance(error, MongoDBORMError) else {}


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Any]] = {
    DocumentNotFoundError: _not_found,
    DuplicateDocumentError: _duplicate,
    StaleDocumentError: _stale,
    ValidationError: _invalid,
    QueryError: _bad_query,
    UnencodableValueError: _bad_query,
    DocumentTooLargeError: _too_large,
    ConnectionError: _unavailable,
    TimeoutError: _unavailable,
    TransientTransactionError: _busy,
}
