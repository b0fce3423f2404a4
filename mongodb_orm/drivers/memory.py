"""The driver on mongomock-motor: no server, and honest about what it lacks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar, cast

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import TypeRegistry
from mongomock_motor import AsyncMongoMockClient
from pymongo import ReturnDocument

from ..codec import CODEC_OPTIONS, decode, decode_raw
from ..commands import (
    Aggregate,
    BulkAnswer,
    BulkWrite,
    Command,
    Count,
    CreateIndex,
    Delete,
    Distinct,
    EstimatedCount,
    Find,
    FindAndDelete,
    FindAndUpdate,
    FindOne,
    InsertMany,
    InsertOne,
    ListIndexes,
    RunCommand,
    Update,
    UpdateOne,
    Watch,
)
from ..exceptions import BulkError, BulkFailure, DocumentTooLargeError, NotSupportedError, OperationError
from ..types import Document, Target, UpdateResult
from .base import ServerInfo
from .errors import DRIVER_ERRORS, translate
from .memory_pipelines import fields_needed, refuse_pipeline, rewritten
from .pymongo_async import PyMongoDriver

R = TypeVar("R")

BACKENDS = ("mongodb://", "embedded://")
# mongomock knows neither Decimal nor UUID, but it keeps Decimal128 and Binary as they are.
_PLAIN_OPTIONS = CODEC_OPTIONS.with_options(
    type_registry=TypeRegistry(), uuid_representation=UuidRepresentation.UNSPECIFIED
)
_MAX_SIZE = 16 * 1024 * 1024

_FIND_OPERATORS = frozenset(
    {
        "$text", "$where", "$jsonSchema", "$near", "$nearSphere", "$geoWithin", "$geoIntersects", "$bitsAllSet",
        "$bitsAllClear", "$bitsAnySet", "$bitsAnyClear", "$mod", "$sampleRate",
    }
)  # fmt: skip
_UPDATE_OPERATORS = frozenset({"$mul", "$bit"})
_COMPARING = frozenset({"$inc", "$min", "$max"})
_KNOWN_UPDATES = frozenset(
    {
        "$set", "$unset", "$inc", "$min", "$max", "$push", "$pull", "$pullAll", "$addToSet", "$pop", "$rename",
        "$currentDate", "$setOnInsert",
    }
)  # fmt: skip
_EXPRESSIONS = frozenset(
    {
        "$dateAdd", "$dateDiff", "$dateTrunc", "$dateSubtract", "$dateToParts", "$sortArray", "$firstN", "$lastN",
        "$minN", "$maxN", "$getField", "$setField", "$unsetField", "$regexFind", "$regexFindAll", "$replaceOne",
        "$replaceAll", "$toBool", "$toDate", "$toDouble", "$toObjectId", "$toUUID", "$type", "$round", "$trim",
        "$ltrim", "$rtrim", "$reduce", "$zip", "$mergeObjects", "$convert", "$bsonSize", "$binarySize", "$median",
        "$percentile", "$top", "$topN", "$bottom", "$bottomN", "$stdDevPop", "$stdDevSamp", "$accumulator",
        "$function", "$sin", "$cos", "$tan", "$asin", "$acos", "$atan", "$bitAnd", "$bitOr", "$bitXor", "$bitNot",
        "$rand", "$isNumber", "$setWindowFields",
    }
)  # fmt: skip
_INDEX_OPTIONS = frozenset(
    {"collation", "hidden", "wildcardProjection", "weights", "default_language", "language_override"}
)


_PROJECTIONS = frozenset({"$slice", "$elemMatch"})


class MemoryDriver(PyMongoDriver):
    """Runs commands on an `AsyncMongoMockClient`; refuses what it would do wrongly."""

    name = "memory"
    features: frozenset[str] = frozenset()

    @classmethod
    def _client(cls, uri: str, options: dict[str, Any]) -> Any:
        return AsyncMongoMockClient(tz_aware=True)

    async def stream(self, target: Target, command: Find | Aggregate, session: Any = None) -> AsyncIterator[Any]:
        """Yield the results as concatenated BSON, or as dicts when they are decoded, one chunk for all."""
        self._refuse(command)
        collection = self._collection(target)
        try:
            if isinstance(command, Find):
                cursor = collection.find(_plain(command.filter), _plain(command.projection))
                if command.sort:
                    cursor = cursor.sort(list(command.sort))
                rows = await cursor.skip(command.skip).limit(command.limit).to_list(None)
            else:
                pipeline = rewritten(command.pipeline)
                for field in set(fields_needed(pipeline)):
                    if await collection.find_one({field: {"$exists": False}}) is not None:
                        raise _lacks(f"expressions on documents without {field!r}")
                rows = await collection.aggregate(_plain(pipeline)).to_list(None)
        except NotImplementedError as error:
            raise _lacks(_feature_in(error)) from error
        except KeyError as error:
            raise _lacks(f"expressions on documents without {error}") from error
        except DRIVER_ERRORS as error:
            raise translate(error, target) from error
        except (TypeError, ValueError, AttributeError, AssertionError, ArithmeticError, LookupError) as error:
            if "Decimal128" in str(error):
                raise _lacks(_DECIMALS) from error
            raise OperationError(f"The memory backend cannot run this: {error}.") from error
        if rows:
            chunk = b"".join(bson.encode(row, codec_options=CODEC_OPTIONS) for row in rows)
            yield decode_raw(chunk) if isinstance(command, Find) and command.decoded else chunk

    async def watch(self, target: Target, command: Watch) -> AsyncIterator[Document]:
        """Refuse."""
        raise _lacks("change streams")
        yield  # what makes it a generator, as everywhere else

    async def execute(self, target: Target, command: Command[R], session: Any = None) -> R:
        """Run a command that has one answer."""
        self._refuse(command)
        try:
            return cast(R, await self._RUN[type(command)](self, target, command, session))
        except DRIVER_ERRORS as error:
            raise translate(error, target) from error
        except NotImplementedError as error:
            raise _lacks(_feature_in(error)) from error
        except (TypeError, ValueError, AttributeError, AssertionError, ArithmeticError, LookupError) as error:
            if "Decimal128" in str(error):
                raise _lacks(_DECIMALS) from error
            raise OperationError(f"The memory backend cannot run this: {error}.") from error

    async def writes_across(self) -> bool:
        """Say no: mongomock writes to one collection at a time."""
        return False

    async def start_session(self, *, causal: bool) -> Any:
        """Refuse: mongomock has no sessions."""
        raise _lacks("sessions and transactions")

    async def ping(self, timeout: float) -> None:
        """Answer at once."""

    async def server_info(self, timeout: float) -> ServerInfo:
        """Say that there is no server."""
        return ServerInfo("mongomock", "memory", {})

    async def close(self) -> None:
        """Keep the data; there is nothing to close."""

    def _collection(self, target: Target) -> Any:
        return self.client[target.database][target.collection]

    def _refuse(self, command: Any) -> None:
        if isinstance(command, RunCommand):
            raise _lacks("database commands")
        if getattr(command, "collation", None) is not None:
            raise _lacks("collation")
        if isinstance(command, Find | FindOne | Count | Delete | Update | FindAndUpdate | FindAndDelete | Distinct):
            _refuse_filter(command.filter)
        if isinstance(command, Update | FindAndUpdate):
            _refuse_update(command.update)
            if getattr(command, "array_filters", None):
                raise _lacks("array filters")
        if isinstance(command, BulkWrite):
            for operation in command.operations:
                _refuse_filter(operation.filter)
                if isinstance(operation, UpdateOne):
                    _refuse_update(operation.update)
                    if operation.array_filters:
                        raise _lacks("array filters")
        if isinstance(command, CreateIndex):
            _refuse_index(command)
        if isinstance(command, Find) and any(map(_is_expression, (command.projection or {}).values())):
            raise _lacks("expressions in projections")
        if isinstance(command, Aggregate):
            if command.let is not None:
                raise _lacks("variables of a pipeline")
            refuse_pipeline(rewritten(command.pipeline), _lacks, _refuse_filter)

    async def _insert_one(self, target: Target, command: InsertOne, session: Any) -> None:
        await self._collection(target).insert_one(_stored(command.document))

    async def _insert_many(self, target: Target, command: InsertMany, session: Any) -> None:
        failures: list[BulkFailure] = []
        written: list[int] = []
        for index, document in enumerate(command.documents):
            try:
                await self._insert_one(target, InsertOne(document=document), session)
            except DRIVER_ERRORS as error:
                failures.append(BulkFailure(index, translate(error, target)))
                if command.ordered:
                    break
            else:
                written.append(index)
        if failures:
            raise BulkError(
                f"{len(failures)} documents could not be written.",
                model=target.model,
                failures=tuple(failures),
                written=tuple(written),
            ) from failures[0].error

    async def _bulk_write(self, target: Target, command: BulkWrite, session: Any) -> BulkAnswer:
        failures: list[BulkFailure] = []
        matched = deleted = 0
        for index, operation in enumerate(command.operations):
            try:
                if isinstance(operation, UpdateOne):
                    update = Update(filter=operation.filter, update=operation.update)
                    matched += (await self._update(target, update, session)).matched
                else:
                    deleted += await self._delete(target, Delete(filter=operation.filter), session)
            except DRIVER_ERRORS as error:
                failures.append(BulkFailure(index, translate(error, target)))
                if command.ordered:
                    break
        if failures:
            raise BulkError(
                f"{len(failures)} operations failed.", model=target.model, failures=tuple(failures), written=()
            )
        return BulkAnswer(matched, deleted)

    async def _update(self, target: Target, command: Update, session: Any) -> UpdateResult:
        collection = self._collection(target)
        method = collection.update_many if command.many else collection.update_one
        result = await method(_plain(command.filter), _plain_update(command.update), upsert=command.upsert)
        return UpdateResult(result.matched_count, result.modified_count, result.upserted_id)

    async def _delete(self, target: Target, command: Delete, session: Any) -> int:
        collection = self._collection(target)
        method = collection.delete_many if command.many else collection.delete_one
        return int((await method(_plain(command.filter))).deleted_count)

    async def _find_and_update(self, target: Target, command: FindAndUpdate, session: Any) -> bytes | None:
        found = await self._collection(target).find_one_and_update(
            _plain(command.filter),
            _plain_update(command.update),
            projection=_plain(command.projection),
            upsert=command.upsert,
            sort=list(command.sort) or None,
            return_document=ReturnDocument.AFTER if command.return_new else ReturnDocument.BEFORE,
        )
        return None if found is None else bson.encode(found, codec_options=CODEC_OPTIONS)

    async def _find_and_delete(self, target: Target, command: FindAndDelete, session: Any) -> bytes | None:
        found = await self._collection(target).find_one_and_delete(
            _plain(command.filter), sort=list(command.sort) or None
        )
        return None if found is None else bson.encode(found, codec_options=CODEC_OPTIONS)

    async def _find_one(self, target: Target, command: FindOne, session: Any) -> bytes | None:
        found = await self._collection(target).find_one(_plain(command.filter))
        return None if found is None else bson.encode(found, codec_options=CODEC_OPTIONS)

    async def _count(self, target: Target, command: Count, session: Any) -> int:
        total = int(await self._collection(target).count_documents(_plain(command.filter)))
        left = max(0, total - command.skip)
        return min(left, command.limit) if command.limit else left

    async def _estimated_count(self, target: Target, command: EstimatedCount, session: Any) -> int:
        return int(await self._collection(target).count_documents({}))

    async def _distinct(self, target: Target, command: Distinct, session: Any) -> list[Any]:
        values = await self._collection(target).distinct(command.key, _plain(command.filter))
        return list(decode(bson.encode({"values": list(values)}, codec_options=CODEC_OPTIONS))["values"])

    async def _list_indexes(self, target: Target, command: ListIndexes, session: Any) -> list[Document]:
        found = await self._collection(target).index_information()
        return [
            {"name": name, **{key: value for key, value in index.items() if key != "key"}, "key": dict(index["key"])}
            for name, index in found.items()
        ]

    _RUN = {
        **PyMongoDriver._RUN,
        InsertOne: _insert_one,
        InsertMany: _insert_many,
        BulkWrite: _bulk_write,
        Update: _update,
        Delete: _delete,
        FindAndUpdate: _find_and_update,
        FindAndDelete: _find_and_delete,
        FindOne: _find_one,
        Count: _count,
        EstimatedCount: _estimated_count,
        Distinct: _distinct,
        ListIndexes: _list_indexes,
    }


def _is_expression(value: Any) -> bool:
    return isinstance(value, str | list) or (isinstance(value, Mapping) and not value.keys() <= _PROJECTIONS)


_DECIMALS = "distinct values, order and comparison of decimals"


def _feature_in(error: NotImplementedError) -> str:
    """Return what mongomock lacks; of decimals it says so with their values."""
    return _DECIMALS if "Decimal128" in str(error) else str(error)


def _lacks(feature: str) -> NotSupportedError:
    return NotSupportedError(
        f"The memory backend lacks {feature}.",
        hint=f"Use {' or '.join(BACKENDS)}.",
        feature=feature,
        backends=BACKENDS,
    )


def _stored(raw: bytes) -> Document:
    if len(raw) > _MAX_SIZE:
        raise DocumentTooLargeError("The document is over 16 MiB.", size=len(raw))
    return _plain(bson.decode(raw, CODEC_OPTIONS))  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    """Return a value with only the types that BSON has, which are the ones that mongomock compares rightly."""
    if value is None:
        return None
    return bson.decode(bson.encode({"value": value}, codec_options=CODEC_OPTIONS), _PLAIN_OPTIONS)["value"]


def _plain_update(update: Any) -> Any:
    return _plain(rewritten(update) if isinstance(update, list) else update)


def _refuse_filter(filter_: Any) -> None:
    for key, value in _pairs(filter_):
        if key in _FIND_OPERATORS or (key == "$expr" and any(inner in _EXPRESSIONS for inner, _ in _pairs(value))):
            raise _lacks(key)
        if isinstance(value, bson.Decimal128) and key.startswith("$") and key not in ("$eq", "$ne", "$in", "$nin"):
            raise _lacks("the order of Decimal128 values")
        if key == "$type" and isinstance(value, list):
            raise _lacks("$type with several types")
        if key == "$all" and not value:  # MongoDB finds nothing by it, mongomock everything
            raise _lacks("$all with no values")


def _refuse_update(update: Any) -> None:
    if isinstance(update, list):
        refuse_pipeline(rewritten(update), _lacks, _refuse_filter)
    if isinstance(update, Mapping):
        for operator in update:
            if operator in _UPDATE_OPERATORS:
                raise _lacks(operator)
            if operator not in _KNOWN_UPDATES:
                raise OperationError(f"Unknown modifier: {operator}.", code=9)
            for operand in update[operator].values():
                if operator in _COMPARING and isinstance(operand, Decimal | bson.Decimal128):
                    raise _lacks(f"{operator} of Decimal128 values")
                if operator == "$addToSet" and isinstance(operand, Mapping) and _has_twins(operand.get("$each", ())):
                    raise _lacks("$addToSet of the same element twice")
        for key, _ in _pairs(update):
            if "$[" in key or key.endswith(".$"):
                raise _lacks("$[] in paths, and $ at their end")


def _has_twins(elements: Any) -> bool:
    plain = _plain(list(elements)) or []
    return any(element in plain[:position] for position, element in enumerate(plain))


def _refuse_index(command: CreateIndex) -> None:
    for field, kind in command.keys:
        if isinstance(kind, str):
            raise _lacks(f"{kind} indexes")
        if field.endswith("$**"):
            raise _lacks("wildcard indexes")
    for option in sorted(_INDEX_OPTIONS & command.options.keys()):
        raise _lacks(f"indexes with {option}")


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key, inner
            yield from _pairs(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _pairs(inner)
