"""What PyMongo takes, made of what commands say."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pymongo
from pymongo import ReadPreference
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from ..commands import Command
from .base import TransactionOptions

READ_PREFERENCES = {
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
