"""What must not happen twice, or half, when functions are done again, tasks are cancelled or run at the same time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pydantic
import pytest
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    DatabaseConfig,
    TransactionError,
    TransientTransactionError,
    VersionedMixin,
    causal,
    on_commit,
    register_model,
    run_transaction,
    transaction,
    transactional,
)

FailPoint = Callable[..., None]

TRANSIENT = {"code": 112, "labels": ("TransientTransactionError",)}


class Address(pydantic.BaseModel):
    city: str = "Oslo"


class Basket(BaseModel, VersionedMixin):
    name: str = ""
    tags: list[str] = Field(default_factory=list)
    counts: dict[str, int] = Field(default_factory=dict)
    address: Address = Field(default_factory=Address)


class Elsewhere(BaseModel):
    name: str = ""


def fill(basket: Basket) -> None:
    basket.tags.append("x")
    basket.counts["x"] = basket.counts.get("x", 0) + 1
    basket.address.city += "!"


def once(basket: Basket) -> None:
    assert (basket.tags, basket.counts, basket.address.city, basket.version) == (["x"], {"x": 1}, "Oslo!", 2)
    assert not basket.is_changed


async def call(function: Callable[..., Awaitable[None]], *given: Any, **named: Any) -> None:
    """Call a function from one that has no variables around it."""
    await function(*given, **named)


@pytest.fixture
async def basket(register: Any) -> Basket:
    await register(Basket)
    return await Basket.create(name="first")


@pytest.mark.parametrize(
    "form", ["argument", "keyword", "inside a list", "inside itself", "partial", "variable around"]
)
async def test_what_a_function_changes_in_place_is_put_back(basket: Basket, fail: FailPoint, form: str) -> None:
    runs = 0

    async def change(*given: Any, **named: Any) -> None:
        nonlocal runs
        runs += 1
        document = [*given, *named.values(), basket][0] if not form.startswith("inside") else given[0]["all"][0]
        fill(document)
        await document.save()
        if runs == 1:
            fail("commitTransaction", **TRANSIENT)

    knot: dict[str, Any] = {"all": [basket]}
    knot["knot"] = knot
    calls: dict[str, Callable[[], Awaitable[None]]] = {
        "argument": lambda: run_transaction(call, change, basket),
        "keyword": lambda: transactional(call)(change, basket=basket),
        "inside a list": lambda: run_transaction(call, change, {"all": [basket]}),
        "inside itself": lambda: run_transaction(call, change, knot),
        "partial": lambda: run_transaction(functools.partial(call, change, basket)),
        "variable around": lambda: run_transaction(change),
    }
    await calls[form]()
    assert runs == 2
    once(basket)
    once(await Basket.filter(id=basket.id).one())


async def test_what_a_method_changes_in_place_is_put_back(register: Any, fail: FailPoint) -> None:
    class Shelf(Basket):
        async def load_up(self) -> None:
            fill(self)
            await self.save()
            if failures:
                fail("commitTransaction", **failures.pop())

    await register(Shelf)
    failures: list[dict[str, Any]] = [TRANSIENT]
    shelf = await Shelf.create()
    await run_transaction(shelf.load_up)
    once(shelf)
    once(await Shelf.filter().one())


@pytest.mark.parametrize("form", ["function", "attempts"])
async def test_a_function_on_commit_that_fails_for_a_passing_reason(basket: Basket, fail: FailPoint, form: str) -> None:
    """It must not make the transaction, which was committed, be done again."""

    async def fails() -> None:
        fail("insert", **TRANSIENT)
        async with transaction():
            await Basket.create(name="on commit")

    async def work() -> None:
        await Basket.create(name="made")
        await on_commit(fails)

    with pytest.raises(TransientTransactionError) as caught:
        if form == "function":
            await transactional(max_attempts=3)(work)()
        else:
            async for attempt in transaction.attempts(max_attempts=3):
                async with attempt:
                    await work()
    assert caught.value.__notes__[-1].startswith("The transaction was committed")
    assert await Basket.filter(name="made").count() == 1


async def test_an_operation_that_was_cancelled_ends_its_transaction(basket: Basket, admin: Any) -> None:
    """Whether it was done is not known, so nothing may be committed beside it."""
    data = {"failCommands": ["update"], "blockConnection": True, "blockTimeMS": 300}
    with pytest.raises(TransactionError, match="CancelledError"):
        async with transaction():
            await Basket.create(name="second")
            basket.name = "changed"
            admin.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": data})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await basket.save()
    assert (basket.name, basket.is_changed) == ("first", False)
    assert [each.name async for each in Basket.all()] == ["first"]


async def test_a_group_of_tasks_that_ends_by_a_passing_failure(basket: Basket, fail: FailPoint) -> None:
    runs = 0

    @transactional
    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            fail("insert", **TRANSIENT)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
            await Basket.create(name="made")

    await work()
    assert runs == 2
    assert await Basket.filter(name="made").count() == 1


async def test_a_group_of_tasks_that_ends_by_another_failure_too(basket: Basket, fail: FailPoint) -> None:
    async def breaks() -> None:
        raise ValueError

    @transactional
    async def work() -> None:
        fail("insert", **TRANSIENT)
        async with asyncio.TaskGroup() as group:
            group.create_task(breaks())
            await Basket.create(name="made")

    with pytest.raises(ExceptionGroup) as caught:
        await work()
    assert caught.value.subgroup(ValueError) is not None


async def test_a_transaction_in_a_causal_session_of_another_task(basket: Basket) -> None:
    """What the task of the session writes meanwhile would be part of the transaction, and end with it."""

    async def other() -> None:
        async with transaction():
            await Basket.create(name="other")
            await asyncio.sleep(0.05)
            raise ZeroDivisionError

    async with causal():
        task = asyncio.create_task(other())
        await asyncio.sleep(0.02)
        await Basket.create(name="kept")
        with pytest.raises(TransactionError, match="another task"):
            await task
        with pytest.raises(TransactionError, match="another task"):
            await asyncio.create_task(enter(causal()))
    assert [each.name async for each in Basket.all().order_by("id")] == ["first", "kept"]


async def enter(block: Any) -> None:
    async with block:
        await Basket.count()


async def test_a_task_that_outlives_a_causal_session_begins_its_own(basket: Basket) -> None:
    ended = asyncio.Event()

    async def late() -> int:
        await ended.wait()
        async with causal():
            return await Basket.count()

    async with causal():
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    ended.set()
    assert await task == 1


async def test_a_causal_session_of_another_connection_inside_a_transaction(
    basket: Basket, config: DatabaseConfig
) -> None:
    other = config.model_copy(update={"database_name": f"{config.database_name}_b", "max_pool_size": 3})
    await register_model(Elsewhere, other)
    with pytest.raises(TransactionError, match="another connection"):
        async with transaction(Basket), causal(Elsewhere):
            await Basket.create(name="outside of the transaction")
    assert await Basket.count() == 1
