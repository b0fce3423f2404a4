"""One table from the driver's errors to ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bson.errors import BSONError
from pymongo import errors as driver_errors

from ..exceptions import (
    BulkError,
    BulkFailure,
    ConfigurationError,
    ConnectionClosedError,
    ConnectionError,
    DocumentTooLargeError,
    DuplicateDocumentError,
    IndexConflictError,
    InvalidValueError,
    MissingIndexError,
    MongoDBORMError,
    NotSupportedError,
    OperationError,
    QueryError,
    TimeoutError,
    TransientTransactionError,
    UnconfirmedWriteError,
    UnencodableValueError,
)
from ..types import Target

DRIVER_ERRORS = (driver_errors.PyMongoError, BSONError, OverflowError, UnicodeEncodeError, RecursionError)
"""What a driver may raise for reasons that are not ours."""

_SETTINGS_IN_MESSAGE = re.compile(r" \(configured timeouts: [^)]*\)")
_MAX_REASON = 300
_INDEX_IN_MESSAGE = re.compile(r"index: (\S+)")
_TIMEOUT_CODES = frozenset({50, 262, 64})
_INDEX_CODES = frozenset({85, 86})
_NOT_SUPPORTED_CODES = frozenset({20, 115})
_ACCESS_CODES = frozenset({13, 18})
_NEAR_IN_MATCH = 5626500
_BAD_PATTERN = 51091


def translate(error: BaseException, target: Target | None = None) -> MongoDBORMError:
    """Return our error for one of a driver's; raise it `from` the original.

    Args:
        error: What the driver raised.
        target: What the command was for.
    """
    if getattr(error, "timeout", False) is True:
        return _timeout(error, target)
    for kind, build in _TABLE:
        if isinstance(error, kind):
            return build(error, target)
    return MongoDBORMError(f"The driver failed: {type(error).__name__}.", labels=_labels(error))


def _labels(error: BaseException) -> list[str]:
    return sorted(getattr(error, "_error_labels", ()))


_PLANNED_QUERY = re.compile(r"error processing query: .*planner returned error :: caused by :: ", re.DOTALL)


def _of(target: Target | None) -> str:
    return f" ({target.model})" if target else ""


def _timeout(error: BaseException, target: Target | None) -> MongoDBORMError:
    if isinstance(error, driver_errors.ServerSelectionTimeoutError):
        return _no_server(error, target)
    return TimeoutError(
        f"The operation did not end in time{_of(target)}.",
        hint="After a write the outcome is unknown. The deadline is DatabaseConfig(timeout_ms=...).",
        code=getattr(error, "code", None),
        labels=_labels(error),
    )


def _no_server(error: BaseException, target: Target | None) -> MongoDBORMError:
    # Addresses and what the system says of them, without the driver's settings and its picture of the topology.
    reason = _SETTINGS_IN_MESSAGE.sub("", str(error).partition(", Timeout: ")[0]).rstrip(".")[:_MAX_REASON]
    return ConnectionError(
        f"No MongoDB server answered{_of(target)}: {reason}.",
        hint="Is it running, and is mongo_uri right? The wait is DatabaseConfig(server_selection_timeout_ms=...).",
        labels=_labels(error),
    )


def _broken(error: BaseException, target: Target | None) -> MongoDBORMError:
    return ConnectionError(
        f"The connection to MongoDB broke{_of(target)}.",
        hint="After a write the outcome is unknown.",
        code=getattr(error, "code", None),
        labels=_labels(error),
    )


def _closed(error: BaseException, target: Target | None) -> MongoDBORMError:
    if "clos" in str(error).lower() or "event loop" in str(error).lower():
        return ConnectionClosedError(
            "The client is closed, or belongs to another event loop.",
            hint="Register with a DatabaseConfig, and a client is opened on the loop that uses it.",
        )
    return OperationError(f"The driver refused the operation: {error}.", labels=_labels(error))


def _operation(error: BaseException, target: Target | None) -> MongoDBORMError:
    code = getattr(error, "code", None)
    details: Mapping[str, Any] = getattr(error, "details", None) or {}
    message = str(details.get("errmsg") or error).split(", full error:")[0].rstrip(".")
    message = _PLANNED_QUERY.sub("", message)  # it shows the filter with its values
    if code in (11000, 11001, 12582):
        return duplicate(details, target)
    if code in _TIMEOUT_CODES:
        return _timeout(error, target)
    if code in _INDEX_CODES:
        found = re.search(r"name:? \"?([\w.$-]+)", message)
        return IndexConflictError(
            "An index of that name or key exists with other options.",
            hint="Drop it first, or choose another name.",
            code=code,
            model=target.model if target else "",
            index=found.group(1) if found else "",
            existing=None,
        )
    if code in (27, 291) and ("text index required" in message or "index for $geoNear" in message):
        return _missing_index("text" if "text index" in message else "2dsphere", code, target)
    is_hint = "hint provided does not correspond" in message
    if is_hint or "cannot find index" in message:
        return MissingIndexError(
            f"The index that {'hint() names' if is_hint else 'is to be changed'} does not exist{_of(target)}.",
            hint="list_indexes() has those that do.",
            code=code,
            model=target.model if target else None,
            index_type="",
        )
    if code == _BAD_PATTERN:
        return InvalidValueError(f"{message}{_of(target)}.", model=target.model if target else None, code=code)
    if code == _NEAR_IN_MATCH:
        return QueryError(
            f"MongoDB takes no near inside $match{_of(target)}.",
            hint="Count and aggregate with within=Circle(point, radius), or begin the pipeline with $geoNear.",
            model=target.model if target else None,
            code=code,
        )
    if code in _NOT_SUPPORTED_CODES and "ransaction" in message:
        return NotSupportedError(
            "This server has no transactions.",
            feature="transactions",
            backends=("a replica set", "embedded://"),
            hint="Transactions need a replica set.",
            code=code,
        )
    if "TransientTransactionError" in _labels(error):
        return TransientTransactionError(
            f"The transaction was dropped for a passing reason{_of(target)}: {message}.",
            hint="Do all of it again; run_transaction(), @transactional and transaction.attempts() do so.",
            code=code,
            labels=_labels(error),
        )
    if code in (10334, 17280, 17419) or "BSONObjectTooLarge" in message:
        return DocumentTooLargeError("The document is over 16 MiB.", model=target.model if target else None, code=code)
    hint = "Check user, password and authSource." if code in _ACCESS_CODES else ""
    return OperationError(
        f"MongoDB refused the operation{_of(target)}: {message}.", hint=hint, code=code, labels=_labels(error)
    )


def _unconfirmed_write(code: int | None, error: BaseException, target: Target | None) -> UnconfirmedWriteError:
    return UnconfirmedWriteError(
        f"MongoDB stored the write, but too few members confirmed it{_of(target)}.",
        hint="It may be lost in a failover. Read again what matters.",
        code=code,
        labels=_labels(error),
    )


def _missing_index(index_type: str, code: int, target: Target | None) -> MissingIndexError:
    model = target.model if target else None
    what = "words" if index_type == "text" else "distance"
    return MissingIndexError(
        f"A search by {what} needs a {index_type} index{_of(target)}.",
        hint=f'Declare Annotated[..., Indexed(index_type="{index_type}")] on the field, '
        f'or call create_index(field, index_type="{index_type}").',
        code=code,
        model=model,
        index_type=index_type,
    )


def duplicate(details: Mapping[str, Any], target: Target | None) -> DuplicateDocumentError:
    """Return the error for a write that a unique index refused, from the server's details of it."""
    pattern = details.get("keyPattern") or {}
    values = details.get("keyValue") or {}
    named = _INDEX_IN_MESSAGE.search(str(details.get("errmsg", "")))
    fields = tuple(pattern) or tuple(values)
    found = tuple(values.get(field) for field in fields)
    model = target.model if target else None
    return DuplicateDocumentError(
        f"Another {model or 'document'} has the same {', '.join(fields) or 'key'}.",
        hint="Choose another value, or update the existing document.",
        code=11000,
        model=model,
        index=named.group(1) if named else None,
        fields=fields,
        value=found[0] if len(found) == 1 else found or None,
    )


def _bulk(error: BaseException, target: Target | None) -> MongoDBORMError:
    details: Mapping[str, Any] = getattr(error, "details", None) or {}
    write_errors = sorted(details.get("writeErrors", ()), key=lambda entry: entry["index"])
    if not write_errors:
        return unconfirmed(error, target)
    failures = tuple(BulkFailure(entry["index"], write_error(entry, target)) for entry in write_errors)
    return BulkError(
        f"{len(failures)} documents could not be written.",
        model=target.model if target else "",
        failures=failures,
        written=(),
    )


def unconfirmed(error: BaseException, target: Target | None) -> MongoDBORMError:
    """Return the error for a bulk write that was done, and that too few members confirmed."""
    details: Mapping[str, Any] = getattr(error, "details", None) or {}
    concern = (details.get("writeConcernErrors") or [{}])[-1]
    if concern.get("code") in _TIMEOUT_CODES:
        return _timeout(error, target)
    return _unconfirmed_write(concern.get("code"), error, target)


def write_error(entry: Mapping[str, Any], target: Target | None) -> MongoDBORMError:
    """Return the error for one write of a bulk write that the server refused, from what it says of it."""
    return _operation(driver_errors.WriteError(entry.get("errmsg", ""), entry.get("code"), dict(entry)), target)


def _too_large(error: BaseException, target: Target | None) -> MongoDBORMError:
    return DocumentTooLargeError("The document is over 16 MiB.", model=target.model if target else None)


def _unencodable(error: BaseException, target: Target | None) -> MongoDBORMError:
    if isinstance(error, OverflowError):
        return UnencodableValueError("MongoDB's integers have at most 64 bits.", model=target.model if target else None)
    if isinstance(error, RecursionError):
        return UnencodableValueError("A value is nested too deeply.", model=target.model if target else None)
    return UnencodableValueError(
        f"BSON cannot hold a value: {str(error).splitlines()[0][:120] if str(error) else type(error).__name__}.",
        model=target.model if target else None,
    )


def _configuration(error: BaseException, target: Target | None) -> MongoDBORMError:
    return ConfigurationError(f"The driver refuses the configuration: {type(error).__name__}.", hint=_safe(error))


def _safe(error: BaseException) -> str:
    return "" if "@" in str(error) or "://" in str(error) else f"{str(error).rstrip('.')}."


@contextmanager
def translated(target: Target | None = None) -> Iterator[None]:
    """Translate what a driver raises in the block."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translate(error, target) from error
    except RuntimeError as error:
        if "event loop" not in str(error):
            raise
        raise translate(error, target) from error


_Build = Callable[[BaseException, "Target | None"], MongoDBORMError]

_TABLE: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], _Build], ...] = (
    (driver_errors.BulkWriteError, _bulk),
    (driver_errors.DuplicateKeyError, lambda error, target: duplicate(getattr(error, "details", None) or {}, target)),
    (driver_errors.DocumentTooLarge, _too_large),
    ((driver_errors.ExecutionTimeout, driver_errors.WTimeoutError, driver_errors.NetworkTimeout), _timeout),
    (driver_errors.WaitQueueTimeoutError, _timeout),
    (
        driver_errors.WriteConcernError,
        lambda error, target: _unconfirmed_write(getattr(error, "code", None), error, target),
    ),
    (driver_errors.ServerSelectionTimeoutError, _no_server),
    (driver_errors.ConnectionFailure, _broken),
    (driver_errors.OperationFailure, _operation),
    ((driver_errors.InvalidURI, driver_errors.ConfigurationError), _configuration),
    (driver_errors.InvalidOperation, _closed),
    ((BSONError, OverflowError, UnicodeEncodeError, RecursionError), _unencodable),
    ((RuntimeError,), _closed),
)
"""The first row that fits wins, so the most specific stand first."""
