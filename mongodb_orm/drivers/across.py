"""Bulk writes across collections, in PyMongo's terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bson
import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo.errors import ClientBulkWriteException
from pymongo.results import ClientBulkWriteResult

from ..codec import CODEC_OPTIONS, decode, encode
from ..commands import BulkWriteAcross, InsertDocument, Placed, UpdateOne
from ..exceptions import BulkError, BulkFailure, MongoDBORMError
from ..types import Target
from .errors import translate, unconfirmed, write_error


def operations_across(command: BulkWriteAcross) -> list[Any]:
    """Return the writes as PyMongo's operations.

    PyMongo encodes them with the options of the client, which may know less than ours: they are BSON already.

    Raises:
        UnencodableValueError: When BSON cannot hold a value.
    """
    return [_operation(placed) for placed in command.operations]


def positions_found(result: ClientBulkWriteResult | None) -> tuple[int, ...]:
    """Return the positions of the writes that made or found a document; None says that there are none."""
    if result is None:
        return ()
    found = list(result.insert_results)
    found += [position for position, update in result.update_results.items() if update.matched_count]
    found += [position for position, deletion in result.delete_results.items() if deletion.deleted_count]
    return tuple(sorted(found))


def translate_across(error: ClientBulkWriteException, targets: Sequence[Target], whole: Target) -> MongoDBORMError:
    """Return our error for one of PyMongo's.

    Args:
        error: What PyMongo raised.
        targets: What each write was for.
        whole: What the command was for.
    """
    if isinstance(error.error, BaseException):  # the command as a whole: nothing is known of its writes
        return translate(error.error, whole)
    failures = tuple(
        BulkFailure(entry["idx"], write_error(_in_our_types(entry), targets[entry["idx"]]))
        for entry in error.details["writeErrors"]
    )
    if not failures:
        return unconfirmed(error, whole)
    return BulkError(
        f"{len(failures)} documents could not be written.",
        model=None,
        failures=failures,
        written=positions_found(error.partial_result),
    )


def _operation(placed: Placed) -> Any:
    target, operation = placed
    namespace = f"{target.database}.{target.collection}"
    if isinstance(operation, InsertDocument):
        return pymongo.InsertOne(RawBSONDocument(operation.document), namespace=namespace)
    filter_ = _encoded(operation.filter, target.model)
    if not isinstance(operation, UpdateOne):
        return pymongo.DeleteOne(filter_, namespace=namespace)
    return pymongo.UpdateOne(
        filter_,
        _encoded(operation.update, target.model),
        array_filters=_encoded(operation.array_filters, target.model),
        namespace=namespace,
    )


def _encoded(value: Any, model: str) -> Any:
    if isinstance(value, Mapping):
        return RawBSONDocument(encode(value, model=model))
    return None if value is None else [_encoded(item, model) for item in value]


def _in_our_types(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the server says of a write that it refused; PyMongo decoded it with the options of the client."""
    said = {name: value for name, value in entry.items() if name != "op"}
    return decode(bson.encode(said, codec_options=CODEC_OPTIONS))
