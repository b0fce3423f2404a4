"""What a unit of work makes of what is added, changed and deleted in odd orders."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from mongodb_orm import BaseModel, Indexed, SoftDeleteMixin, TransactionError, VersionedMixin, unit_of_work
from mongodb_orm.testing import assert_commands


class Customer(BaseModel):
    name: Annotated[str, Indexed(unique=True)]


class Line(BaseModel, VersionedMixin):
    customer: str = ""
    number: int = 0


class Note(BaseModel, SoftDeleteMixin):
    text: str = ""


async def test_what_was_added_and_deleted_is_forgotten(register: Any) -> None:
    await register(Customer, Note)
    customer, note = Customer(name="ann"), Note()
    with assert_commands(0):
        async with unit_of_work() as work:
            work.add(customer, note)
            work.delete(note, customer)
    async with unit_of_work() as work:
        work.add(note)
        work.delete(note)
        work.add(note)
        note.text = "changed after it was added"
    assert [found.text for found in await Note.all()] == [note.text]


async def test_nothing_is_added_when_nobody_would_write_it(register: Any) -> None:
    await register(Customer)
    customer = await Customer.create(name="ann")
    async with unit_of_work() as work:
        work.add(customer)
    for late in (work.add, work.delete):
        with pytest.raises(TransactionError, match="has ended"):
            late(customer)
    with pytest.raises(TransactionError, match="has ended"):
        async with work:
            pass


async def test_commands_are_few_and_nothing_changed_is_none(register: Any) -> None:
    await register(Customer, Line)
    lines = await Line.bulk_create([{"number": number} for number in range(30)])
    ann, bob, eve = await Customer.bulk_create([{"name": "ann"}, {"name": "bob"}, {"name": "eve"}])
    with assert_commands(0):
        async with unit_of_work() as work:
            work.add(*lines, ann)
    for line in lines[:10]:
        line.number += 1
    ann.name = "Ann"
    with assert_commands(5):  # changes and deletions of two models, and a look at the versions of what is deleted
        async with unit_of_work() as work:
            work.delete(*lines[20:], bob)
            work.add(*lines[:20], ann, eve, ann)
    assert sorted([line.version async for line in Line.all()]) == [1] * 10 + [2] * 10
    assert [customer.name async for customer in Customer.all().order_by("name")] == ["Ann", "eve"]
