"""Errors of operations: bulk writes, indexes, what the server refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .documents import DuplicateDocumentError
from .root import MongoDBORMError


class BulkFailure:
    """One document that a bulk write could not write.

    Attributes:
        index: Its position in the input, from 0.
        error: Why, as the error that the single path would have raised.
    """

    __slots__ = ("error", "index")

    def __init__(self, index: int, error: Exception) -> None:
        self.index: int = index
        self.error: Exception = error

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are at fault, under the model's names, as far as the error knows them."""
        fields: tuple[str, ...] = tuple(getattr(self.error, "fields", ()))
        field: str | None = getattr(self.error, "field", None)
        return fields or (() if field is None else (field,))

    def __repr__(self) -> str:
        return f"<BulkFailure index={self.index} {type(self.error).__name__}: {self.error}>"


class BulkError(MongoDBORMError):
    """Part of a bulk write failed.

    Attributes:
        model: The model's name; None when documents of several models were written together.
        failures: Every document that failed, with its position and reason.
        written: The positions of the documents that are stored.
    """

    model: str | None
    failures: tuple[BulkFailure, ...]
    written: tuple[int, ...]


class BulkDuplicateError(BulkError, DuplicateDocumentError):
    """A unique index refused part of a bulk write; index, fields and value are those of the first failure."""


class IndexConflictError(MongoDBORMError):
    """An index of that name or key exists with other options.

    Attributes:
        model: The model's name.
        index: The index's name.
        existing: The definition that the server has, when known.
    """

    model: str
    index: str
    existing: Mapping[str, Any] | None


class OperationError(MongoDBORMError):
    """The server refused the operation; `code` and `labels` say why."""


class UnconfirmedWriteError(OperationError):
    """The primary stored the write, and the members that the write concern asks for did not confirm it."""

    is_outcome_unknown = True


class MissingIndexError(OperationError):
    """A search by words needs a text index, one by distance a `2dsphere` index; `hint` and `hide` need one that exists.

    Attributes:
        model: The model's name.
        index_type: `"text"` or `"2dsphere"`, or an empty text for an index that was named.
    """

    model: str | None
    index_type: str


class TransactionError(OperationError):
    """A transaction could not go on, or it is not known whether it was committed (`labels` say so)."""


class TransientTransactionError(TransactionError):
    """A transaction was dropped for a passing reason, such as a conflict of writes: doing all of it again is safe."""
