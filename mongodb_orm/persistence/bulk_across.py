"""Objects of several models written together, by one command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from ..codec import codec_of, decode
from ..commands import DeleteOne, InsertDocument, UpdateOne
from ..connections.units import in_transaction
from ..exceptions import BulkError, BulkFailure, MongoDBORMError, StaleDocumentError, ValidationError
from ..executor import Write, run_across
from ..garbage import uncollected
from ..hooks import Create, Delete, Event, Update
from ..schema import MappedModel, database_of, is_new, mark_deleted, set_snapshot, spec_of
from ..schema.mementos import touch
from ..timestamps import current_datetime
from .attending import attend_all
from .bulk import bulk_error, chunks, fate, forget_ids, give_ids, highest_id, lacking_ids
from .bulk_saving import prepared
from .changing import loaded_snapshot
from .deleting import accept_mark, mark_of
from .doubting import note_doubts
from .identifiers import note_given_id
from .locking import reason_of_miss, version_filter
from .preparing import accept, revalidate_all, take_back
from .saving import is_certain, stamp_new


class Entry(NamedTuple):
    """An object to save or to delete, and its position among all that were given."""

    position: int
    document: MappedModel
    is_deletion: bool


@dataclass(slots=True)
class Outcome:
    """What became of entries.

    Attributes:
        model: Their model, None when they are of several.
        saved: How many were inserted or updated.
        deleted: How many were deleted.
        failures: Those that could not be written.
        written: The positions of those that were.
    """

    model: type[MappedModel] | None
    saved: int = 0
    deleted: int = 0
    failures: list[BulkFailure] = field(default_factory=list)
    written: list[int] = field(default_factory=list)

    def error(self) -> BulkError:
        """Return the error that tells of the failures."""
        return bulk_error(self.model, sorted(self.failures, key=lambda failure: failure.index), sorted(self.written))


class _Pending(NamedTuple):
    """A write that is ready to be sent.

    Attributes:
        entry: What it is for.
        operation: What is sent.
        size: About how many bytes that is.
        done: Lets the object be what was written.
        undo: Takes back what was prepared in the object.
    """

    entry: Entry
    operation: InsertDocument | UpdateOne | DeleteOne
    size: int
    done: Callable[[], object]
    undo: Callable[[], object] | None = None


async def write_across(entries: Sequence[Entry], outcome: Outcome, *, ordered: bool) -> None:
    """Write objects of several models on one connection in the order in which they are given, by few commands.

    All are validated before anything is sent.

    Args:
        entries: The objects.
        outcome: What became of them goes there.
        ordered: Whether to stop at the first that the server refuses.

    Raises:
        ValidationError: When a value does not fit; locations begin with the position, and nothing is stored.
        DocumentNotFoundError: When an object to delete is not stored; likewise.
    """
    batch = _Batch(entries, outcome, ordered)
    batch.check()
    try:
        await attend_all(batch.events(), batch.write)
    except BulkError as error:
        if error is not batch.error:  # a hook's own
            raise
    finally:  # no hook and no observer hears of what was gone before
        for document in batch.gone:
            mark_deleted(document)


class _Batch:
    def __init__(self, entries: Sequence[Entry], outcome: Outcome, ordered: bool) -> None:
        self._outcome = outcome
        self._ordered = ordered
        self._deleted = [entry for entry in entries if entry.is_deletion]
        self._new = [entry for entry in entries if not entry.is_deletion and is_new(entry.document)]
        self._stored = [entry for entry in entries if not entry.is_deletion and not is_new(entry.document)]
        self._waiting: dict[int, _Pending] = {}
        self.error: BulkError | None = None
        self.gone: list[MappedModel] = []  # that were to be removed, and that somebody else had removed before

    def check(self) -> None:
        """Validate new objects, and refuse to delete what is not stored."""
        revalidate_all((entry.position, entry.document) for entry in self._new)
        for entry in self._deleted:
            loaded_snapshot(entry.document)

    def events(self) -> list[tuple[type[Event], list[MappedModel]]]:
        """Return what happens to which objects."""
        parts = ((Update, self._stored), (Create, self._new), (Delete, self._deleted))
        return [(event, [entry.document for entry in entries]) for event, entries in parts if entries]

    async def write(self) -> None:
        """Prepare and send everything."""
        without_id: list[MappedModel] = []
        try:
            await self._prepare_stored()
            without_id += lacking_ids(entry.document for entry in self._new)
            given = self._given_ids()
            await self._prepare_new(without_id)
            self._prepare_deleted()
            await self._send()
            for model, highest in given.items():
                await note_given_id(model, highest)
        except (MongoDBORMError, ValidationError) as error:
            if is_certain(error):
                forget_ids(without_id)
            raise
        finally:
            for pending in self._waiting.values():
                if pending.undo is not None:
                    pending.undo()
        if self._outcome.failures:
            forget_ids(without_id)
            self.error = self._outcome.error()
            raise self.error from self._outcome.failures[0].error

    def _given_ids(self) -> dict[type[MappedModel], int]:
        """Return the highest id of each model that the caller chose."""
        found: dict[type[MappedModel], int] = {}
        for entry in self._new:
            model, highest = type(entry.document), highest_id((entry.document,))
            if highest is not None:
                found[model] = max(highest, found.get(model, highest))
        return found

    async def _prepare_stored(self) -> None:
        by_position = {entry.position: entry for entry in self._stored}
        stored = [(entry.position, entry.document) for entry in self._stored]
        new = [(entry.position, entry.document) for entry in self._new]
        for position, document, pending in await prepared(stored, new):
            self._waiting[position] = _Pending(
                by_position[position],
                UpdateOne(pending.filter, pending.update),
                len(pending.raw),
                partial(accept, document, pending),
                partial(take_back, document, pending),
            )

    async def _prepare_new(self, without_id: Sequence[MappedModel]) -> None:
        for model in dict.fromkeys(map(type, without_id)):
            await give_ids(model, [document for document in without_id if type(document) is model])
        now = current_datetime()
        with uncollected():
            for entry in self._new:
                stamp_new(entry.document, now)
                raw = codec_of(type(entry.document)).dump(entry.document)
                self._waiting[entry.position] = _Pending(
                    entry, InsertDocument(raw), len(raw), partial(set_snapshot, entry.document, raw)
                )

    def _prepare_deleted(self) -> None:
        moment = current_datetime()
        for entry in self._deleted:
            document = entry.document
            touch(document)
            spec = spec_of(type(document))
            if spec.deletion is None:
                stored = decode(loaded_snapshot(document))
                operation: UpdateOne | DeleteOne = DeleteOne({"_id": stored["_id"], **version_filter(spec, stored)})
                done: Callable[[], object] = partial(mark_deleted, document)
            else:
                mark = mark_of(document, moment)
                operation = UpdateOne(mark.filter, mark.update)
                done = partial(accept_mark, document, mark)
            self._waiting[entry.position] = _Pending(entry, operation, 0, done)

    async def _send(self) -> None:
        waiting = [self._waiting[position] for position in sorted(self._waiting)]
        for start, chunk in chunks(waiting, lambda pending: pending.size):
            try:
                await self._send_some(chunk)
            except MongoDBORMError as error:
                error.add_note(fate(start, start + len(chunk), len(waiting), len(self._outcome.written)))
                raise
            if self._outcome.failures and (self._ordered or in_transaction()):
                break

    async def _send_some(self, chunk: Sequence[_Pending]) -> None:
        writes = [
            Write(type(pending.entry.document), database_of(pending.entry.document), pending.operation)
            for pending in chunk
        ]
        refused: dict[int, Exception] = {}
        try:
            found = await run_across(writes, ordered=self._ordered)
        except BulkError as error:
            found = error.written
            refused = {failure.index: failure.error for failure in error.failures}
            for index, reason in refused.items():
                self._outcome.failures.append(BulkFailure(chunk[index].entry.position, reason))
            if in_transaction():  # which is over, so that nothing was written, and nothing can be read
                return
        except BaseException as error:
            note_doubts([pending.entry.document for pending in chunk], error)
            raise
        for index in found:
            self._accept(chunk[index])
        tried = range(min(refused) if refused and self._ordered else len(chunk))
        for index in sorted(set(tried) - set(found) - refused.keys()):
            await self._explain(chunk[index].entry)

    def _accept(self, pending: _Pending) -> None:
        pending.done()
        position, _, is_deletion = pending.entry
        del self._waiting[position]
        self._outcome.written.append(position)
        if is_deletion:
            self._outcome.deleted += 1
        else:
            self._outcome.saved += 1

    async def _explain(self, entry: Entry) -> None:
        """Find out why a write found no document; one that is to be deleted may be gone already."""
        document, spec = entry.document, spec_of(type(entry.document))
        if not entry.is_deletion:
            self._outcome.failures.append(BulkFailure(entry.position, await reason_of_miss(document)))
            return
        reason = await reason_of_miss(document) if spec.versioning is not None else None
        if isinstance(reason, StaleDocumentError):
            self._outcome.failures.append(BulkFailure(entry.position, reason))
        elif spec.deletion is None:
            self.gone.append(document)
