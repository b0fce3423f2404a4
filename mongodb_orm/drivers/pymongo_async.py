"""The driver on PyMongo's own async API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar, TypeVar, cast

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient, ReturnDocument
from pymongo import errors as pymongo_errors
from pymongo.errors import BulkWriteError, ClientBulkWriteException, OperationFailure

from ..codec import CODEC_OPTIONS, DRIVER_OPTIONS, WIRE_OPTIONS, decode
from ..commands import (
    Aggregate,
    BulkAnswer,
    BulkWrite,
    BulkWriteAcross,
    Command,
    Count,
    CreateIndex,
    Delete,
    Distinct,
    DropIndex,
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
)
from ..exceptions import BulkError
from ..types import Document, Target, UpdateResult
from .across import operations_across, positions_found, translate_across
from .arguments import RAW_OPTIONS, READ_PREFERENCES, bulk_operations, deadline, given, hint
from .base import ALL_FEATURES
from .cancelling import cancellations, obey_cancellation
from .errors import DRIVER_ERRORS, translate
from .sessions import Sessions
from .vitals import Vitals
from .watching import Watching

R = TypeVar("R")


_MISSING_NAMESPACE = 26
_LIST = 1000
"""Decoded documents that are handed on at once."""


async def _lists(cursor: Any) -> AsyncIterator[list[Document]]:
    while documents := await cursor.to_list(_LIST):
        yield documents


class PyMongoDriver(Sessions, Vitals, Watching):
    """Runs commands on an `AsyncMongoClient`; Motor's driver overrides only what Motor shapes differently."""

    name = "pymongo"
    features = ALL_FEATURES

    def __init__(self, client: Any) -> None:
        self.client = client
        self._collections: dict[tuple[str, str], Any] = {}
        self._raw_collections: dict[tuple[str, str], Any] = {}

    @classmethod
    def open(cls, uri: str, options: dict[str, Any]) -> PyMongoDriver:
        """Return a driver with a new client; nothing is sent before the first command."""
        try:
            return cls(cls._client(uri, options))
        except (*DRIVER_ERRORS, TypeError, ValueError) as error:
            # The driver's message may repeat the URI, so the cause is left out.
            raise translate(
                error if isinstance(error, DRIVER_ERRORS) else pymongo_errors.ConfigurationError(str(error))
            ) from None

    @classmethod
    def _client(cls, uri: str, options: dict[str, Any]) -> Any:
        return AsyncMongoClient(uri, **options)

    async def stream(self, target: Target, command: Find | Aggregate, session: Any = None) -> AsyncIterator[Any]:
        """Yield the results as concatenated BSON, a chunk for each batch; as lists of dicts when they are decoded."""
        cursor: Any = None
        try:
            if not self._topology().has_known_servers:
                await self._find_server()
            if isinstance(command, Find):
                cursor = self._find(target, command, session)
            else:
                cursor = await self._aggregate(target, command, session)
            chunks = _lists(cursor) if isinstance(command, Find) and command.decoded else aiter(cursor)
            while True:
                before = cancellations()
                with deadline(command):
                    try:
                        chunk = await anext(chunks)
                    except StopAsyncIteration:
                        return
                obey_cancellation(before)
                yield chunk
        except DRIVER_ERRORS as error:
            raise translate(error, target) from error
        except RuntimeError as error:
            if "event loop" not in str(error):
                raise
            raise translate(error, target) from error
        finally:
            if cursor is not None and cursor.alive:
                await cursor.close()

    async def execute(self, target: Target, command: Command[R], session: Any = None) -> R:
        """Run a command that has one answer."""
        try:
            if not self._topology().has_known_servers:
                await self._find_server()
            before = cancellations()
            with deadline(command):
                answer = cast(R, await self._RUN[type(command)](self, target, command, session))
            obey_cancellation(before)
            return answer
        except DRIVER_ERRORS as error:
            raise translate(error, target) from error
        except RuntimeError as error:
            if "event loop" not in str(error):
                raise
            raise translate(error, target) from error

    async def close(self) -> None:
        """Close the client."""
        await self.client.close()

    def _collection(self, target: Target) -> Any:
        key = (target.database, target.collection)
        collection = self._collections.get(key)
        if collection is None:
            collection = self.client.get_database(target.database).get_collection(
                target.collection, codec_options=WIRE_OPTIONS
            )
            self._collections[key] = collection
        return collection

    def _reading(self, target: Target, command: Find | Aggregate | Count | Distinct) -> Any:
        collection = self._collection(target)
        if command.read_preference is None:
            return collection
        return collection.with_options(read_preference=READ_PREFERENCES[command.read_preference])

    def _raw_collection(self, target: Target) -> Any:
        key = (target.database, target.collection)
        collection = self._raw_collections.get(key)
        if collection is None:
            collection = self._collection(target).with_options(codec_options=RAW_OPTIONS)
            self._raw_collections[key] = collection
        return collection

    def _find(self, target: Target, command: Find, session: Any) -> Any:
        options = given(
            projection=command.projection,
            sort=list(command.sort) or None,
            hint=hint(command.hint),
            comment=command.comment,
            max_time_ms=command.max_time_ms,
            collation=command.collation,
            allow_disk_use=command.allow_disk_use,
            session=session,
        )
        collection = self._reading(target, command)
        # Raw batches cost PyMongo an object for each document, which dicts do without.
        find = collection.with_options(DRIVER_OPTIONS).find if command.decoded else collection.find_raw_batches
        return find(command.filter, skip=command.skip, limit=command.limit, batch_size=command.batch_size, **options)

    def _aggregate_arguments(self, command: Aggregate, session: Any) -> dict[str, Any]:
        return given(
            hint=hint(command.hint),
            comment=command.comment,
            maxTimeMS=command.max_time_ms,
            collation=command.collation,
            allowDiskUse=command.allow_disk_use,
            batchSize=command.batch_size or None,
            let=command.let,
            session=session,
        )

    async def _aggregate(self, target: Target, command: Aggregate, session: Any) -> Any:
        return await self._reading(target, command).aggregate_raw_batches(
            list(command.pipeline), **self._aggregate_arguments(command, session)
        )

    async def _insert_one(self, target: Target, command: InsertOne, session: Any) -> None:
        await self._collection(target).insert_one(
            RawBSONDocument(command.document), **given(session=session, comment=command.comment)
        )

    async def _insert_many(self, target: Target, command: InsertMany, session: Any) -> None:
        documents = [RawBSONDocument(document) for document in command.documents]
        try:
            await self._collection(target).insert_many(
                documents, ordered=command.ordered, **given(session=session, comment=command.comment)
            )
        except BulkWriteError as error:
            ours = translate(error, target)
            if isinstance(ours, BulkError):
                failed = {failure.index for failure in ours.failures}
                end = min(failed) if command.ordered else len(documents)
                ours.written = tuple(index for index in range(end) if index not in failed)
            raise ours from error

    async def _bulk_write(self, target: Target, command: BulkWrite, session: Any) -> BulkAnswer:
        operations = bulk_operations(command)
        try:
            result = await self._collection(target).bulk_write(
                operations, ordered=command.ordered, **given(session=session, comment=command.comment)
            )
        except BulkWriteError as error:
            raise translate(error, target) from error
        return BulkAnswer(result.matched_count, result.deleted_count)

    async def _bulk_write_across(self, target: Target, command: BulkWriteAcross, session: Any) -> tuple[int, ...]:
        try:
            result = await self.client.bulk_write(
                operations_across(command),
                ordered=command.ordered,
                verbose_results=True,  # a summary cannot tell which update found nothing
                **given(session=session, comment=command.comment),
            )
        except ClientBulkWriteException as error:
            raise translate_across(error, [placed.target for placed in command.operations], target) from error
        return positions_found(result)

    async def _update(self, target: Target, command: Update, session: Any) -> UpdateResult:
        collection = self._collection(target)
        method = collection.update_many if command.many else collection.update_one
        result = await method(
            command.filter,
            command.update,
            upsert=command.upsert,
            **given(
                array_filters=command.array_filters,
                hint=hint(command.hint),
                collation=command.collation,
                comment=command.comment,
                session=session,
            ),
        )
        return UpdateResult(result.matched_count, result.modified_count, result.upserted_id)

    async def _delete(self, target: Target, command: Delete, session: Any) -> int:
        collection = self._collection(target)
        method = collection.delete_many if command.many else collection.delete_one
        options = given(hint=hint(command.hint), collation=command.collation, comment=command.comment, session=session)
        return int((await method(command.filter, **options)).deleted_count)

    async def _find_and_update(self, target: Target, command: FindAndUpdate, session: Any) -> bytes | None:
        found = await self._raw_collection(target).find_one_and_update(
            command.filter,
            command.update,
            upsert=command.upsert,
            return_document=ReturnDocument.AFTER if command.return_new else ReturnDocument.BEFORE,
            **given(
                projection=command.projection,
                sort=list(command.sort) or None,
                array_filters=command.array_filters,
                hint=hint(command.hint),
                collation=command.collation,
                comment=command.comment,
                session=session,
            ),
        )
        return None if found is None else bytes(found.raw)

    async def _find_and_delete(self, target: Target, command: FindAndDelete, session: Any) -> bytes | None:
        options = given(hint=hint(command.hint), collation=command.collation, comment=command.comment, session=session)
        found = await self._raw_collection(target).find_one_and_delete(
            command.filter, sort=list(command.sort) or None, **options
        )
        return None if found is None else bytes(found.raw)

    async def _find_one(self, target: Target, command: FindOne, session: Any) -> bytes | None:
        found = await self._raw_collection(target).find_one(
            command.filter, **given(comment=command.comment, max_time_ms=command.max_time_ms, session=session)
        )
        return None if found is None else bytes(found.raw)

    async def _count(self, target: Target, command: Count, session: Any) -> int:
        options = given(
            skip=command.skip or None,
            limit=command.limit or None,
            hint=hint(command.hint),
            collation=command.collation,
            maxTimeMS=command.max_time_ms,
            comment=command.comment,
            session=session,
        )
        return int(await self._reading(target, command).count_documents(command.filter, **options))

    async def _estimated_count(self, target: Target, command: EstimatedCount, session: Any) -> int:
        return int(await self._collection(target).estimated_document_count(**given(comment=command.comment)))

    async def _distinct(self, target: Target, command: Distinct, session: Any) -> list[Any]:
        options = given(
            collation=command.collation,
            comment=command.comment,
            session=session,
        )
        collection = self._reading(target, command).with_options(codec_options=CODEC_OPTIONS)
        return list(await collection.distinct(command.key, command.filter, **options))

    async def _create_index(self, target: Target, command: CreateIndex, session: Any) -> str:
        return str(
            await self._collection(target).create_index(
                list(command.keys), **{**command.options, **given(session=session)}
            )
        )

    async def _drop_index(self, target: Target, command: DropIndex, session: Any) -> None:
        await self._collection(target).drop_index(command.name, **given(session=session))

    async def _list_indexes(self, target: Target, command: ListIndexes, session: Any) -> list[Document]:
        try:
            cursor = await self._index_cursor(target)
            # Decoded anew, since PyMongo reads them with options of its own.
            return [decode(bson.encode(index, codec_options=CODEC_OPTIONS)) for index in await cursor.to_list(None)]
        except OperationFailure as error:
            if error.code == _MISSING_NAMESPACE:
                return []
            raise

    async def _index_cursor(self, target: Target) -> Any:
        return await self._collection(target).list_indexes()

    async def _run_command(self, target: Target, command: RunCommand, session: Any) -> Document:
        database = self.client.get_database("admin" if command.admin else target.database, codec_options=CODEC_OPTIONS)
        return dict(await database.command(dict(command.command), **given(session=session)))

    _RUN: ClassVar[dict[type[Command[Any]], Callable[..., Awaitable[Any]]]] = {
        InsertOne: _insert_one,
        InsertMany: _insert_many,
        BulkWrite: _bulk_write,
        BulkWriteAcross: _bulk_write_across,
        Update: _update,
        Delete: _delete,
        FindAndUpdate: _find_and_update,
        FindAndDelete: _find_and_delete,
        FindOne: _find_one,
        Count: _count,
        EstimatedCount: _estimated_count,
        Distinct: _distinct,
        CreateIndex: _create_index,
        DropIndex: _drop_index,
        ListIndexes: _list_indexes,
        RunCommand: _run_command,
    }
