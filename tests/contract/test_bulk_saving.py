"""Many objects at once: saved, updated, deleted; what failed and what was written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    BulkDuplicateError,
    BulkError,
    BulkSaved,
    ConnectionError,
    DatabaseConfig,
    Delete,
    DocumentNotFoundError,
    DuplicateDocumentError,
    HistoryMixin,
    Indexed,
    InvalidValueError,
    OperationError,
    Save,
    SoftDeleteMixin,
    StaleDocumentError,
    TimeoutError,
    UnknownFieldError,
    ValidationError,
    VersionedMixin,
    async_validator,
    before,
    causal,
    on,
    register_model,
    skip_hooks,
    transaction,
)
from mongodb_orm.persistence import bulk
from mongodb_orm.persistence.notices import observe
from mongodb_orm.testing import assert_commands


class Item(BaseModel):
    name: Annotated[str, Indexed(unique=True)]
    number: Annotated[int, Field(ge=0)] = 0
    tags: list[str] = Field(default_factory=list)


class Note(BaseModel, SoftDeleteMixin):
    text: str = ""


class Guarded(BaseModel, VersionedMixin):
    number: int = 0


async def items(count: int = 5) -> list[Item]:
    return await Item.bulk_create([{"name": f"i{number}"} for number in range(count)])


async def numbers() -> dict[str, int]:
    return {item.name: item.number async for item in Item.all()}


async def test_new_changed_and_unchanged(register_any: Any) -> None:
    await register_any(Item)
    made = await items()
    moment = made[0].updated_at
    made[0].number = 10
    made[1].tags.append("x")
    new = Item(name="new")
    with assert_commands(at_most=4):
        assert await Item.bulk_save([*made, new]) == BulkSaved(created=1, updated=2, unchanged=3)
    assert made[0].updated_at > moment
    assert not any(item.is_changed for item in [*made, new])
    assert await Item.get_by_id(made[0].id) == made[0]
    assert await Item.get_by_id(new.id) == new
    with assert_commands(0):
        assert await Item.bulk_save(made) == BulkSaved(0, 0, 5)
        assert await Item.bulk_save([]) == BulkSaved(0, 0, 0)
    made[2].number = 3
    assert (await Item.bulk_save([made[2], made[2]])).updated == 1


async def test_any_iterable_will_do(register_any: Any) -> None:
    await register_any(Item)

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for number in range(3):
            yield {"name": f"a{number}"}

    made = await Item.bulk_create(rows())
    assert [item.name for item in await Item.bulk_create({"name": f"b{n}"} for n in range(2))] == ["b0", "b1"]
    assert (await Item.bulk_save(Item.filter(name__startswith="b"))).unchanged == 2
    assert await Item.bulk_delete(Item.filter(name__startswith="a")) == len(made)
    assert await Item.bulk_delete(item async for item in Item.all()) == 2
    wrong: Any
    for wrong in ({"name": "x"}, "text", 5, None):
        for verb in (Item.bulk_create, Item.bulk_save, Item.bulk_delete):
            with pytest.raises(InvalidValueError, match="iterable"):
                await verb(wrong)


async def test_many_go_in_a_few_commands(register: Any) -> None:
    await register(Item)
    made = await items(2500)
    for item in made:
        item.number += 1
    with assert_commands(3):
        assert (await Item.bulk_save(made)).updated == 2500
    assert await Item.count(number=1) == 2500


async def test_progress_that_raises_leaves_what_was_not_sent_as_it_was(register: Any) -> None:
    await register(Guarded)
    made = [await Guarded.create() for _ in range(3)]
    moments = [guarded.updated_at for guarded in made]
    made[0].number = 1

    def refuse(done: int, total: int | None) -> None:
        raise LookupError(done)

    with pytest.raises(LookupError, match="2"):
        await Guarded.bulk_save(made, progress=refuse)
    assert [guarded.updated_at for guarded in made] == moments
    assert [guarded.version for guarded in made] == [1, 1, 1]
    assert (await Guarded.bulk_save(made)).updated == 1


async def test_progress_is_told_one_after_the_other(register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await register(Item)
    made = await items(12)
    for item in made:
        item.number = 1
    monkeypatch.setattr(bulk, "CHUNK", 2)
    told: list[int] = []

    async def tell(done: int, total: int | None) -> None:
        await asyncio.sleep(0.02 / done)  # the first takes longest
        told.append(done)

    await Item.bulk_save(made, progress=tell)
    assert told == [2, 4, 6, 8, 10, 12]


async def test_objects_remember_when_it_could_not_be_asked_which_were_written(register: Any, admin: Any) -> None:
    await register(Guarded)
    gone, written = [await Guarded.create() for _ in range(2)]
    await Guarded.filter(id=gone.id).delete()
    gone.number = written.number = 1
    failing = {"failCommands": ["find"], "errorCode": 8000}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": failing})
    try:
        with pytest.raises(OperationError):
            await Guarded.bulk_save([gone, written])
    finally:
        admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert (await Guarded.get_by_id(written.id)).number == 1
    with pytest.raises(StaleDocumentError) as caught:
        await written.save()
    assert caught.value.may_be_own


async def test_a_lost_connection_says_how_many_were_saved(
    config: DatabaseConfig, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {"mongo_uri": config.mongo_uri, "database_name": config.database_name, "driver": config.driver}
    await register_model(Item, DatabaseConfig(**where, timeout_ms=700))
    made = await items(12)
    for item in made:
        item.number = 1
    monkeypatch.setattr(bulk, "CHUNK", 2)
    failing = {"failCommands": ["update"], "closeConnection": True}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": {"skip": 1}, "data": failing})
    try:
        with pytest.raises((ConnectionError, TimeoutError)) as caught:
            await Item.bulk_save(made)
    finally:
        admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert caught.value.__notes__[-1] == "2 of 12 changed objects were saved; `is_changed` tells the others."
    assert caught.value.is_outcome_unknown
    stored = await numbers()
    assert sum(stored.values()) == 2
    assert all(item.is_changed == (stored[item.name] == 0) for item in made)
    assert (await Item.bulk_save(made)).updated == 10
    assert await Item.count(number=1) == 12


async def test_a_cancelled_bulk_save_leaves_nothing_running(
    register: Any, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(Item)
    made = await items(12)
    moments = [item.updated_at for item in made]
    for item in made:
        item.number = 1
    monkeypatch.setattr(bulk, "CHUNK", 2)
    before = asyncio.all_tasks()
    slow = {"failCommands": ["update"], "blockConnection": True, "blockTimeMS": 400}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": slow})
    try:
        task = asyncio.create_task(Item.bulk_save(made))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert {other for other in asyncio.all_tasks() - before if "work" in repr(other.get_coro())} == set()
    assert all(item.is_changed for item in made)
    assert [item.updated_at for item in made] == moments


async def test_commands_of_a_transaction_and_a_session_go_one_after_the_other(
    register: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(Item)
    made = await items(9)
    monkeypatch.setattr(bulk, "CHUNK", 2)
    for block, number in ((transaction, 1), (causal, 2)):
        for item in made:
            item.number = number
        async with block():
            assert (await Item.bulk_save(made)).updated == 9
            assert await Item.count(number=number) == 9
    assert await Item.count(number=2) == 9


async def test_nothing_is_sent_before_all_are_valid(register_any: Any) -> None:
    await register_any(Item)
    made = await items()
    moments = [item.updated_at for item in made]
    made[0].number = 1
    made[3].number = -1
    with pytest.raises(ValidationError) as caught:
        await Item.bulk_save(made)
    assert caught.value.errors()[0]["loc"] == (3, "number")
    assert set((await numbers()).values()) == {0}
    assert [item.updated_at for item in made] == moments
    new = Item(name="x")
    new.number = "many"  # type: ignore[assignment]
    with pytest.raises(ValidationError):
        await Item.bulk_save([made[0], new])
    for wrong in ("abc", 5, [Note()], [{"name": "x"}], None):
        with pytest.raises(InvalidValueError):
            await Item.bulk_save(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("ordered", [True, False])
async def test_duplicates_are_told_and_the_rest_is_written(register_any: Any, ordered: bool) -> None:
    await register_any(Item)
    made = await items()
    for item in made:
        item.number = 7
    made[1].name = "i4"
    with pytest.raises(BulkDuplicateError) as caught:
        await Item.bulk_save(made, ordered=ordered)
    error = caught.value
    assert [failure.index for failure in error.failures] == [1]
    assert isinstance(error.failures[0].error, DuplicateDocumentError)
    assert error.fields == error.failures[0].fields == ("name",)
    assert error.written == ((0,) if ordered else (0, 2, 3, 4))
    stored = await numbers()
    assert [stored[f"i{number}"] for number in range(5)] == ([7, 0, 0, 0, 0] if ordered else [7, 0, 7, 7, 7])
    assert [item.is_changed for item in made] == [False, True, *[ordered] * 3]
    made[1].name = "free"
    await Item.bulk_save(made)
    assert set((await numbers()).values()) == {7}


async def test_vanished_and_stale_objects_are_told(register_any: Any) -> None:
    await register_any(Item, Guarded)
    made = await items(3)
    for item in made:
        item.number = 7
    await Item.filter(name="i1").delete()
    with pytest.raises(BulkError) as caught:
        await Item.bulk_save(made)
    assert [(failure.index, type(failure.error)) for failure in caught.value.failures] == [(1, DocumentNotFoundError)]
    assert caught.value.written == (0, 2)
    assert await Item.count() == 2

    guarded = await Guarded.bulk_create([{}, {}, {}])
    other = await Guarded.get_by_id(guarded[2].id)
    assert other is not None
    other.number = 1
    await other.save()
    for document in guarded:
        document.number = 9
    with pytest.raises(BulkError) as caught:
        await Guarded.bulk_save(guarded)
    assert [(failure.index, type(failure.error)) for failure in caught.value.failures] == [(2, StaleDocumentError)]
    assert [document.version for document in guarded] == [2, 2, 1]
    assert [document.number async for document in Guarded.all().order_by("id")] == [9, 9, 1]
    with pytest.raises(BulkError) as caught:
        await Guarded.bulk_delete(guarded)
    assert [failure.index for failure in caught.value.failures] == [2]
    assert await Guarded.count() == 1


async def test_hooks_and_notices(register_any: Any) -> None:
    class Hooked(BaseModel):
        name: str = ""
        saves: int = 0

        @before(Save)
        def counted(self) -> None:
            self.saves += 1

    await register_any(Hooked)
    made = await Hooked.bulk_create([{}, {}])
    heard: list[Any] = []
    stop = observe(Hooked, lambda written: heard.append((written.kind, len(written.new))))
    try:
        for document in made:
            document.name = "x"
        await Hooked.bulk_save([*made, Hooked()])
        await Hooked.bulk_update({made[0].id: {"name": "y"}})
        await Hooked.bulk_delete(made)
    finally:
        stop()
    assert [document.saves for document in made] == [2, 2]
    assert [kind for kind, _ in heard] == ["update", "create", "update", "delete"]
    assert await Hooked.count() == 1


async def test_updates_by_id(register_any: Any) -> None:
    await register_any(Item, Note)
    made = await items(3)
    assert (
        await Item.bulk_update({1: {"number": 5}, "2": {"number__inc": 3, "tags__push": "x"}, 99: {"number": 1}}) == 2
    )
    assert await numbers() == {"i0": 5, "i1": 3, "i2": 0}
    found = await Item.get_by_id(2)
    assert found is not None
    assert found.tags == ["x"]
    assert found.updated_at >= made[1].updated_at
    assert await Item.bulk_update({}) == 0
    for wrong, error in (
        ({1: {"numbr": 1}}, UnknownFieldError),
        ({1: {"number": "many"}}, ValidationError),
        ({"x": {"number": 1}}, InvalidValueError),
        ({1: 5}, InvalidValueError),
        ([1], InvalidValueError),
    ):
        with pytest.raises(error):
            await Item.bulk_update(wrong)  # type: ignore[arg-type]
    note = await Note.create(text="a")
    await note.delete()
    assert await Note.bulk_update({note.id: {"text": "b"}}) == 0
    with pytest.raises(BulkError):
        await Item.bulk_update({1: {"name": "i2"}, 2: {"number": 1}})
    assert (await numbers())["i1"] == 1


async def test_deleting(register_any: Any) -> None:
    await register_any(Item, Note)
    made = await items(4)
    assert await Item.bulk_delete([made[0], "2", 99]) == 2
    assert sorted(await numbers()) == ["i2", "i3"]
    assert await Item.bulk_delete([]) == 0
    for wrong in ("12", [Note()], [Item(name="x")], ["x"]):
        with pytest.raises((InvalidValueError, DocumentNotFoundError)):
            await Item.bulk_delete(wrong)
    notes = await Note.bulk_create([{}, {}, {}])
    assert await Note.bulk_delete(notes[:2]) == 2
    assert notes[0].is_deleted
    assert await Note.count() == 1
    assert await Note.all().with_deleted().count() == 3
    assert await Note.bulk_delete([notes[2].id]) == 1
    assert await Note.count() == 0
    await notes[0].restore()
    assert await Note.count() == 1


async def test_inside_a_transaction(register: Any) -> None:
    await register(Item)
    made = await items(3)
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            for item in made:
                item.number = 5
            await Item.bulk_save([*made, Item(name="new")])
            await Item.bulk_update({made[0].id: {"number": 9}})
            await Item.bulk_delete(made[1:])
            raise ZeroDivisionError
    assert await numbers() == {"i0": 0, "i1": 0, "i2": 0}
    assert [item.number for item in made] == [0, 0, 0]


async def test_objects_of_another_collection_are_refused(register_any: Any) -> None:
    class Special(Note):
        more: int = 0

    await register_any(Note, Special)
    note, special = await Note.create(text="note"), await Special.create(text="special")
    special.text = "changed"
    for write in (
        lambda: Note.bulk_save([special]),
        lambda: Note.bulk_create([Special()]),
        lambda: Note.bulk_delete([special]),
        lambda: Note.find_one_and_replace({}, Special(text="x")),
    ):
        with pytest.raises(InvalidValueError, match="special"):
            await write()
    assert [found.text for found in await Note.all()] == [note.text]
    assert await Special.count(text="special") == 1


async def test_objects_are_saved_in_the_database_that_they_were_read_from(register: Any, admin: Any, raw: Any) -> None:
    await register(Item)
    mine = await Item.create(name="mine")
    other = f"{raw.name}_other"
    admin[other].item.insert_one({**raw.item.find_one(), "name": "theirs"})
    try:
        theirs = await Item.filter(name="theirs").using(database=other).one()
        mine.number, theirs.number = 1, 2
        assert (await Item.bulk_save([mine, theirs])).updated == 2
        assert (raw.item.find_one()["number"], admin[other].item.find_one()["number"]) == (1, 2)
        assert await Item.bulk_delete([theirs]) == 1
        assert (raw.item.count_documents({}), admin[other].item.count_documents({})) == (1, 0)
    finally:
        admin.drop_database(other)


async def test_failures_carry_the_position_in_what_was_given(
    register_any: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mongodb_orm.persistence.bulk.CHUNK", 2)
    await register_any(Item)
    made = await items(6)
    made[4].name = "i0"
    with pytest.raises(BulkError) as caught:
        await Item.bulk_save([made[1], made[1], made[2], made[1], made[4]])
    assert [failure.index for failure in caught.value.failures] == [4]
    changes = {1: {"number": 1}, 2: {}, 3: {"name": "i0"}, 99: {"number": 1}, 5: {"number": 1}, 6: {"name": "i1"}}
    with pytest.raises(BulkError) as caught:
        await Item.bulk_update(changes)
    assert [failure.index for failure in caught.value.failures] == [2, 5]
    assert caught.value.written == (0, 4)
    assert await numbers() == {"i0": 1, "i1": 0, "i2": 0, "i3": 0, "i4": 1, "i5": 0}
    with pytest.raises(BulkError) as caught:
        await Item.bulk_update({1: {"number": 7}, 3: {"name": "i0"}, 5: {"number": 7}}, ordered=True)
    assert (caught.value.written, await Item.count(number=7)) == ((0,), 1)


async def test_validators_name_the_position_in_what_was_given(register_any: Any) -> None:
    class Even(BaseModel):
        number: int

        @async_validator("number")
        async def is_even(self, value: int) -> None:
            if value % 2:
                raise ValueError("odd")

    await register_any(Even)
    stored = await Even.create(number=2)
    with pytest.raises(ValidationError) as caught:
        await Even.bulk_save([stored, Even(number=4), Even(number=5)])
    assert [error["loc"] for error in caught.value.errors()] == [(2, "number")]
    assert await Even.count() == 1


async def test_a_soft_delete_that_is_partly_stale(register_any: Any) -> None:
    class Both(BaseModel, SoftDeleteMixin, VersionedMixin):
        text: str = ""

    await register_any(Both)
    made = await Both.bulk_create([{}, {}, {}, {}])
    other = await Both.filter(id=made[1].id).one()
    other.text = "saved"
    await other.save()
    await (await Both.filter(id=made[2].id).one()).hard_delete()
    with pytest.raises(BulkError) as caught:
        await Both.bulk_delete(made)
    assert [(failure.index, type(failure.error)) for failure in caught.value.failures] == [(1, StaleDocumentError)]
    assert [document.is_deleted for document in made] == [True, False, False, True]
    assert [document.id for document in await Both.all()] == [made[1].id]


@pytest.mark.parametrize("ordered", [True, False])
async def test_of_a_transaction_that_was_refused_nothing_is_told_as_written(
    ordered: bool, register: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(Item)
    made = await items(6)
    monkeypatch.setattr(bulk, "CHUNK", 2)
    for item in made:
        item.number = 1
    made[2].name = made[0].name
    for verb, things in ((Item.bulk_save, [*made, Item(name="new")]), (Item.bulk_create, new_items())):
        with pytest.raises(BulkDuplicateError) as caught:
            async with transaction():
                await verb(things, ordered=ordered)
        assert [failure.index for failure in caught.value.failures] == [2]
        assert caught.value.written == ()
    assert all(item.is_changed for item in made)
    assert await numbers() == {f"i{number}": 0 for number in range(6)}


def new_items() -> list[Item]:
    return [Item(name=name) for name in ("a", "b", "a", "d", "e")]


async def test_a_refused_update_in_a_transaction(register: Any) -> None:
    await register(Item)
    made = await items(3)
    with pytest.raises(BulkError) as caught:
        async with transaction():
            made[0].number, made[1].name = 5, "i2"
            await Item.bulk_save(made)
    assert ([failure.index for failure in caught.value.failures], caught.value.written) == ([1], ())
    assert set((await numbers()).values()) == {0}


@pytest.mark.parametrize("is_soft", [False, True])
async def test_what_was_gone_before_is_not_told_as_deleted(register_any: Any, is_soft: bool) -> None:
    class Kept(BaseModel, HistoryMixin, SoftDeleteMixin):
        name: str = ""

    class Removed(BaseModel, HistoryMixin):
        name: str = ""

    model: Any = Kept if is_soft else Removed
    heard: list[int] = []
    hooked: list[int] = []
    on(model, after=Delete)(lambda document: hooked.append(document.id))
    await register_any(model)
    made = await model.bulk_create([{} for _ in range(4)])
    with skip_hooks():
        await model.filter(id__in=[2, 3]).hard_delete()
    alone = await model.get_by_id(1)
    await made[0].delete()
    hooked.clear()
    stop = observe(model, lambda written: heard.extend(written.ids))
    try:
        assert await alone.delete() is False  # one that is gone is no error, and nothing happened to it
        assert (await model.bulk_delete([made[1]]), heard, hooked) == (0, [], [])
        assert await model.bulk_delete([made[2], made[3]]) == 1
    finally:
        stop()
    assert (heard, hooked) == ([4], [4])
    assert [version.kind for version in await model.history_of(2)] == ["delete", "create"]
    if not is_soft:
        for gone in made:
            with pytest.raises(DocumentNotFoundError):
                await gone.save()


@pytest.mark.parametrize("is_soft", [False, True])
async def test_an_error_of_bulk_delete_lists_what_it_deleted(register_any: Any, is_soft: bool) -> None:
    class Soft(BaseModel, VersionedMixin, SoftDeleteMixin):
        number: int = 0

    model: Any = Soft if is_soft else Guarded
    await register_any(model)
    made = await model.bulk_create([{} for _ in range(5)])
    await model.filter(id=made[1].id).update(number=5)
    await model.filter(id__in=[made[0].id, made[3].id]).hard_delete()
    with pytest.raises(BulkError) as caught:
        await model.bulk_delete(made)
    assert [failure.index for failure in caught.value.failures] == [1]
    assert caught.value.written == (2, 4)
    assert [found.id for found in await model.all()] == [made[1].id]
    made[1].number = 7
    with pytest.raises(StaleDocumentError):
        await made[1].save()
