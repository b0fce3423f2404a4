"""Writes of objects that end without an answer: what the next write says of them, and that nothing is done twice."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pymongo
import pytest

from mongodb_orm import (
    BaseModel,
    BulkError,
    BulkWriter,
    MongoDBORMError,
    SoftDeleteMixin,
    StaleDocumentError,
    TransactionError,
    UnconfirmedWriteError,
    VersionedMixin,
    retry_on_conflict,
    transaction,
)


class Purse(BaseModel, VersionedMixin, SoftDeleteMixin):
    coins: int = 10
    owner: str = ""


class Ticket(BaseModel):
    state: str = "open"


WRITES = ("update", "delete", "findAndModify")
Write = Callable[[Any], Awaitable[Any]]


@pytest.fixture
def fail(admin: Any) -> Iterator[Callable[..., int]]:
    """Sets the failpoint, and returns how often it was entered so far."""

    def set_(*commands: str, times: Any = 1, **data: Any) -> int:
        mode: Any = {"times": times} if isinstance(times, int) else times
        data = {"failCommands": list(commands), **data}
        return int(admin.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})["count"])

    yield set_
    admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


Lose = Callable[..., Awaitable[None]]


@pytest.fixture
def lose(fail: Any) -> Lose:
    """Does a write whose answer never comes: it is not confirmed, or not even sent."""

    async def call(write: Awaitable[Any], *, is_sent: bool = True) -> None:
        if is_sent:
            fail(*WRITES, writeConcernError={"code": 100, "errmsg": "too few members"})
        else:
            fail(*WRITES, times="alwaysOn", closeConnection=True)
        with pymongo.timeout(5 if is_sent else 0.1), pytest.raises(MongoDBORMError) as caught:
            await write
        assert caught.value.is_outcome_unknown
        fail(times="off")

    return call


async def spend(purse: Purse) -> None:
    purse.coins -= 3
    await purse.save()


async def again(purse: Purse) -> None:
    await purse.save()


LOST: dict[str, tuple[Write, Write]] = {
    "save": (spend, again),
    "save, merged": (spend, lambda purse: purse.save(merge=True)),
    "update": (lambda purse: purse.update(coins__inc=-3), lambda purse: purse.update(coins__inc=-3)),
    "delete": (lambda purse: purse.delete(), lambda purse: purse.delete()),
    "save, then delete": (spend, lambda purse: purse.hard_delete()),
}


@pytest.mark.parametrize("verb", LOST)
async def test_a_stale_object_says_that_it_may_be_its_own_write(register: Any, lose: Lose, verb: str) -> None:
    await register(Purse)
    first, second = LOST[verb]
    purse = await Purse.create()
    await lose(first(purse))
    for stale in (purse, pickle.loads(pickle.dumps(purse)), copy.copy(purse)):
        with pytest.raises(StaleDocumentError, match="perhaps because its own last write") as caught:
            await second(stale)
        assert caught.value.may_be_own
        assert "Read it again" in caught.value.hint
    if verb != "save, merged":
        assert (caught.value.expected, caught.value.found) == (1, 2)
    await purse.refresh_from_db()
    assert purse.is_deleted or purse.coins == 7
    other = await Purse.with_deleted().one()
    await spend(other)
    with pytest.raises(StaleDocumentError, match=r"stored\. Read it again and repeat") as caught:
        await spend(purse)
    assert not caught.value.may_be_own


async def test_a_write_that_never_arrived_is_done_by_the_next_one(register: Any, lose: Lose) -> None:
    await register(Purse)
    purse = await Purse.create()
    await lose(spend(purse), is_sent=False)
    await purse.save()
    assert (purse.version, purse.coins) == (2, 7)
    other = await Purse.filter(id=purse.id).one()
    await spend(other)
    with pytest.raises(StaleDocumentError) as caught:
        await spend(purse)
    assert not caught.value.may_be_own  # the save in between had its answer


async def test_a_condition_that_an_own_write_may_have_broken(register: Any, lose: Lose) -> None:
    await register(Ticket)
    ticket = await Ticket.create()
    ticket.state = "taken"
    await lose(ticket.save(if_match={"state": "open"}))
    with pytest.raises(StaleDocumentError) as caught:
        await ticket.save(if_match={"state": "open"})
    assert caught.value.may_be_own


async def test_nothing_is_tried_again_that_may_be_done(register: Any, lose: Lose) -> None:
    await register(Purse)
    purse = await Purse.create()

    @retry_on_conflict
    async def insist() -> None:
        loaded = await Purse.filter(id=purse.id).one()
        if loaded.coins == 10:
            await lose(spend(loaded))
            await loaded.save()
        await spend(loaded)

    with pytest.raises(StaleDocumentError):
        await insist()
    assert (await Purse.filter(id=purse.id).one()).coins == 7


async def test_a_commit_without_an_answer(
    register: Any, fail: Any, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mongodb_orm.connections.transactions._COMMIT_SECONDS", 0.0)
    await register(Purse)
    purse = await Purse.create()
    fail("commitTransaction", errorCode=50)
    with pytest.raises(TransactionError):
        async with transaction():
            await spend(purse)
    admin.admin.command("killAllSessions", [])  # the server still has the transaction, which is dropped so
    with pytest.raises(StaleDocumentError) as caught:
        await spend(purse)
    assert caught.value.may_be_own
    assert (caught.value.expected, caught.value.found) == (2, 1)


async def test_an_aborted_transaction_leaves_no_doubt(register: Any, fail: Any) -> None:
    await register(Purse)
    purse = await Purse.create()
    with pymongo.timeout(0.5), pytest.raises(MongoDBORMError):
        async with transaction():
            fail("update", times="alwaysOn", closeConnection=True)
            await spend(purse)
    fail(times="off")
    await spend(await Purse.filter(id=purse.id).one())
    with pytest.raises(StaleDocumentError) as caught:
        await spend(purse)
    assert not caught.value.may_be_own


async def test_a_cancelled_save_leaves_doubt_and_a_refused_one_does_not(
    register: Any, fail: Any, admin: Any, raw: Any
) -> None:
    await register(Purse)
    purse = await Purse.create()
    entered = fail("update", times="alwaysOn", blockConnection=True, blockTimeMS=500)
    task = asyncio.ensure_future(spend(purse))
    reached = {"waitForFailPoint": "failCommand", "timesEntered": entered + 1, "maxTimeMS": 10_000}
    await asyncio.to_thread(admin.admin.command, reached)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    fail(times="off")
    while raw.purse.count_documents({"version": 2}) == 0:  # till the server is through with it
        await asyncio.sleep(0.02)
    with pytest.raises(StaleDocumentError) as caught:
        await purse.save()
    assert caught.value.may_be_own

    await purse.refresh_from_db()
    fail("update", errorCode=13)
    with pytest.raises(MongoDBORMError):
        await spend(purse)
    await spend(await Purse.filter(id=purse.id).one())
    with pytest.raises(StaleDocumentError) as caught:
        await purse.save()
    assert not caught.value.may_be_own


async def test_doubts_of_many(register: Any, fail: Any) -> None:
    await register(Purse, Ticket)
    purses = await Purse.bulk_create([{}, {}])
    unconfirmed = {"writeConcernError": {"code": 100, "errmsg": "too few members"}}

    async def gathered() -> None:
        async with BulkWriter() as writer:
            await writer.save(*purses, Ticket())

    writes: tuple[Callable[[], Awaitable[Any]], ...] = (
        lambda: Purse.bulk_save(purses),
        gathered,
        lambda: Purse.bulk_delete(purses),
    )
    for write in writes:
        for purse in purses:
            await purse.refresh_from_db()
            purse.coins += 1
        fail("update", "bulkWrite", **unconfirmed)
        with pytest.raises(UnconfirmedWriteError):
            await write()
        fail(times="off")
        with pytest.raises(BulkError) as caught:
            await Purse.bulk_save(purses)
        assert [failure.error.may_be_own for failure in caught.value.failures] == [True, True]  # type: ignore[attr-defined]
