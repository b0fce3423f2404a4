"""What is written while the primary fails, and the proof afterwards that nothing was lost or done twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import Field

from mongodb_orm import (
    BaseModel,
    DuplicateDocumentError,
    MongoDBORMError,
    VersionedMixin,
    retry_on_conflict,
    transactional,
)

COUNTERS = 4
ACCOUNTS = 8
START = 1000
_WORKERS = 4


class Event(BaseModel):
    token: str


class Tally(BaseModel, VersionedMixin):
    value: int = 0
    tokens: list[str] = Field(default_factory=list)


class Account(BaseModel):
    balance: int = START


class Entry(BaseModel):
    token: str
    source: int
    target: int
    amount: int


MODELS = (Event, Tally, Account, Entry)


@dataclass
class Ledger:
    """What the writers were told.

    Attributes:
        done: The tokens of each kind of work that were acknowledged.
        doubtful: Those whose outcome nobody knows.
        refused: Those that are surely not stored.
        errors: How often each kind of error came.
        troubles: What is done to the primary, how often, and the longest time in which no write was acknowledged since,
            in seconds.
    """

    done: dict[str, list[str]] = field(default_factory=dict)
    doubtful: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    troubles: dict[str, tuple[int, float]] = field(default_factory=dict)
    _present: str = "nothing"
    _last: float = field(default_factory=time.monotonic)

    def begin(self, trouble: str) -> None:
        """Note what is done to the primary now."""
        self._present = trouble
        number, longest = self.troubles.get(trouble, (0, 0.0))
        self.troubles[trouble] = number + 1, longest

    def note(self, kind: str, token: str, error: MongoDBORMError | None = None) -> None:
        """Note how a piece of work ended."""
        if error is None:
            now = time.monotonic()
            number, longest = self.troubles.get(self._present, (0, 0.0))
            self.troubles[self._present] = number, max(longest, now - self._last)
            self._last = now
        else:
            self.errors[f"{kind}: {type(error).__name__}"] += 1
        told = self.done if error is None else self.doubtful if error.is_outcome_unknown else self.refused
        told.setdefault(kind, []).append(token)


async def create(token: str) -> None:
    """Insert an event; when nobody knows whether it was stored, save the same object again: that cannot do it twice."""
    event = Event(token=token)
    try:
        await event.save()
    except MongoDBORMError as error:
        if not error.is_outcome_unknown or event.id is None:
            raise
        try:
            await event.save()
        except DuplicateDocumentError:
            return
        except MongoDBORMError:
            raise error from None


@retry_on_conflict(attempts=200)
async def count(token: str) -> None:
    """Read, change and save one of a few documents that all workers change."""
    tally = await Tally.filter(id=random.randint(1, COUNTERS)).one()
    tally.value += 1
    tally.tokens.append(token)
    await tally.save()


@transactional(timeout=20)
async def transfer(token: str) -> None:
    """Move money between two accounts, with an entry in the books."""
    source_id, target_id = random.sample(range(1, ACCOUNTS + 1), 2)
    source, target = await Account.filter(id=source_id).one(), await Account.filter(id=target_id).one()
    amount = random.randint(1, 10)
    source.balance -= amount
    target.balance += amount
    await source.save()
    await Entry.create(token=token, source=source_id, target=target_id, amount=amount)
    await target.save()


async def write(seconds: float, ledger: Ledger) -> None:
    """Let all kinds of work be done by several workers each, for a time."""
    deadline = time.monotonic() + seconds

    async def work(kind: str, number: int, action: Callable[[str], Awaitable[None]]) -> None:
        step = 0
        while time.monotonic() < deadline:
            step += 1
            token = f"{kind}-{number}-{step}"
            try:
                await action(token)
            except MongoDBORMError as error:
                ledger.note(kind, token, error)
                await asyncio.sleep(0.05)
            else:
                ledger.note(kind, token)

    async with asyncio.TaskGroup() as group:
        for kind, action in (("create", create), ("save", count), ("transfer", transfer)):
            for number in range(_WORKERS):
                group.create_task(work(kind, number, action))


async def faults(ledger: Ledger) -> list[str]:
    """Return what is wrong with what is stored; nothing is, when all promises were kept."""
    wrong: list[str] = []
    events, tallies = await Event.all(), await Tally.all()
    accounts, entries = await Account.all(), await Entry.all()
    stored = {
        "create": [event.token for event in events],
        "save": [token for tally in tallies for token in tally.tokens],
        "transfer": [entry.token for entry in entries],
    }
    for kind, tokens in stored.items():
        times = Counter(tokens)
        wrong += [f"{kind} {token} is stored {number} times" for token, number in times.items() if number > 1]
        wrong += [f"{kind} {token} is lost" for token in ledger.done.get(kind, ()) if token not in times]
        wrong += [
            f"{kind} {token} is stored, though refused" for token in ledger.refused.get(kind, ()) if token in times
        ]
        known = {*ledger.done.get(kind, ()), *ledger.doubtful.get(kind, ()), *ledger.refused.get(kind, ())}
        wrong += [f"{kind} {token} came from nowhere" for token in times if token not in known]
    wrong += [f"{tally!r} lost an update" for tally in tallies if tally.value != len(tally.tokens)]
    wrong += [f"{tally!r} has version {tally.version}" for tally in tallies if tally.version != tally.value + 1]
    balances = {account.id: START for account in accounts}
    for entry in entries:
        balances[entry.source] -= entry.amount
        balances[entry.target] += entry.amount
    wrong += [f"{account!r} does not add up" for account in accounts if account.balance != balances[account.id]]
    if sum(account.balance for account in accounts) != START * ACCOUNTS:
        wrong.append("the balances do not add up")
    return wrong


async def prepare() -> None:
    """Make what is changed later."""
    await Tally.bulk_create([Tally() for _ in range(COUNTERS)])
    await Account.bulk_create([Account() for _ in range(ACCOUNTS)])
