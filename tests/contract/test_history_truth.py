"""What versions say is what was stored, whoever wrote it and however much of it they had loaded."""

from __future__ import annotations

import asyncio
from typing import Any

import pydantic
import pytest
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    DocumentNotFoundError,
    HistoryMixin,
    Save,
    SoftDeleteMixin,
    StaleDocumentError,
    VersionedMixin,
    actor,
    before,
    transaction,
)


class Clause(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(populate_by_name=True)

    text: str = Field("", alias="t")


class Contract(BaseModel, HistoryMixin):
    title: str = ""
    days: int = 14
    tags: list[str] = []
    clause: Clause = Field(default_factory=Clause)
    clauses: list[Clause] = []
    ref: str | None = None
    is_locked: bool = False

    @before(Save)
    def refuse(self) -> None:
        if vars(self).get("is_locked"):
            raise PermissionError(self.title)


class Lease(BaseModel, HistoryMixin, SoftDeleteMixin, VersionedMixin):
    title: str = ""


def of(document: Any) -> dict[str, Any]:
    values: dict[str, Any] = document.model_dump(exclude={"created_at", "updated_at"})
    return values


def told(version: Any) -> dict[str, Any]:
    return {name: value for name, value in version.values.items() if name not in ("created_at", "updated_at")}


async def test_what_others_wrote_meanwhile_is_in_a_version(register_any: Any) -> None:
    await register_any(Contract)
    mine = await Contract.create(title="mine")
    theirs = await Contract.filter(id=mine.id).one()
    theirs.tags = ["theirs"]
    await theirs.save()
    mine.title = "changed"
    await mine.save()
    stored = await Contract.filter(id=mine.id).one()
    newest = (await mine.history())[0]
    assert told(newest) == of(stored)
    assert (stored.title, stored.tags) == ("changed", ["theirs"])


@pytest.mark.parametrize("verb", ["save", "update", "bulk_save"])
async def test_a_version_is_whole_where_a_part_was_loaded(register_any: Any, verb: str) -> None:
    await register_any(Contract)
    made = await Contract.create(title="first", days=30, tags=["a"])
    part = await Contract.filter(id=made.id).only("title").one()
    if verb == "update":
        await part.update(title="second")
    else:
        part.title = "second"
        await (part.save() if verb == "save" else Contract.bulk_save([part]))
    assert told((await made.history())[0]) == {**of(made), "title": "second"}
    assert (
        {"title"} <= set(await made.compare_versions(1, 2)) <= {"title", "updated_at"}
    )  # both may fall in one millisecond


async def test_the_baseline_of_a_part(register_any: Any) -> None:
    await register_any(Contract)
    made = await Contract.create(title="first", days=30, tags=["a"])
    await Contract.forget_history(made.id)
    part = await Contract.filter(id=made.id).only("title").one()
    part.title = "second"
    await part.save()
    second, baseline = await made.history()
    assert (baseline.kind, told(baseline)) == ("baseline", of(made))
    assert told(second) == {**of(made), "title": "second"}


async def test_going_back_with_an_object_that_was_loaded_in_part(register_any: Any) -> None:
    await register_any(Contract)
    made = await Contract.create()
    made.title, made.days, made.tags = "later", 30, ["a"]
    await made.save()
    part = await Contract.filter(id=made.id).only("title").one()
    await part.revert(1)
    stored = await Contract.filter(id=made.id).one()
    assert (stored.title, stored.days, stored.tags) == ("", 14, [])
    assert told((await made.history())[0]) == of(stored)


async def test_fields_that_no_class_declares_go_back_too(register_any: Any) -> None:
    class Loose(BaseModel, HistoryMixin):
        title: str = ""

        class Meta:
            strict_mode = False

    await register_any(Loose)
    made = await Loose.create(title="first", colour="red")
    made.colour, made.size = "blue", 5  # type: ignore[attr-defined]
    await made.save()
    await made.revert(1)
    stored = await Loose.filter(id=made.id).one()
    assert stored.__pydantic_extra__ == made.__pydantic_extra__ == {"colour": "red", "size": 5}


async def test_differences_are_told_in_the_models_names(register_any: Any) -> None:
    await register_any(Contract)
    contract = await Contract.create(clauses=[Clause(text="one")])
    contract.clause.text, contract.clauses[0].text = "new", "two"
    await contract.save()
    changes = await contract.compare_versions(1, 2)
    assert (changes["clause.text"].old, changes["clause.text"].new) == ("", "new")
    assert (changes["clauses"].old, changes["clauses"].new) == ([{"text": "one"}], [{"text": "two"}])


async def test_a_field_that_came_later_is_no_difference_while_it_is_empty(register_any: Any) -> None:
    class Early(BaseModel, HistoryMixin):
        title: str = ""

        class Meta:
            collection_name = "papers"

    class Late(Early):
        ref: str | None = None

        class Meta:
            collection_name = "papers"

    await register_any(Early, Late)
    early = await Early.create(title="one")
    late = await Late.filter(id=early.id).one()
    late.title = "two"
    await late.save(force=True)
    assert sorted(await late.compare_versions(1, 2)) == ["title", "updated_at"]


async def test_a_revert_that_is_refused_leaves_the_object_as_it_was(register_any: Any) -> None:
    await register_any(Contract, Lease)
    contract = await Contract.create(title="a")
    await Contract.filter(id=contract.id).update(is_locked=True)
    await contract.refresh_from_db()
    await Contract.filter(id=contract.id).update(title="b", is_locked=False)
    await contract.refresh_from_db()
    with pytest.raises(PermissionError):
        await contract.revert(2)
    assert (contract.title, contract.is_locked, contract.is_changed) == ("b", False, False)
    lease = await Lease.create(title="a")
    lease.title = "b"
    await lease.save()
    await Lease.filter(id=lease.id).update(title="c")
    with pytest.raises(StaleDocumentError):
        await lease.revert(1)
    assert (lease.title, lease.version, lease.is_changed) == ("b", 2, False)
    with pytest.raises(DocumentNotFoundError):
        await lease.revert(9)


async def test_a_revert_in_a_transaction_that_is_dropped(register: Any) -> None:
    await register(Lease)
    lease = await Lease.create(title="a")
    lease.title = "b"
    await lease.save()
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            await lease.revert(1)
            assert (lease.title, len(await lease.history())) == ("a", 3)
            raise ZeroDivisionError
    assert (lease.title, lease.version, lease.is_changed) == ("b", 2, False)
    assert [version.version for version in await lease.history()] == [2, 1]


async def test_many_writers_at_once(register: Any) -> None:
    await register(Contract)
    contract = await Contract.create()

    async def write(number: int) -> None:
        mine = await Contract.filter(id=contract.id).one()
        with actor(number):
            await Contract.filter(id=mine.id).update(tags__push=str(number))
            mine.title = str(number)
            await mine.save()

    await asyncio.gather(*(write(number) for number in range(25)))
    versions = await contract.history()
    assert [version.version for version in versions] == list(range(51, 0, -1))
    assert told(versions[0]) == of(await Contract.filter(id=contract.id).one())
    assert {version.by for version in versions} == {None, *range(25)}


async def test_writers_beside_one_that_deletes(register: Any, admin: Any) -> None:
    """What was written is known, although the document is gone when its version is recorded."""
    await register(Contract)
    contract = await Contract.create(title="first")
    theirs = await Contract.filter(id=contract.id).one()
    contract.title = "second"
    block = {"failCommands": ["aggregate"], "blockConnection": True, "blockTimeMS": 300}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": block})
    saving = asyncio.create_task(contract.save())
    await asyncio.sleep(0.1)
    await theirs.delete()
    await saving
    versions = await Contract.history_of(contract.id)
    assert [version.version for version in versions] == [3, 2, 1]
    assert {version.kind: version.values.get("title") for version in versions} == {
        "create": "first", "update": "second", "delete": None
    }  # fmt: skip
