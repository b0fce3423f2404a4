"""Observers hear of every successful write, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest

from mongodb_orm import BaseModel, DuplicateDocumentError, Indexed, SoftDeleteMixin, Written, observe
from mongodb_orm.persistence.notices import observers


class Person(BaseModel):
    name: Annotated[str, Indexed(unique=True)]
    age: int = 0


class Kept(BaseModel, SoftDeleteMixin):
    name: str


@pytest.fixture
def heard() -> Iterator[list[Written]]:
    notices: list[Written] = []
    stop = observe(BaseModel, notices.append)
    yield notices
    stop()
    assert not observers


def told(notices: list[Written]) -> list[Any]:
    answer = [(notice.kind, notice.matched) for notice in notices]
    notices.clear()
    return answer


async def test_writes_of_objects_carry_the_documents(register_any: Any, heard: list[Written]) -> None:
    await register_any(Person)
    ann = await Person.create(name="ann")
    ann.age = 3
    await ann.save()
    await ann.save()  # nothing changed, so nothing was written
    await ann.delete()
    created, updated, deleted = heard
    assert (created.kind, created.before, created.after["name"]) == ("create", None, "ann")
    assert (updated.kind, updated.before["age"], updated.after["age"]) == ("update", 0, 3)
    assert (deleted.kind, deleted.before["age"], deleted.after) == ("delete", 3, None)
    assert created.ids == updated.ids == deleted.ids == (ann.id,)
    assert created.model is Person and not created.is_by_query


async def test_soft_deletes_and_restores(register_any: Any, heard: list[Written]) -> None:
    await register_any(Kept)
    one = await Kept.create(name="one")
    await one.delete()
    await one.delete()  # was deleted before
    await one.restore()
    await one.hard_delete()
    assert told(heard) == [("create", 1), ("delete", 1), ("restore", 1), ("delete", 1)]
    two = await Kept.create(name="two")
    same = await Kept.get_by_id(two.id)
    heard.clear()
    assert await two.hard_delete() and not await same.hard_delete()  # it was gone already
    assert told(heard) == [("delete", 1)]


async def test_writes_by_query_carry_the_filter(register_any: Any, heard: list[Written]) -> None:
    await register_any(Person, Kept)
    await Person.bulk_create([{"name": "a"}, {"name": "b"}])
    assert heard[0].matched == 2 and len(heard[0].ids) == 2
    assert told(heard) == [("create", 2)]
    await Person.filter(name="a").update(age=5)
    assert heard[0].filter == {"name": "a"} and heard[0].update["$set"]["age"] == 5 and heard[0].is_by_query
    await Person.filter(name="nobody").update(age=5)
    await Person.filter(name="b").delete()
    assert told(heard) == [("update", 1), ("delete", 1)]
    await Kept.create(name="one")
    await Kept.delete_many()
    assert told(heard) == [("create", 1), ("delete", 1)]


async def test_a_bulk_write_that_fails_tells_what_was_written(register_any: Any, heard: list[Written]) -> None:
    await register_any(Person)
    with pytest.raises(DuplicateDocumentError):
        await Person.bulk_create([{"name": "a"}, {"name": "a"}, {"name": "b"}], ordered=False)
    assert [pair[1]["name"] for pair in heard[0].pairs()] == ["a", "b"]
    heard.clear()
    with pytest.raises(DuplicateDocumentError):
        await Person.create(name="a")
    assert not heard


async def test_observers_of_a_model_hear_its_subclasses_and_all_are_told_when_one_fails(register_any: Any) -> None:
    class Special(Person):
        pass

    await register_any(Person, Special, Kept)
    notices: list[Written] = []

    async def note(written: Written) -> None:
        notices.append(written)

    def fail(written: Written) -> None:
        raise RuntimeError("no")

    stops = [observe(Person, fail), observe(Person, note)]
    try:
        await Kept.create(name="one")
        with pytest.raises(RuntimeError):
            await Special.create(name="s")
    finally:
        for stop in (*stops, *stops):
            stop()
    assert [notice.model for notice in notices] == [Special]
    assert await Special.count() == 1
