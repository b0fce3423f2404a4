"""Soft deletion: what is marked is seen by nobody who did not ask for it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any

import pytest

from mongodb_orm import (
    BaseModel,
    DuplicateDocumentError,
    Indexed,
    InvalidValueError,
    NotSupportedError,
    Q,
    SoftDeleteMixin,
    current_datetime,
)


class Note(BaseModel, SoftDeleteMixin):
    text: Annotated[str, Indexed(unique=True)]
    size: int = 1


class Plain(BaseModel):
    text: str


@pytest.fixture
async def notes(register_any: Any) -> list[Note]:
    await register_any(Note, Plain)
    made = await Note.bulk_create([{"text": text, "size": size} for size, text in enumerate("abc", 1)])
    await made[2].delete()
    return made


READS: dict[str, Any] = {
    "all": (lambda: Note.all(), lambda found: len(found) == 2),
    "filter": (lambda: Note.filter(size__gte=1), lambda found: len(found) == 2),
    "q": (lambda: Note.filter(Q(text="c") | Q(text="a")), lambda found: [note.text for note in found] == ["a"]),
    "raw": (lambda: Note.filter({"text": "c"}), lambda found: found == []),
    "get": (lambda: Note.get(text="c"), lambda found: found is None),
    "get_by_id": (lambda: Note.get_by_id(3), lambda found: found is None),
    "count": (lambda: Note.count(), lambda found: found == 2),
    "exists": (lambda: Note.exists(text="c"), lambda found: found is False),
    "distinct": (lambda: Note.distinct("text"), lambda found: sorted(found) == ["a", "b"]),
    "aggregate": (
        lambda: Note.aggregate([{"$group": {"_id": None, "n": {"$sum": "$size"}}}]),
        lambda found: found[0]["n"] == 3,
    ),
    "sum": (lambda: Note.all().sum("size"), lambda found: found == 3),
    "max": (lambda: Note.all().max("size"), lambda found: found == 2),
    "values": (lambda: Note.all().values_list("text", flat=True), lambda found: found == ["a", "b"]),
    "last": (lambda: Note.all().order_by("size").last(), lambda found: found.text == "b"),
    "in_bulk": (lambda: Note.all().in_bulk([1, 3]), lambda found: list(found) == [1]),
    "page": (lambda: Note.paginate(page=1, size=10), lambda found: found.total == 2),
    "keyset": (lambda: Note.all().paginate_after(None, 10), lambda found: len(found.items) == 2),
    "update": (lambda: Note.all().update(size=9), lambda found: found == 2),
    "update_many": (lambda: Note.update_many({"text": "c"}, {"$set": {"size": 9}}), lambda found: found == 0),
    "delete_many": (lambda: Note.delete_many(text="c"), lambda found: found == 0),
    "hard_delete": (lambda: Note.filter(text="c").hard_delete(), lambda found: found == 0),
    "exclude": (lambda: Note.exclude(text="a"), lambda found: [note.text for note in found] == ["b"]),
    "with_deleted": (lambda: Note.with_deleted().count(), lambda found: found == 3),
    "only_deleted": (lambda: Note.only_deleted().count(), lambda found: found == 1),
    "named": (lambda: Note.filter(is_deleted=True), lambda found: [note.text for note in found] == ["c"]),
    "moment": (lambda: Note.filter(deleted_at__ne=None).count(), lambda found: found == 1),
}


@pytest.mark.parametrize("name", READS)
async def test_what_is_deleted_is_hidden(notes: list[Note], name: str) -> None:
    ask, fits = READS[name]
    assert fits(await ask())


async def test_streams_and_get_or_create(notes: list[Note]) -> None:
    assert [note.text async for note in Note.all()] == ["a", "b"]
    with pytest.raises(DuplicateDocumentError):  # the deleted one does not stand in the way of others
        await Note.create(text="a")
    again, made = await Note.get_or_create(text="c")
    assert made and again.id != notes[2].id


async def test_restoring_by_query(notes: list[Note]) -> None:
    assert await Note.delete_many(size__lte=2) == 2
    assert await Note.filter(text="a").restore() == 1
    assert await Note.only_deleted().filter(text="b").restore() == 1
    assert await Note.with_deleted().restore() == 1
    assert await Note.count() == 3 and await Note.only_deleted().restore() == 0
    found = await Note.get(text="a")
    assert found is not None and found.deleted_at is None and found.updated_at >= notes[0].updated_at
    with pytest.raises(NotSupportedError):
        await Plain.all().restore()
    with pytest.raises(InvalidValueError):
        await Note.all().limit(1).restore()


async def test_restoring_what_was_taken(notes: list[Note]) -> None:
    await Note.create(text="c")
    with pytest.raises(DuplicateDocumentError):
        await notes[2].restore()
    with pytest.raises(DuplicateDocumentError):
        await Note.only_deleted().restore()
    assert notes[2].is_deleted and await Note.only_deleted().count() == 1


async def test_purging(notes: list[Note]) -> None:
    long_ago = current_datetime() - timedelta(days=40)
    await Note.filter(text="a").update(is_deleted=True, deleted_at=long_ago)
    assert await Note.purge(older_than=timedelta(days=30), text="b") == 0
    assert await Note.purge(older_than=timedelta(days=30)) == 1
    assert await Note.with_deleted().count() == 2
    assert await Note.purge(older_than=long_ago) == 0
    await asyncio.sleep(0.002)  # what was deleted in this very millisecond is not older
    assert await Note.purge(older_than=current_datetime().replace(tzinfo=None)) == 1
    assert [note.text for note in await Note.with_deleted()] == ["b"]


@pytest.mark.parametrize(
    "older_than", [None, 30, "30d", timedelta(days=-1), current_datetime() + timedelta(days=30), datetime.max]
)
async def test_purging_with_nonsense(notes: list[Note], older_than: Any) -> None:
    with pytest.raises(InvalidValueError):
        await Note.purge(older_than=older_than)


async def test_unsaved_changes_survive_a_delete_and_a_deleted_object_can_be_read_again(notes: list[Note]) -> None:
    one = notes[0]
    one.size = 50
    assert await one.delete() and not await one.delete()
    await one.restore()
    await one.save()
    assert (await Note.get_by_id(one.id)).size == 50
    await one.delete()
    assert (await one.refresh_from_db()).is_deleted
    assert await one.hard_delete()
    assert not await Note.with_deleted().filter(text="a").exists()
