"""What observers are told of writes of objects, and of writes that failed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from ..codec import codec_of
from ..commands import BulkWrite
from ..exceptions import BulkError, MongoDBORMError
from ..hooks import Create, Delete, Event, Restore, Update
from ..schema import MappedModel, database_of, raw_of
from .notices import Kind, Written

Pair = tuple[MappedModel, bytes | None]
"""An object, and its snapshot before the write."""

KINDS: dict[type[Event], Kind] = {Create: "create", Update: "update", Delete: "delete", Restore: "restore"}


def notices_of(event: type[Event], pairs: Sequence[Pair]) -> list[Written]:
    """Return the notices of objects that were written."""
    return [
        Written(
            model,
            KINDS[event],
            database,
            tuple(before or None for _, before in own),
            tuple(raw_of(document) or None for document, _ in own),
            matched=len(own),
        )
        for model, database, own in grouped(pairs)
    ]


def doubts_of(event: type[Event], pairs: Sequence[Pair]) -> list[Written]:
    """Return the notices of objects that may have been written; a new object without an id was not sent."""
    sent = [pair for pair in pairs if vars(pair[0]).get(pair[0].__mongo_id_field__) is not None]
    return [
        Written(
            model,
            KINDS[event],
            database,
            tuple(before or None for _, before in own),
            tuple(_dumped(document) if event in (Create, Update) else None for document, _ in own),
            matched=0,
            is_certain=False,
        )
        for model, database, own in grouped(sent)
    ]


def grouped(pairs: Sequence[Pair]) -> Iterator[tuple[type[MappedModel], str | None, list[Pair]]]:
    """Yield the objects of each class in each database."""
    groups: dict[tuple[type[MappedModel], str | None], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((type(pair[0]), database_of(pair[0])), []).append(pair)
    for (model, database), own in groups.items():
        yield model, database, own


def is_unknown(error: BaseException) -> bool:
    """Return whether a write that ended like this may be stored or not."""
    if isinstance(error, asyncio.CancelledError):
        return True
    return isinstance(error, MongoDBORMError) and error.is_outcome_unknown


def is_partial(command: Any, error: BaseException) -> bool:
    """Return whether the server refused a write of many documents when it may have written some of them."""
    if isinstance(error, BulkError) and isinstance(command, BulkWrite):
        failed = {failure.index for failure in error.failures}
        return min(failed) > 0 if command.ordered else len(failed) < len(command.operations)
    is_many: bool = getattr(command, "many", False)
    return is_many and isinstance(error, MongoDBORMError) and error.code is not None and not error.is_outcome_unknown


def _dumped(document: MappedModel) -> bytes | None:
    try:
        return codec_of(type(document)).dump(document)
    except MongoDBORMError:  # it cannot be stored, so it was not sent
        return None
