"""Transactions on a real replica set: all or nothing, done again when that is safe, objects put back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Annotated, Any

import pydantic
import pytest
from pydantic import Field

from mongodb_orm import (
    BaseModel,
    ConfigurationError,
    DatabaseConfig,
    DuplicateDocumentError,
    Indexed,
    NotSupportedError,
    SoftDeleteMixin,
    TransactionError,
    TransientTransactionError,
    causal,
    close_all_connections,
    in_transaction,
    on_commit,
    on_rollback,
    register_model,
    register_models,
    run_transaction,
    transaction,
    transactional,
)
from mongodb_orm.persistence.notices import observe


class Address(pydantic.BaseModel):
    city: str = "Oslo"


class Account(BaseModel):
    name: Annotated[str, Indexed(unique=True)]
    balance: int = 0
    tags: list[str] = Field(default_factory=list)
    address: Address = Field(default_factory=Address)


class Note(BaseModel, SoftDeleteMixin):
    text: str


@pytest.fixture
async def accounts(register: Any) -> tuple[Account, Account]:
    await register(Account, Note)
    await Note.create(text="first")
    ann, bob = await Account.bulk_create([{"name": "ann", "balance": 100}, {"name": "bob"}])
    return ann, bob


FailPoint = Callable[..., None]

TRANSIENT = {"code": 112, "labels": ("TransientTransactionError",)}
UNKNOWN = {"code": 64, "labels": ("UnknownTransactionCommitResult",)}


async def transfer(source: Account, target: Account, amount: int) -> None:
    source.balance -= amount
    target.balance += amount
    await source.save()
    await target.save()


async def balances() -> dict[str, int]:
    return {account.name: account.balance async for account in Account.all()}


async def test_all_or_nothing(accounts: tuple[Account, Account]) -> None:
    ann, bob = accounts
    async with transaction() as session:
        assert session is not None
        assert in_transaction()
        await transfer(ann, bob, 30)
        assert await balances() == {"ann": 70, "bob": 30}
        outside = asyncio.create_task(asyncio.sleep(0))
        await outside
    assert not in_transaction()
    assert await balances() == {"ann": 70, "bob": 30}

    with pytest.raises(ZeroDivisionError):
        async with transaction(Account):
            await transfer(ann, bob, 30)
            raise ZeroDivisionError
    assert await balances() == {"ann": 70, "bob": 30}
    assert (ann.balance, bob.balance) == (70, 30)
    await transfer(ann, bob, 1)
    assert await balances() == {"ann": 69, "bob": 31}


async def test_others_see_nothing_before_the_commit(accounts: tuple[Account, Account], raw: Any) -> None:
    ann, bob = accounts
    async with transaction():
        await transfer(ann, bob, 30)
        assert raw.account.find_one({"name": "ann"})["balance"] == 100
    assert raw.account.find_one({"name": "ann"})["balance"] == 70


async def test_every_operation_takes_part(accounts: tuple[Account, Account], raw: Any) -> None:
    ann, _ = accounts
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            await Account.create(name="cecil")
            await Account.bulk_create([{"name": "dora"}, {"name": "emil"}])
            await Account.filter(name="ann").update(balance=1)
            await Account.delete_many(name="bob")
            await ann.refresh_from_db()
            assert ann.balance == 1
            note = await Note.get_by_id(1)
            assert note is not None
            await note.delete()
            assert await Account.count() == 4
            assert await Account.exists(name="emil")
            assert await Account.distinct("name") == ["ann", "cecil", "dora", "emil"]
            assert len(await Account.aggregate([{"$match": {"balance": 0}}])) == 3
            assert [account.name async for account in Account.all().order_by("name").limit(2)] == ["ann", "cecil"]
            assert (await Account.all().paginate(1, 2)).total == 4
            assert await Account.all().sum("balance") == 1
            found, made = await Account.get_or_create({}, name="fay")
            assert made
            assert found.balance == 0
            raise ZeroDivisionError
    assert {document["name"] for document in raw.account.find()} == {"ann", "bob"}
    assert raw.note.find_one()["is_deleted"] is False
    assert ann.balance == 100


async def test_objects_are_what_they_were(accounts: tuple[Account, Account]) -> None:
    ann, bob = accounts
    bob.tags.append("before")
    new = Account(name="new")
    note = await Note.create(text="x")
    before = ann.updated_at
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            ann.balance = 5
            ann.address.city = "Rome"
            ann.tags.append("x")
            await ann.save()
            bob.name = "bobby"
            await bob.save()
            await new.save()
            assert new.id is not None
            await note.delete()
            made = await Account.create(name="made")
            raise ZeroDivisionError
    assert (ann.balance, ann.address.city, ann.tags, ann.updated_at) == (100, "Oslo", [], before)
    assert (bob.name, bob.tags) == ("bob", ["before"])
    assert new.id is None
    assert made.id is None
    assert not note.is_deleted
    await bob.save()
    await new.save()
    assert await Account.count(tags__contains="before") == 1
    assert await Account.count(name="new") == 1
    await note.delete()
    assert await Note.count() == 1


async def test_hard_deletion_is_undone(accounts: tuple[Account, Account]) -> None:
    ann, _ = accounts
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            await ann.delete()
            raise ZeroDivisionError
    ann.balance = 1
    await ann.save()
    assert await Account.count(balance=1) == 1


@pytest.mark.parametrize("command", ["insert", "update", "find", "commitTransaction"])
@pytest.mark.parametrize("form", ["run", "decorator", "attempts"])
async def test_a_passing_failure_is_cured(
    accounts: tuple[Account, Account], fail: FailPoint, command: str, form: str
) -> None:
    ann, bob = accounts
    runs = 0
    bob.tags.append("pending")

    async def work() -> Account:
        nonlocal runs
        runs += 1
        if runs == 1:
            fail(command, **TRANSIENT)
        assert await Account.count() == 2
        made = await Account.create(name="made")
        assert await Account.get(name="ann") is not None
        await transfer(ann, bob, 10)
        return made

    if form == "run":
        made = await run_transaction(work)
    elif form == "decorator":
        made = await transactional(work)()
    else:
        async for attempt in transaction.attempts():
            async with attempt:
                made = await work()
    assert runs == 2
    assert await balances() == {"ann": 90, "bob": 10, "made": 0}
    assert (ann.balance, bob.balance) == (90, 10)
    stored = await Account.get_by_id(made.id)
    assert stored == made
    assert (await Account.filter(name="bob").one()).tags == ["pending"]
    ann.balance += 1
    await ann.save()
    assert (await balances())["ann"] == 91


class Transfers:
    """A transfer between two accounts in each of the forms, which fails once in front of one of its steps."""

    STEPS = ("first", "middle", "last", "commit")
    COMMANDS = {"first": "find", "middle": "insert", "last": "update", "commit": "commitTransaction"}

    def __init__(self, ann: Account, bob: Account, fail: FailPoint, step: str, failure: dict[str, Any]) -> None:
        self.ann, self.bob, self.runs = ann, bob, 0
        self._fail, self._step, self._failure = fail, step, failure
        self.made: Account | None = None

    async def work(self) -> None:
        self.runs += 1
        for step in self.STEPS:
            if self.runs == 1 and step == self._step:
                self._fail(self.COMMANDS[step], **self._failure)
            if step == "first":
                assert await Account.filter(name="ann").one() == self.ann
            elif step == "middle":
                self.made = await Account.create(name="made", balance=0)
            elif step == "last":
                await transfer(self.ann, self.bob, 10)

    async def run(self, form: str) -> None:
        if form == "block":
            async with transaction():
                await self.work()
        elif form == "decorator":
            await transactional(self.work)()
        elif form == "run":
            await run_transaction(self.work)
        else:
            async for attempt in transaction.attempts():
                async with attempt:
                    await self.work()


@pytest.mark.parametrize("step", Transfers.STEPS)
@pytest.mark.parametrize("form", ["block", "decorator", "run", "attempts"])
async def test_a_passing_failure_in_front_of_each_step(
    accounts: tuple[Account, Account], fail: FailPoint, form: str, step: str
) -> None:
    ann, bob = accounts
    transfers = Transfers(ann, bob, fail, step, TRANSIENT)
    if form == "block":
        with pytest.raises(TransientTransactionError):
            await transfers.run(form)
        assert (ann.balance, bob.balance, ann.is_changed, bob.is_changed) == (100, 0, False, False)
        assert transfers.made is None or transfers.made.id is None
        assert await balances() == {"ann": 100, "bob": 0}
    await transfers.run(form)
    assert transfers.runs == 2
    assert await balances() == {"ann": 90, "bob": 10, "made": 0}
    for account in (ann, bob, transfers.made):
        assert account is not None and not account.is_changed
        assert await Account.get_by_id(account.id) == account


@pytest.mark.parametrize("failure", [UNKNOWN, {"close": True}], ids=["unknown", "lost"])
@pytest.mark.parametrize("form", ["block", "decorator", "run", "attempts"])
async def test_an_unknown_commit_in_each_form(
    accounts: tuple[Account, Account], fail: FailPoint, form: str, failure: dict[str, Any]
) -> None:
    ann, bob = accounts
    transfers = Transfers(ann, bob, fail, "commit", {**failure, "times": 2})
    await transfers.run(form)
    assert transfers.runs == 1
    assert await balances() == {"ann": 90, "bob": 10, "made": 0}
    assert (ann.balance, bob.balance, ann.is_changed) == (90, 10, False)


async def test_a_task_that_is_cancelled_while_its_transaction_is_dropped(
    accounts: tuple[Account, Account], admin: Any
) -> None:
    ann, _ = accounts
    told: list[str] = []
    leaving = asyncio.Event()

    async def work() -> None:
        async with transaction():
            await on_rollback(lambda: told.append("dropped"))
            ann.balance = 1
            await ann.save()
            data = {"failCommands": ["abortTransaction"], "blockConnection": True, "blockTimeMS": 200}
            admin.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": data})
            leaving.set()
            raise ZeroDivisionError

    task = asyncio.create_task(work())
    await leaving.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (ann.balance, ann.is_changed, told) == (100, False, ["dropped"])


@pytest.mark.parametrize("times", [1, 4])
async def test_an_unknown_commit_is_asked_for_again(
    accounts: tuple[Account, Account], fail: FailPoint, times: int
) -> None:
    ann, bob = accounts
    runs = 0
    async with transaction():
        runs += 1
        await transfer(ann, bob, 10)
        fail("commitTransaction", times=times, **UNKNOWN)
    assert runs == 1
    assert await balances() == {"ann": 90, "bob": 10}
    assert ann.balance == 90


async def test_a_lost_connection_at_the_commit(accounts: tuple[Account, Account], fail: FailPoint) -> None:
    ann, bob = accounts
    fail("commitTransaction", times=2, close=True)
    async with transaction():
        await transfer(ann, bob, 10)
    assert await balances() == {"ann": 90, "bob": 10}


async def test_a_lost_connection_in_the_middle(accounts: tuple[Account, Account], fail: FailPoint) -> None:
    ann, bob = accounts
    runs = 0

    @transactional
    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            fail("update", close=True)
        await transfer(ann, bob, 10)

    await work()
    assert runs == 2
    assert await balances() == {"ann": 90, "bob": 10}


async def test_the_plain_block_says_that_it_may_be_done_again(
    accounts: tuple[Account, Account], fail: FailPoint
) -> None:
    ann, bob = accounts
    for command in ("update", "commitTransaction"):
        fail(command, **TRANSIENT)
        with pytest.raises(TransientTransactionError) as caught:
            async with transaction():
                await transfer(ann, bob, 10)
        assert caught.value.has_label("TransientTransactionError")
        assert caught.value.__cause__ is not None
        assert (ann.balance, bob.balance) == (100, 0)
    assert await balances() == {"ann": 100, "bob": 0}


async def test_attempts_end(accounts: tuple[Account, Account], fail: FailPoint) -> None:
    runs = 0

    @transactional(max_attempts=3)
    async def work() -> None:
        nonlocal runs
        runs += 1
        fail("insert", **TRANSIENT)
        await Account.create(name="x")

    with pytest.raises(TransientTransactionError):
        await work()
    assert runs == 3
    assert await Account.count() == 2
    with pytest.raises(TransientTransactionError) as caught:
        async with transaction():
            await Account.create(name="x")
            fail("commitTransaction", **TRANSIENT)
    assert str(caught.value).count("passing reason") == 1


async def test_other_failures_are_not_repeated(accounts: tuple[Account, Account]) -> None:
    runs = 0

    @transactional
    async def work() -> None:
        nonlocal runs
        runs += 1
        await Account.create(name="new")
        await Account.create(name="ann")

    with pytest.raises(DuplicateDocumentError):
        await work()
    assert runs == 1
    assert await Account.count() == 2


async def test_an_error_that_is_swallowed_still_ends_the_transaction(accounts: tuple[Account, Account]) -> None:
    with pytest.raises(TransactionError, match="DuplicateDocumentError"):
        async with transaction():
            await Account.create(name="new")
            with contextlib.suppress(DuplicateDocumentError):
                await Account.create(name="ann")
    assert await Account.count() == 2
    with pytest.raises(TransactionError, match="over"):
        async with transaction():
            with contextlib.suppress(DuplicateDocumentError):
                await Account.create(name="ann")
            await Account.count()


async def test_two_transactions_that_write_the_same(accounts: tuple[Account, Account]) -> None:
    async def add() -> None:
        @transactional
        async def work() -> None:
            account = await Account.filter(name="ann").one()
            account.balance += 1
            await account.save()

        await work()

    await asyncio.gather(*[add() for _ in range(10)])
    assert (await balances())["ann"] == 110


async def test_nested_ones_take_part(accounts: tuple[Account, Account]) -> None:
    ann, bob = accounts

    @transactional
    async def inner() -> None:
        await transfer(ann, bob, 10)

    with pytest.raises(ZeroDivisionError):
        async with transaction() as outer:
            await inner()
            async with transaction() as session:
                assert session is outer
                await transfer(ann, bob, 10)
            raise ZeroDivisionError
    assert await balances() == {"ann": 100, "bob": 0}

    with pytest.raises(TransactionError, match="ZeroDivisionError"):
        async with transaction():
            await inner()
            with contextlib.suppress(ZeroDivisionError):
                async with transaction():
                    raise ZeroDivisionError
    assert await balances() == {"ann": 100, "bob": 0}


async def test_a_passing_failure_inside_is_cured_outside(accounts: tuple[Account, Account], fail: FailPoint) -> None:
    ann, bob = accounts
    runs = [0, 0]

    @transactional
    async def inner() -> None:
        runs[1] += 1
        if runs[1] == 1:
            fail("update", **TRANSIENT)
        await transfer(ann, bob, 10)

    @transactional
    async def outer() -> None:
        runs[0] += 1
        await Account.create(name="new")
        await inner()

    await outer()
    assert runs == [2, 2]
    assert await balances() == {"ann": 90, "bob": 10, "new": 0}


async def test_callbacks(accounts: tuple[Account, Account]) -> None:
    told: list[str] = []

    async def later() -> None:
        assert not in_transaction()
        told.append(f"committed {await Account.count()}")

    async with transaction():
        await on_commit(later)
        await on_commit(lambda: told.append("plain"))
        await on_rollback(lambda: told.append("never"))
        await Account.create(name="new")
        assert told == []
    assert told == ["committed 3", "plain"]

    with pytest.raises(ZeroDivisionError):
        async with transaction():
            await on_commit(lambda: told.append("never"))
            await on_rollback(lambda: told.append("dropped"))
            raise ZeroDivisionError
    assert told == ["committed 3", "plain", "dropped"]
    await on_commit(lambda: told.append("at once"))
    await on_rollback(lambda: told.append("never"))
    assert told[-1] == "at once"


async def test_a_callback_that_fails_does_not_lie(accounts: tuple[Account, Account]) -> None:
    told: list[str] = []
    with pytest.raises(ZeroDivisionError) as caught:
        async with transaction():
            await Account.create(name="new")
            await on_commit(lambda: 1 / 0)
            await on_commit(lambda: told.append("the others run"))
    assert "committed" in caught.value.__notes__[0]
    assert told == ["the others run"]
    assert await Account.count() == 3


async def test_callbacks_of_a_failed_attempt_are_forgotten(accounts: tuple[Account, Account], fail: FailPoint) -> None:
    told: list[int] = []
    runs = 0

    @transactional
    async def work() -> None:
        nonlocal runs
        runs += 1
        attempt = runs
        await on_commit(lambda: told.append(attempt))
        if runs == 1:
            fail("insert", **TRANSIENT)
        await Account.create(name="new")

    await work()
    assert told == [2]


async def test_observers_hear_of_what_was_committed(accounts: tuple[Account, Account]) -> None:
    heard: list[Any] = []
    stop = observe(Account, lambda written: heard.append(written.after))
    try:
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await Account.create(name="dropped")
                raise ZeroDivisionError
        async with transaction():
            await Account.create(name="kept")
            assert heard == []
    finally:
        stop()
    assert [document["name"] for document in heard] == ["kept"]


async def test_tasks_that_run_at_the_same_time_are_refused(accounts: tuple[Account, Account]) -> None:
    with pytest.raises(TransactionError, match="another task"):
        async with transaction():
            await asyncio.gather(Account.create(name="a"), Account.create(name="b"))
    assert await Account.count() == 2
    with pytest.raises(TransactionError, match="another task"):
        async with transaction():
            await asyncio.create_task(Account.create(name="a"))
    async with transaction(), asyncio.timeout(5):
        await transfer(*accounts, 1)
    assert await balances() == {"ann": 99, "bob": 1}


async def test_a_task_that_outlives_the_block(accounts: tuple[Account, Account]) -> None:
    ended = asyncio.Event()

    async def late() -> None:
        await ended.wait()
        await Account.create(name="late")

    async with transaction():
        task = asyncio.create_task(late())
        await asyncio.sleep(0)
    ended.set()
    with pytest.raises(TransactionError, match="ended"):
        await task
    assert await Account.count() == 2


async def test_a_cancelled_block_is_dropped(accounts: tuple[Account, Account]) -> None:
    ann, bob = accounts
    saved = asyncio.Event()

    async def work() -> None:
        async with transaction():
            await transfer(ann, bob, 10)
            saved.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await saved.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (ann.balance, bob.balance) == (100, 0)
    ann.balance = 1
    await asyncio.wait_for(ann.save(), 5)
    assert await balances() == {"ann": 1, "bob": 0}


async def test_what_mongodb_refuses_inside(accounts: tuple[Account, Account]) -> None:
    for refused in (Account.create_index("balance"), Account.drop_index("name_1"), Account.all().estimated_count()):
        with pytest.raises(NotSupportedError, match="transaction"):
            async with transaction():
                await refused
    async with transaction():
        assert (await Account.filter(name="ann").explain()).index == "name_1"
        assert len(await Account.list_indexes()) == 2


async def test_models_of_two_connections(config: DatabaseConfig, accounts: Any, server_uri: str) -> None:
    other = DatabaseConfig(mongo_uri=server_uri, database_name="other_" + config.database_name, max_pool_size=7)

    class Log(BaseModel):
        text: str = ""

    await register_model(Log, other)
    with pytest.raises(ConfigurationError, match="several connections"):
        async with transaction():
            pass
    with pytest.raises(TransactionError, match="another connection"):
        async with transaction(Account):
            await Account.create(name="new")
            await Log.create()
    with pytest.raises(TransactionError, match="another connection"):
        async with transaction(Account), transaction(Log):
            pass
    assert await Account.count() == 2
    await Log.all().hard_delete()


async def test_bad_options(accounts: Any) -> None:
    for options in (
        {"read_concern": "linearizable"},
        {"write_concern": 0},
        {"write_concern": ""},
        {"max_commit_time": 0},
    ):
        with pytest.raises(ConfigurationError):
            transaction(**options)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        async for _ in transaction.attempts(max_attempts=0):
            pass
    wrong: Any
    for wrong in ("5", 1.5, True):
        with pytest.raises(ConfigurationError, match="max_attempts"):
            await transactional(max_attempts=wrong)(Account.count)()
    for wrong in ("5", True, float("nan")):
        with pytest.raises(ConfigurationError, match="timeout"):
            await transactional(timeout=wrong)(Account.count)()
        with pytest.raises(ConfigurationError, match="max_commit_time"):
            transaction(max_commit_time=wrong)
    block = transaction(read_concern="majority", write_concern=1, max_commit_time=5)
    async with block:
        await Account.create(name="new")
    with pytest.raises(TransactionError, match="once"):
        async with block:
            pass


async def test_nothing_is_registered(server_uri: str) -> None:
    with pytest.raises(ConfigurationError, match="No model"):
        async with transaction():
            pass


async def test_memory_has_no_transactions() -> None:
    await register_models(Account, db_config=DatabaseConfig(mongo_uri="memory://tx"))
    with pytest.raises(NotSupportedError, match="transactions") as caught:
        async with transaction():
            pass
    assert caught.value.backends
    await close_all_connections()


async def test_causal_sessions(accounts: tuple[Account, Account]) -> None:
    async with causal() as session:
        made = await Account.create(name="new")
        assert await Account.get_by_id(made.id) == made
        async with causal() as inner:
            assert inner is session
        async with transaction() as within:
            assert within is session
            await Account.create(name="newer")
        assert await Account.count() == 4
        with pytest.raises(DuplicateDocumentError):
            await Account.create(name="new")
        assert await Account.count() == 4
        assert not in_transaction()
