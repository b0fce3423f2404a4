"""What goes to the server: one frozen value per trip, under stored names, generic in what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from .types import Document, Filter, Sort, Target, UpdateResult

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Generic[R_co]):
    """One trip to the server whose answer is an `R_co`."""

    comment: Any = None
    max_time_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Find(Command[bytes]):
    """Read documents; answered as a stream of concatenated BSON.

    Attributes:
        decoded: Whether the answer is a stream of lists of dicts instead, with the driver's own values.
    """

    filter: Filter = field(default_factory=dict)
    projection: Mapping[str, Any] | None = None
    sort: Sort = ()
    skip: int = 0
    limit: int = 0
    batch_size: int = 0
    hint: str | Sequence[tuple[str, Any]] | None = None
    collation: Mapping[str, Any] | None = None
    allow_disk_use: bool | None = None
    read_preference: str | None = None
    decoded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FindOne(Command["bytes | None"]):
    """Read the first document that matches, encoded."""

    filter: Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Command[bytes]):
    """Run a pipeline; answered as a stream of concatenated BSON."""

    pipeline: Sequence[Mapping[str, Any]]
    batch_size: int = 0
    hint: str | Sequence[tuple[str, Any]] | None = None
    collation: Mapping[str, Any] | None = None
    let: Mapping[str, Any] | None = None
    allow_disk_use: bool | None = None
    read_preference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(Command[int]):
    """Count the documents that match (`limit` and `skip` as in `Find`)."""

    filter: Filter = field(default_factory=dict)
    skip: int = 0
    limit: int = 0
    hint: str | Sequence[tuple[str, Any]] | None = None
    collation: Mapping[str, Any] | None = None
    read_preference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedCount(Command[int]):
    """Read the collection's document count from its metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct(Command[list[Any]]):
    """List the distinct values of a field."""

    key: str
    filter: Filter = field(default_factory=dict)
    collation: Mapping[str, Any] | None = None
    read_preference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertOne(Command[None]):
    """Insert one encoded document; it must carry its `_id`."""

    document: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertMany(Command[None]):
    """Insert encoded documents; each must carry its `_id`."""

    documents: Sequence[bytes]
    ordered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Command[UpdateResult]):
    """Update one or many documents by operators or by a pipeline."""

    filter: Filter
    update: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    many: bool = False
    upsert: bool = False
    array_filters: Sequence[Mapping[str, Any]] | None = None
    hint: str | Sequence[tuple[str, Any]] | None = None
    collation: Mapping[str, Any] | None = None


class UpdateOne(NamedTuple):
    """One update of a bulk write."""

    filter: Filter
    update: Any
    array_filters: Sequence[Mapping[str, Any]] | None = None


class DeleteOne(NamedTuple):
    """One removal of a bulk write."""

    filter: Filter


class InsertDocument(NamedTuple):
    """One insertion of a bulk write; the encoded document must carry its `_id`."""

    document: bytes


class BulkAnswer(NamedTuple):
    """What a bulk write did."""

    matched: int
    deleted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkWrite(Command[BulkAnswer]):
    """Update and remove documents of one collection, each by its own filter, in one trip."""

    operations: Sequence[UpdateOne | DeleteOne]
    ordered: bool = True

    @property
    def filter(self) -> Filter:
        """The documents that it is about, by the ids in the filters."""
        return {"_id": {"$in": [operation.filter.get("_id") for operation in self.operations]}}


class Placed(NamedTuple):
    """One write of a bulk write across collections, and where it goes."""

    target: Target
    operation: InsertDocument | UpdateOne | DeleteOne


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkWriteAcross(Command[tuple[int, ...]]):
    """Insert, update and remove documents of several collections in one trip.

    It is answered with the positions of the writes that made or found a document. When the server refuses some, a
    `BulkError` has those positions as `written`.
    """

    operations: Sequence[Placed]
    ordered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Command[int]):
    """Delete one or many documents; answered with how many were removed."""

    filter: Filter
    many: bool = False
    hint: str | Sequence[tuple[str, Any]] | None = None
    collation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindAndUpdate(Command["bytes | None"]):
    """Update one document and answer it, encoded, as it was before or after."""

    filter: Filter
    update: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    sort: Sort = ()
    upsert: bool = False
    return_new: bool = True
    projection: Mapping[str, Any] | None = None
    array_filters: Sequence[Mapping[str, Any]] | None = None
    hint: str | Sequence[tuple[str, Any]] | None = None
    collation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindAndDelete(Command["bytes | None"]):
    """Remove one document and answer it, encoded, as it was."""

    filter: Filter
    sort: Sort = ()
    hint: str | Sequence[tuple[str, Any]] | None = None
    collation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Command[Document]):
    """Follow the changes of a collection; answered as a stream of events, the longest pause of which is `max_time_ms`.

    Attributes:
        pipeline: Stages that choose and shape events.
        full_document: `"updateLookup"` for the whole document after an update.
        start_at: The server's time from which on changes count; now unless given.
    """

    pipeline: Sequence[Mapping[str, Any]] = ()
    full_document: str | None = None
    start_at: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateIndex(Command[str]):
    """Create an index; answered with its name."""

    keys: Sequence[tuple[str, Any]]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndex(Command[None]):
    """Drop an index by name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListIndexes(Command[list[Document]]):
    """List the definitions of a collection's indexes; a missing collection has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCommand(Command[Document]):
    """Run any database command on the target's database; `admin` runs it on the admin database."""

    command: Mapping[str, Any]
    admin: bool = False
