"""Versions of documents: every write of a model with a history leaves one, with when and who."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import Field

from mongodb_orm import (
    ActorMixin,
    BaseModel,
    BulkWriter,
    DocumentNotFoundError,
    HistoryMixin,
    InvalidValueError,
    NotSupportedError,
    SoftDeleteMixin,
    ValidationError,
    VersionedMixin,
    actor,
    current_actor,
    skip_hooks,
    unit_of_work,
    updates,
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


class Ledger(BaseModel, ActorMixin, SoftDeleteMixin, VersionedMixin):
    name: str
    total: int = 0


async def _written_together(ledger: Ledger) -> None:
    async with BulkWriter() as writer:
        ledger.total = 5
        await writer.save(ledger)


async def _in_one_unit(ledger: Ledger) -> None:
    async with unit_of_work() as work:
        ledger.total = 5
        work.add(ledger)


def _richer(ledger: Ledger) -> Ledger:
    ledger.total += 5
    return ledger


async def _skipping(ledger: Ledger) -> None:
    with skip_hooks():
        await _richer(ledger).save()


SIGNED: dict[str, Callable[[Ledger], Awaitable[Any]]] = {
    "save": lambda ledger: _richer(ledger).save(),
    "save with force": lambda ledger: ledger.save(force=True),
    "save with merge": lambda ledger: _richer(ledger).save(merge=True),
    "save without hooks": lambda ledger: _richer(ledger).save(skip_hooks=True),
    "save where hooks are skipped": _skipping,
    "update": lambda ledger: ledger.update(total__inc=5),
    "patch": lambda ledger: ledger.patch({"total": 5}),
    "bulk_save": lambda ledger: Ledger.bulk_save([_richer(ledger)]),
    "bulk_update": lambda ledger: Ledger.bulk_update({ledger.id: {"total": 5}}),
    "bulk_update, calculated": lambda ledger: Ledger.bulk_update({ledger.id: {"total": Ledger.f.total + 5}}),
    "BulkWriter": _written_together,
    "unit_of_work": _in_one_unit,
    "update by query": lambda ledger: Ledger.filter(name="a").update(total__inc=5),
    "update by query, calculated": lambda ledger: Ledger.filter(name="a").update(total=Ledger.f.total + 5),
    "update by query, a pipeline": lambda ledger: Ledger.filter(name="a").update([{"$set": {"total": 5}}]),
    "update_one": lambda ledger: Ledger.filter(name="a").update_one(total=5),
    "update_many": lambda ledger: Ledger.update_many({"name": "a"}, {"$set": {"total": 5}}),
    "find_one_and_update": lambda ledger: Ledger.find_one_and_update({"name": "a"}, total=5),
    "find_one_and_replace": lambda ledger: Ledger.find_one_and_replace({"name": "a"}, {"name": "b"}),
    "replace": lambda ledger: Ledger.filter(name="a").replace(Ledger(name="b")),
    "upsert": lambda ledger: Ledger.upsert({"name": "a"}, updates.inc(Ledger.f.total)),
    "update_or_create": lambda ledger: Ledger.update_or_create({"total": 5}, name="a"),
    "delete": lambda ledger: ledger.delete(),
    "delete by query": lambda ledger: Ledger.delete_many(),
    "find_one_and_delete": lambda ledger: Ledger.find_one_and_delete(name="a"),
    "bulk_delete": lambda ledger: Ledger.bulk_delete([ledger]),
    "bulk_delete by id": lambda ledger: Ledger.bulk_delete([ledger.id]),
}


async def test_whatever_moves_updated_at_says_who_did_it(register_any: Any, any_config: Any) -> None:
    await register_any(Ledger)
    for verb, write in SIGNED.items():
        await Ledger.with_deleted().hard_delete()
        with actor("ann"):
            ledger = await Ledger.create(name="a")
        await asyncio.sleep(0.002)
        with actor("bob"):
            try:
                await write(ledger)
            except NotSupportedError:
                assert any_config.mongo_uri.startswith("memory")
                continue
        stored = await Ledger.with_deleted().one()
        assert stored.updated_at > stored.created_at, verb
        assert (stored.created_by, stored.updated_by) == ("ann", "bob"), verb
        await asyncio.sleep(0.002)
        with actor("cyd"):
            await Ledger.with_deleted().update(total=9)
            if stored.is_deleted:
                await Ledger.only_deleted().restore()
        assert (await Ledger.with_deleted().one()).updated_by == "cyd", verb


async def test_an_actor_has_to_fit_and_a_write_that_fails_takes_it_back(register_any: Any) -> None:
    await register_any(Ledger)
    with actor("ann"):
        ledger = await Ledger.create(name="a")
    ledger.total = 1
    other = await Ledger.filter(id=ledger.id).one()
    writes: list[Callable[[], Awaitable[Any]]] = [
        lambda: Ledger.create(name="b"),
        lambda: Ledger.bulk_create([{"name": "b"}]),
        ledger.save,
        ledger.delete,
        lambda: other.update(total=2),
        lambda: Ledger.filter(name="a").update(total=2),
        lambda: Ledger.bulk_update({ledger.id: {"total": 2}}),
        lambda: Ledger.upsert({"name": "z"}, total=2),
    ]
    for write in writes:
        with actor(5), pytest.raises(ValidationError) as caught:
            await write()
        assert {error["loc"][-1] for error in caught.value.errors()} <= {"created_by", "updated_by"}
    assert [found.model_dump() for found in await Ledger.with_deleted()] == [other.model_dump()]
    assert (ledger.updated_by, ledger.updated_at, ledger.version) == ("ann", other.updated_at, 1)
    new = Ledger(name="b")
    for save in (new.save, lambda: Ledger.bulk_create([new])):
        with actor(5), pytest.raises(ValidationError):
            await save()
        assert new.id is None
    with actor("bob"):
        await new.save()
    assert new.created_by == "bob"
    plain = await Ledger.create(name="d")
    await Ledger.filter(name="d").hard_delete()
    plain.total = 1
    with actor("bob"), pytest.raises(DocumentNotFoundError):
        await plain.save()
    assert plain.updated_by is None


async def test_actors_that_are_documents_themselves(register_any: Any) -> None:
    class Audited(BaseModel, ActorMixin):
        name: str
        created_by: dict[str, str] | None = None  # type: ignore[assignment]
        updated_by: dict[str, str] | None = None  # type: ignore[assignment]

    await register_any(Audited)
    with actor({"name": "ann", "ip": "::1"}):
        audited = await Audited.create(name="a")
    assert audited.updated_by is not None
    audited.updated_by["name"] = "forged"
    with actor({"name": "bob", "ip": "::2"}):
        await audited.save()
    stored = await Audited.filter(id=audited.id).one()
    assert stored.updated_by == audited.updated_by == {"name": "bob", "ip": "::2"}


async def test_a_client_does_not_say_who_wrote(register_any: Any) -> None:
    await register_any(Ledger)
    ledger = await Ledger.create(name="a")
    for field in ("created_by", "updated_by"):
        with pytest.raises(InvalidValueError):
            await ledger.patch({field: "forged"})


async def test_going_back_does_not_change_who_made_it(register_any: Any) -> None:
    class Page(BaseModel, ActorMixin, HistoryMixin):
        title: str

    await register_any(Page)
    with actor("ann"):
        page = await Page.create(title="a")
    with actor("bob"):
        page.title = "b"
        await page.save()
    await page.revert(1)
    assert (page.title, page.created_by, page.updated_by) == ("a", "ann", "bob")
