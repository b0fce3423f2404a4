"""What PyMongo takes, made of what commands say."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pymongo
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from ..codec import WIRE_OPTIONS
from ..commands import BulkWrite, Command, UpdateOne
from .base import TransactionOptions


class RawAnswer(RawBSONDocument):
    """A document as its BSON, whose write concern error PyMongo can add labels to.

    That is what it does when a primary steps down in the middle of a `findAndModify`, and a `RawBSONDocument` would not
    let it: instead of trying again it would fail with an `AttributeError`.
    """

    __slots__ = ()

    def __getitem__(self, item: str) -> Any:
        """Return an item, the write concern error as a dict."""
        value = super().__getitem__(item)
        return dict(value) if item == "writeConcernError" else value


RAW_OPTIONS: CodecOptions[RawAnswer] = CodecOptions(
    document_class=RawAnswer,
    tz_aware=WIRE_OPTIONS.tz_aware,
    tzinfo=WIRE_OPTIONS.tzinfo,
    uuid_representation=WIRE_OPTIONS.uuid_representation,
    type_registry=WIRE_OPTIONS.type_registry,
)
"""Options under which a document is answered as its BSON."""

READ_PREFERENCES: dict[str, Any] = {
    "primary": ReadPreference.PRIMARY,
    "primaryPreferred": ReadPreference.PRIMARY_PREFERRED,
    "secondary": ReadPreference.SECONDARY,
    "secondaryPreferred": ReadPreference.SECONDARY_PREFERRED,
    "nearest": ReadPreference.NEAREST,
}
"""Read preferences by the names that users write."""


def transaction_arguments(options: TransactionOptions) -> dict[str, Any]:
    """Return PyMongo's arguments; a transaction always reads from the primary."""
    return given(
        read_concern=ReadConcern(options.read_concern),
        write_concern=WriteConcern(options.write_concern),
        read_preference=ReadPreference.PRIMARY,
        max_commit_time_ms=None if options.max_commit_time is None else int(options.max_commit_time * 1000),
    )


_NO_DEADLINE: AbstractContextManager[Any] = nullcontext()


def deadline(command: Command[Any]) -> AbstractContextManager[Any]:
    """Return the context that ends a command in its own time.

    With the client's deadline set, PyMongo computes `maxTimeMS` from it and passes over one that is given.
    """
    if command.max_time_ms is None:
        return _NO_DEADLINE
    return pymongo.timeout(command.max_time_ms / 1000)


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def hint(index: Any) -> Any:
    """Return a hint as PyMongo takes it."""
    return index if index is None or isinstance(index, str) else list(index)


def bulk_operations(command: BulkWrite) -> list[Any]:
    """Return the operations of a bulk write as PyMongo's."""
    return [
        pymongo.UpdateOne(operation.filter, operation.update, array_filters=_listed(operation.array_filters))
        if isinstance(operation, UpdateOne)
        else pymongo.DeleteOne(operation.filter)
        for operation in command.operations
    ]


def _listed(filters: Any) -> list[Any] | None:
    return None if filters is None else list(filters)
