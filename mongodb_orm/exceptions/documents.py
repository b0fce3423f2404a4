"""Errors of which one document is at fault."""

from __future__ import annotations

from typing import Any

from .root import MongoDBORMError


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
    index: str | None = None
    fields: tuple[str, ...] = ()
    value: Any = None


class StaleDocumentError(DocumentError):
    """The document was saved by somebody else since it was loaded.

    Attributes:
        expected: The version that was loaded.
        found: The version that is stored.
        paths: What both changed, by stored path, when merging was asked for.
        may_be_own: Whether the last write of this very object ended without an answer, so that what is stored may be
            its own. Read the document again, and look whether that write is done before you repeat it.
    """

    expected: int | None = None
    found: int | None = None
    paths: tuple[str, ...] = ()
    may_be_own: bool = False


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
