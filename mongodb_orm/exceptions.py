"""The errors that users of `mongodb_orm` meet.

    MongoDBORMError
    ├── ConfigurationError            (ValueError)    settings that cannot work
    ├── RegistrationError                             a model or module that cannot be registered
    ├── ModelNotInitializedError                      a model that was never registered
    ├── NotSupportedError                             this backend, server or model cannot do that
    ├── EmbeddedServerError                           the embedded mongod cannot be found or started
    ├── ConnectionError               (builtins)      no server, or the connection broke
    │   └── ConnectionClosedError                     the client was closed, or belongs to another loop
    ├── TimeoutError                  (builtins)      the deadline passed
    ├── QueryError                    (ValueError)    a condition, sort or projection that makes no sense
    │   ├── UnknownFieldError                         the model has no such field
    │   ├── UnknownLookupError                        there is no such lookup
    │   ├── InvalidValueError                         the value does not fit the field
    │   ├── InvalidTokenError                         a page token that was not made here, or for another query
    │   └── UnsafeQueryError                          operator injection, or JavaScript that nobody asked for
    ├── DocumentError                                 one document is at fault
    │   ├── DocumentNotFoundError                     it is not (or no longer) there
    │   ├── MultipleDocumentsError                    one was asked for and more were found
    │   ├── DuplicateDocumentError                    a unique index refuses it
    │   ├── StaleDocumentError                        somebody saved it in the meantime
    │   ├── CorruptDocumentError                      what is stored does not fit the model
    │   ├── UnloadedFieldError        (AttributeError) the field was not loaded
    │   └── UnencodableValueError     (ValueError)    BSON cannot hold the value
    │       └── DocumentTooLargeError                 over 16 MiB
    ├── BulkError                                     part of a bulk write failed
    │   └── BulkDuplicateError                        ... because of a unique index; a DuplicateDocumentError too
    ├── IndexConflictError                            the index exists with other options
    └── OperationError                                the server refused the operation
        ├── MissingIndexError                         a search by words or distance needs an index
        └── TransactionError                          a transaction could not go on

`ValidationError` is Pydantic's own. `ConnectionError` and `TimeoutError` are the builtins' children, so code that
knows only the builtins catches them too.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

__all__ = [
    "BulkDuplicateError",
    "BulkError",
    "BulkFailure",
    "ConfigurationError",
    "ConnectionClosedError",
    "ConnectionError",
    "CorruptDocumentError",
    "DocumentError",
    "DocumentNotFoundError",
    "DocumentTooLargeError",
    "DuplicateDocumentError",
    "EmbeddedServerError",
    "IndexConflictError",
    "InvalidTokenError",
    "InvalidValueError",
    "MissingIndexError",
    "ModelNotInitializedError",
    "MongoDBORMError",
    "MultipleDocumentsError",
    "NotSupportedError",
    "OperationError",
    "QueryError",
    "RegistrationError",
    "StaleDocumentError",
    "TimeoutError",
    "TransactionError",
    "UnencodableValueError",
    "UnknownFieldError",
    "UnknownLookupError",
    "UnloadedFieldError",
    "UnsafeQueryError",
    "ValidationError",
]


class MongoDBORMError(Exception):
    """The root of the tree.

    Attributes:
        problem: What went wrong, one sentence.
        hint: What to do about it, one sentence, or an empty string.
        code: The server's error code, where the server said no.
        labels: The server's error labels, such as `"TransientTransactionError"`.

    Facts such as `model`, `field`, `value` and `index` are attributes of the errors that know them.
    """

    def __init__(
        self, problem: str, *, hint: str = "", code: int | None = None, labels: Sequence[str] = (), **facts: Any
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
        self.code = code
        self.labels = tuple(labels)
        self.facts: Mapping[str, Any] = facts
        for name, value in facts.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        return f"{self.problem} {self.hint}" if self.hint else self.problem

    def has_label(self, label: str) -> bool:
        """Return whether the server put `label` on the error."""
        return label in self.labels


class ConfigurationError(MongoDBORMError, ValueError):
    """Settings that cannot work."""


class RegistrationError(MongoDBORMError):
    """A model or module that cannot be registered."""


class ModelNotInitializedError(MongoDBORMError):
    """A model was used that is not connected to a database.

    Attributes:
        model: The model's name.
    """

    model: str

    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model} is not connected to a database.",
            hint=f"Write `await register_model({model}, db_config=DatabaseConfig(...))`, or "
            "`await register_all_models(__name__)` for every model of a module, before you use it.",
            model=model,
        )


class NotSupportedError(MongoDBORMError):
    """The backend, server or model cannot do what was asked.

    Attributes:
        feature: What is missing.
        backends: The backends that have it.
    """

    feature: str
    backends: tuple[str, ...]

    def __init__(self, problem: str, *, feature: str = "", backends: Sequence[str] = (), **rest: Any) -> None:
        super().__init__(problem, feature=feature, backends=tuple(backends), **rest)


class EmbeddedServerError(MongoDBORMError):
    """The embedded `mongod` cannot be found, started or reached."""


class ConnectionError(MongoDBORMError, builtins.ConnectionError):  # noqa: A001 - the name is the contract
    """No server answered, or the connection broke.

    After a write the outcome is unknown: most writes that end like this are in fact stored.
    """


class ConnectionClosedError(ConnectionError):
    """The client was closed, or belongs to another event loop."""


class TimeoutError(MongoDBORMError, builtins.TimeoutError):  # noqa: A001 - the name is the contract
    """The deadline passed. After a write the outcome is unknown."""


class QueryError(MongoDBORMError, ValueError):
    """A condition, sort, projection or pipeline that makes no sense.

    Attributes:
        model: The model's name, when known.
        field: The field as the caller wrote it, when one is at fault.
        value: The offending value, when one is at fault.
    """

    def __init__(
        self, problem: str, *, model: str | None = None, field: str | None = None, value: Any = None, **rest: Any
    ) -> None:
        super().__init__(problem, model=model, field=field, value=value, **rest)

    model: str | None
    field: str | None
    value: Any


class UnknownFieldError(QueryError):
    """The model has no field of that name.

    Attributes:
        suggestion: The nearest field name, or None.
    """

    suggestion: str | None

    def __init__(self, model: str, field: str, known: Sequence[str], *, what: str = "field") -> None:
        name = field.replace("__", ".").split(".")[-1]
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(sorted(known)[:20])}."
        super().__init__(
            f"{model} has no {what} {field!r}.",
            hint=hint,
            model=model,
            field=field,
            suggestion=near[0] if near else None,
        )


class UnknownLookupError(QueryError):
    """There is no such lookup, or the field's type has no use for it.

    Attributes:
        lookup: The lookup as the caller wrote it.
        suggestion: The nearest lookup name, or None.
    """

    lookup: str
    suggestion: str | None

    def __init__(self, model: str, field: str, lookup: str, known: Sequence[str]) -> None:
        near = get_close_matches(lookup, known, n=1)
        super().__init__(
            f"{model}.{field} has no member or lookup {lookup!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"Lookups are: {', '.join(known)}.",
            model=model,
            field=field,
            lookup=lookup,
            suggestion=near[0] if near else None,
        )


class InvalidValueError(QueryError):
    """The value does not fit the field or the option."""


class InvalidTokenError(QueryError):
    """The page token was not made here, or for another model, filter or order."""


class UnsafeQueryError(QueryError):
    """Operator injection, or server-side JavaScript that nobody asked for."""


class DocumentError(MongoDBORMError):
    """One document is at fault.

    Attributes:
        model: The model's name.
        id: The document's id, when known.
    """

    def __init__(self, problem: str, *, model: str | None = None, id: Any = None, **rest: Any) -> None:  # noqa: A002
        super().__init__(problem, model=model, id=id, **rest)

    model: str | None
    id: Any


class DocumentNotFoundError(DocumentError):
    """The document is not, or no longer, there."""


class MultipleDocumentsError(DocumentError):
    """One document was asked for and more were found."""


class DuplicateDocumentError(DocumentError):
    """A unique index refuses the document.

    The message names index and fields, never the value: it may be somebody else's data.

    Attributes:
        index: The index's name.
        fields: The model's names of its fields.
        value: What was there already: the value, or a tuple for several fields.
        collisions: For an index that cannot be built, the `Collision`s among the stored documents.
    """

    collisions: tuple[Any, ...] = ()
    index: str | None
    fields: tuple[str, ...]
    value: Any


class StaleDocumentError(DocumentError):
    """The document was saved by somebody else since it was loaded.

    Attributes:
        expected: The version that was loaded.
        found: The version that is stored.
    """

    expected: int | None
    found: int | None


class CorruptDocumentError(DocumentError):
    """What is stored does not fit the model. The cause is Pydantic's `ValidationError`."""


class UnloadedFieldError(DocumentError, AttributeError):
    """The field was not loaded, so it can be neither read nor saved.

    Attributes:
        field: The field's name.
    """

    field: str


class UnencodableValueError(DocumentError, ValueError):
    """BSON cannot hold the value.

    Attributes:
        field: The path of the value, when known.
        value: The value.
    """

    def __init__(self, problem: str, *, field: str | None = None, value: Any = None, **rest: Any) -> None:
        super().__init__(problem, field=field, value=value, **rest)

    field: str | None
    value: Any


class DocumentTooLargeError(UnencodableValueError):
    """The document is over MongoDB's limit of 16 MiB.

    Attributes:
        size: The document's size in bytes, when known.
    """

    size: int | None = None


class BulkFailure:
    """One document that a bulk write could not write.

    Attributes:
        index: Its position in the input, from 0.
        error: Why, as the error that the single path would have raised.
    """

    __slots__ = ("error", "index")

    def __init__(self, index: int, error: Exception) -> None:
        self.index = index
        self.error = error

    def __repr__(self) -> str:
        return f"<BulkFailure index={self.index} {type(self.error).__name__}: {self.error}>"


class BulkError(MongoDBORMError):
    """Part of a bulk write failed.

    Attributes:
        model: The model's name.
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


class MissingIndexError(OperationError):
    """A search by words needs a text index, one by distance a `2dsphere` index, and the collection has none.

    Attributes:
        model: The model's name.
        index_type: `"text"` or `"2dsphere"`.
    """

    model: str | None
    index_type: str


class TransactionError(OperationError):
    """A transaction could not go on."""


def relocated(title: str, errors: Iterable[tuple[tuple[int | str, ...], ValidationError]]) -> ValidationError:
    """Return one `ValidationError` made of several, each location prefixed.

    Args:
        title: The model's name.
        errors: Pairs of a prefix, such as `(index,)` or `("age",)`, and an error.
    """
    details: list[InitErrorDetails] = []
    for prefix, error in errors:
        for detail in error.errors(include_url=False):
            context = detail.get("ctx", {})
            kind: Any = detail["type"]
            try:
                PydanticKnownError(kind, context)
            except (KeyError, TypeError, ValueError):  # a type of the user's own
                custom: Any = PydanticCustomError  # its arguments need not be literals at run time
                kind = custom(kind, detail["msg"].replace("{", "(").replace("}", ")"))
            location = (*prefix, *detail["loc"])
            details.append(InitErrorDetails(type=kind, loc=location, input=detail["input"], ctx=context))
    return ValidationError.from_exception_data(title, details)
