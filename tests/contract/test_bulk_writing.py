"""Streams of documents, bulk writers, units of work."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from rich.console import Console
from rich.progress import Progress as RichBars

from mongodb_orm import (
    BaseModel,
    BulkError,
    BulkWriter,
    ConfigurationError,
    Indexed,
    InvalidValueError,
    NotSupportedError,
    ValidationError,
    in_transaction,
    transaction,
    unit_of_work,
)
from mongodb_orm.integrations.progress import RichProgress, TqdmProgress
from mongodb_orm.testing import assert_commands


class User(BaseModel):
    name: Annotated[str, Indexed(unique=True)]
    age: int = 0


class Order(BaseModel):
    user_id: int = 0


def rows(count: int) -> Iterator[dict[str, Any]]:
    return ({"name": f"u{number}"} for number in range(count))


async def test_documents_are_inserted_as_they_come(register_any: Any) -> None:
    await register_any(User)
    told: list[tuple[int, int | None]] = []
    assert (
        await User.bulk_insert(rows(25), chunk_size=10, progress=lambda done, total: told.append((done, total))) == 25
    )
    assert told == [(10, None), (20, None), (25, None)]

    async def more() -> AsyncIterator[dict[str, Any]]:
        for number in range(3):
            yield {"name": f"async {number}"}

    assert await User.bulk_insert(more()) == 3
    assert await User.bulk_insert([]) == 0
    assert await User.count() == 28
    assert len(await User.filter(name__startswith="u").distinct("id")) == 25


async def test_a_chunk_that_fails_says_what_was_stored(register_any: Any) -> None:
    await register_any(User)
    with pytest.raises(ValidationError) as caught:
        await User.bulk_insert([*rows(5), {"name": 5}], chunk_size=2)
    assert caught.value.__notes__[-1] == "4 documents of the chunks before were stored."
    assert await User.count() == 4

    async def broken() -> AsyncIterator[dict[str, Any]]:
        for number in range(3):
            yield {"name": f"s{number}"}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as source:
        await User.bulk_insert(broken(), chunk_size=2)
    assert source.value.__notes__ == ["2 documents of the chunks before were stored."]
    assert await User.count(name__startswith="s") == 2
    with pytest.raises(BulkError):
        await User.bulk_insert([{"name": "x"}, {"name": "u1"}])
    for wrong in (None, 5, "abc", {"name": "x"}):
        with pytest.raises(InvalidValueError):
            await User.bulk_insert(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        await User.bulk_insert([], chunk_size=0)


async def test_a_writer_gathers(register_any: Any) -> None:
    await register_any(User, Order)
    ann = await User.create(name="ann")
    gone = await Order.create()
    with assert_commands(at_most=7):
        async with BulkWriter() as writer:
            for number in range(20):
                await writer.save(User(name=f"u{number}"), Order(user_id=number))
            ann.age = 5
            await writer.save(ann)
            await writer.delete(gone)
            assert writer.saved == 0
    assert (writer.saved, writer.deleted) == (41, 1)
    assert (await User.count(), await Order.count(), await User.count(age=5)) == (21, 20, 1)

    told: list[int] = []
    async with BulkWriter(size=2, progress=lambda done, total: told.append(done)) as writer:
        for number in range(5):
            await writer.save(Order(user_id=number))
    assert told == [2, 4, 5]


async def test_a_writer_sends_nothing_more_after_an_error(register_any: Any) -> None:
    await register_any(User)
    with pytest.raises(ZeroDivisionError):
        async with BulkWriter(size=2) as writer:
            for number in range(3):
                await writer.save(User(name=f"u{number}"))
            raise ZeroDivisionError
    assert await User.count() == 2
    with pytest.raises(InvalidValueError):
        async with BulkWriter() as writer:
            await writer.save({"name": "x"})  # type: ignore[arg-type]
    with pytest.raises(BulkError):
        async with BulkWriter() as writer:
            await writer.save(User(name="u0"), User(name="fresh"))
    assert await User.count(name="fresh") == 1
    with pytest.raises(ConfigurationError):
        BulkWriter(size=0)


async def test_a_writer_goes_on_with_other_models_and_counts_positions_over_everything(register_any: Any) -> None:
    await register_any(User, Order)
    await User.create(name="ann")
    gone = await Order.create()
    writer = BulkWriter(size=4)
    with pytest.raises(BulkError) as caught:
        await writer.save(Order(), User(name="ann"), User(name="bob"), Order())
    error = caught.value
    assert ([failure.index for failure in error.failures], sorted(error.written)) == ([1], [0, 2, 3])
    assert (error.model, error.fields, error.value) == (None, ("name",), "ann")
    assert error.__cause__ is error.failures[0].error
    assert (writer.saved, await Order.count(), await User.count()) == (3, 3, 2)
    await writer.save(User(name="cec"), User(name="bob"))
    await writer.delete(gone)
    with pytest.raises(BulkError) as caught:
        await writer.flush()
    assert [failure.index for failure in caught.value.failures] == [5]
    assert (writer.saved, writer.deleted) == (4, 1)
    with pytest.raises(BulkError) as caught:
        async with BulkWriter(ordered=True) as ordered:
            await ordered.save(User(name="dan"), User(name="bob"), Order())
    assert ([failure.index for failure in caught.value.failures], caught.value.written) == ([1], (0,))
    assert await Order.count() == 2
    with pytest.raises(BulkError) as caught:
        async with BulkWriter() as alone:
            await alone.save(User(name="bob"))
    assert caught.value.model == "User"


async def test_a_unit_of_work_is_all_or_nothing(register: Any) -> None:
    await register(User, Order)
    ann = await User.create(name="ann")
    gone = await Order.create()
    new = User(name="new")
    async with unit_of_work() as work:
        work.add(new, Order(user_id=1), ann)
        work.delete(gone)
        ann.age = 9
        assert not in_transaction()
        assert await User.count() == 1
    assert new.id is not None
    assert (await User.count(), await Order.count(), await User.count(age=9)) == (2, 1, 1)

    ann.age = 10
    other = User(name="other")
    with pytest.raises(BulkError):
        async with unit_of_work() as work:
            work.add(ann, other, User(name="new"))
    assert other.id is None
    assert ann.is_changed
    assert (await User.count(), await User.count(age=10)) == (2, 0)

    with pytest.raises(ZeroDivisionError):
        async with unit_of_work() as work:
            work.add(other)
            raise ZeroDivisionError
    assert await User.count() == 2

    with pytest.raises(ZeroDivisionError):
        async with transaction():
            async with unit_of_work() as work:
                work.add(other)
            assert await User.count() == 3
            raise ZeroDivisionError
    assert await User.count() == 2
    async with unit_of_work() as work:
        work.add(other)
        work.delete(other, ann)
        work.add(other)
    assert {user.name async for user in User.all()} == {"new", "other"}
    async with unit_of_work():
        pass


async def test_a_unit_of_work_is_done_again(register: Any, admin: Any) -> None:
    await register(User)
    data = {"failCommands": ["insert"], "errorCode": 112, "errorLabels": ["TransientTransactionError"]}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 2}, "data": data})
    new = User(name="new")
    async with unit_of_work() as work:
        work.add(new)
    assert await User.get_by_id(new.id) == new


async def test_memory_has_no_unit_of_work() -> None:
    from mongodb_orm import DatabaseConfig, register_model

    await register_model(User, DatabaseConfig(mongo_uri="memory://units"))
    with pytest.raises(NotSupportedError):
        async with unit_of_work() as work:
            work.add(User(name="x"))


async def test_bars(register: Any) -> None:
    await register(User)
    shown = io.StringIO()
    with TqdmProgress(desc="users", file=shown) as progress:
        await User.bulk_insert(list(rows(5)), chunk_size=2, progress=progress)
    assert "5/5" in shown.getvalue()
    bars = RichBars(console=Console(file=io.StringIO()))
    with RichProgress("users", bars) as rich_progress:
        await User.bulk_insert([{"name": f"v{number}"} for number in range(4)], chunk_size=2, progress=rich_progress)
    assert bars.tasks[0].completed == 4
    assert bars.tasks[0].total == 4
