"""Versions of documents: every write of a model with a history leaves one, with when and who."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import Field

from mongodb_orm import (
    ActorMixin,
    BaseModel,
    DocumentNotFoundError,
    HistoryMixin,
    InvalidValueError,
    SoftDeleteMixin,
    ValidationError,
    actor,
    current_actor,
)


class Contract(BaseModel, HistoryMixin):
    title: str = Field(min_length=1, alias="t")
    terms: dict[str, int] = {}


class Kept(BaseModel, HistoryMixin, SoftDeleteMixin):
    name: str


class Signed(BaseModel, ActorMixin):
    name: str


def told(versions: Any) -> list[Any]:
    return [(version.version, version.kind, version.by) for version in versions]


async def test_every_write_of_an_object_is_a_version(register_any: Any) -> None:
    await register_any(Contract)
    with actor("ann"):
        contract = await Contract.create(title="draft", terms={"days": 1})
    contract.title = "final"
    with actor("ben"):
        await contract.save()
        await contract.save()  # nothing changed
    assert told(await contract.history()) == [(2, "update", "ben"), (1, "create", "ann")]
    newest, oldest = await contract.history()
    assert newest.values["title"] == "final" and oldest.values["id"] == contract.id
    assert oldest.at.tzinfo is not None and oldest.at <= newest.at
    assert told(await contract.history(skip=1, limit=1)) == [(1, "create", "ann")]
    await contract.delete()
    assert told(await Contract.history_of(str(contract.id)))[0] == (3, "delete", None)
    assert (await Contract.history_of(contract.id))[0].values == {}
    assert await Contract.history_of(99) == []
    assert (await Contract.forget_history(99), await Contract.forget_history(contract.id)) == (0, 3)
    assert await Contract.history_of(contract.id) == []
    with pytest.raises(DocumentNotFoundError):
        await contract.history()


async def test_differences_and_going_back(register_any: Any) -> None:
    await register_any(Contract)
    contract = await Contract.create(title="draft", terms={"days": 1, "old": 1})
    contract.title, contract.terms = "final", {"days": 2}
    await contract.save()
    changes = await contract.compare_versions(1, 2)
    changes.pop("updated_at")
    assert {path: (change.old, change.new) for path, change in changes.items()} == {
        "title": ("draft", "final"),
        "terms.days": (1, 2),
        "terms.old": (1, None),
    }
    created = contract.created_at
    assert await contract.revert(1) is contract
    stored = await Contract.get_by_id(contract.id)
    assert (stored.title, stored.terms, stored.created_at) == ("draft", {"days": 1, "old": 1}, created)
    assert len(await contract.history()) == 3
    for version in (-(2**70), 0, 9, 2**70):
        with pytest.raises((DocumentNotFoundError, InvalidValueError)):
            await contract.revert(version)
    with pytest.raises(InvalidValueError):
        await contract.compare_versions("1", 2)  # type: ignore[arg-type]


async def test_bulk_and_queries_are_recorded_too(register_any: Any) -> None:
    await register_any(Contract)
    with actor("job"):
        one, two = await Contract.bulk_create([{"title": "one"}, {"title": "two"}])
        assert await Contract.filter(title="one").update(title="uno") == 1
    await Contract.delete_many(title="two")
    assert told(await one.history()) == [(2, "update", "job"), (1, "create", "job")]
    assert (await one.history(limit=1))[0].values["title"] == "uno"
    assert told(await two.history()) == [(2, "delete", None), (1, "create", "job")]


async def test_soft_deletes_and_restores_are_versions(register_any: Any) -> None:
    await register_any(Kept)
    kept = await Kept.create(name="a")
    await kept.delete()
    await Kept.only_deleted().restore()
    await Kept.all().delete()
    await kept.refresh_from_db()
    assert [version.kind for version in await kept.history()] == ["delete", "restore", "delete", "create"]
    kept.name = "b"
    await kept.save()
    await kept.revert(1)
    assert kept.name == "a" and kept.is_deleted


async def test_a_history_that_begins_late_has_a_baseline(register_any: Any) -> None:
    class Plain(BaseModel):
        name: str

        class Meta:
            collection_name = "late"

    class Late(BaseModel, HistoryMixin):
        name: str

        class Meta:
            collection_name = "late"

    await register_any(Plain, Late)
    await Plain.create(name="first")
    late = await Late.get(name="first")
    late.name = "second"
    await late.save()
    assert [(version.kind, version.values["name"]) for version in await late.history()] == [
        ("update", "second"),
        ("baseline", "first"),
    ]


async def test_writers_of_the_same_document_get_numbers_of_their_own(register: Any) -> None:
    await register(Contract)
    contract = await Contract.create(title="x")
    copies = [await Contract.get_by_id(contract.id) for _ in range(4)]
    for number, copy in enumerate(copies):
        copy.terms = {str(number): number}
    await asyncio.gather(*(copy.save() for copy in copies))
    assert sorted(version.version for version in await contract.history()) == [1, 2, 3, 4, 5]


async def test_who_wrote(
    register_any: Any,
) -> None:
    await register_any(Signed)
    plain = await Signed.create(name="a")
    assert (plain.created_by, plain.updated_by) == (None, None)
    with actor("ann"):
        signed = await Signed.create(name="b")
        given = await Signed.create(name="c", created_by="import")
        (bulk,) = await Signed.bulk_create([{"name": "d"}])
    assert (signed.created_by, signed.updated_by, given.created_by, bulk.created_by) == ("ann", "ann", "import", "ann")
    with actor("ben"):
        stamp = signed.updated_at
        await signed.save()  # nothing changed, so nobody changed it
        assert signed.updated_by == "ann" and signed.updated_at == stamp
        signed.name = "bb"
        await signed.save()
        await Signed.filter(name="a").update(name="aa")
    stored = await Signed.get(name="bb")
    assert (stored.created_by, stored.updated_by) == ("ann", "ben")
    assert (await Signed.get(name="aa")).updated_by == "ben"
    with actor(5), pytest.raises(ValidationError):
        await Signed.create(name="e")


async def test_actors_belong_to_their_task() -> None:
    async def name(who: str) -> str | None:
        with actor(who):
            await asyncio.sleep(0)
            return current_actor()

    assert await asyncio.gather(name("a"), name("b")) == ["a", "b"]
    with actor("outer"):
        with actor(None):
            assert current_actor() is None
        assert current_actor() == "outer"
    assert current_actor() is None


async def test_documents_that_an_upsert_makes_say_who_made_them(register_any: Any) -> None:
    class Signed(BaseModel, ActorMixin):
        name: str

    await register_any(Signed)
    with actor("ann"):
        made, _ = await Signed.upsert({"name": "a"}, name="a")
    with actor("ben"):
        found, _ = await Signed.upsert({"name": "a"}, name="a")
    assert (made.created_by, made.updated_by, found.created_by, found.updated_by) == ("ann", "ann", "ann", "ben")
    assert await Signed.get_by_id(made.id) == found


class SignedNote(BaseModel, SoftDeleteMixin, ActorMixin):
    text: str = ""


async def test_who_deletes_softly_and_restores_is_noted(register_any: Any) -> None:
    await register_any(SignedNote)
    with actor("ann"):
        notes = await SignedNote.bulk_create([{"text": "a"}, {"text": "b"}, {"text": "c"}, {"text": "d"}])

    async def last() -> list[str | None]:
        return [note.updated_by for note in await SignedNote.all().with_deleted()]

    with actor("bob"):
        await notes[0].delete()
        await SignedNote.filter(text="b").delete()
        await SignedNote.bulk_delete([notes[2]])
    assert await last() == ["bob", "bob", "bob", "ann"]
    assert notes[0].updated_by == "bob"
    with actor("cyd"):
        await notes[0].restore()
        await SignedNote.all().only_deleted().restore()
    assert await last() == ["cyd", "cyd", "cyd", "ann"]
    await notes[3].delete()  # nobody is named
    assert await last() == ["cyd", "cyd", "cyd", "ann"]
