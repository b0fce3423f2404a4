"""Cached reads of one's own: any result under a key of one's own, and what drops it."""

from __future__ import annotations

import asyncio
import logging
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from mongodb_orm import BaseModel, InvalidValueError, UnencodableValueError, transaction
from mongodb_orm.repository import CachedRepository, MemoryCache
from mongodb_orm.repository import aside as aside_module


class Book(BaseModel):
    title: str
    price: Decimal = Decimal("1.50")
    out: date | None = None


class Books(CachedRepository[Book]):
    loads = 0
    gate: asyncio.Event | None = None

    async def search(self, text: str) -> list[Book]:
        return await self.cached(
            f"{self.keys.lists}search:{text}", lambda: self.load(self.get_all(title__contains=text))
        )

    async def by_title(self, title: str) -> Book | None:
        return await self.cached(f"{self.keys.records}by:{title}", lambda: self.load(self.model.get(title=title)))

    async def facts(self) -> dict[str, Any]:
        async def read() -> dict[str, Any]:
            books = await self.get_all()
            return {"out": [book.out for book in books], "sum": sum(book.price for book in books), "n": (1, 2)}

        return await self.cached(f"{self.keys.lists}facts", lambda: self.load(read()), ttl=600)

    async def load(self, reading: Any) -> Any:
        self.loads += 1
        found = await reading
        if self.gate is not None:
            await self.gate.wait()
        return found

    async def invalidate(self, record: Book) -> None:
        await self.cache.delete(f"{self.keys.records}by:{record.title}")


class Flaky(MemoryCache):
    is_down = False

    async def get(self, key: str) -> Any:
        return await super().get(self.up(key))

    async def delete(self, *keys: str) -> None:
        await super().delete(*[self.up(key) for key in keys])

    async def delete_prefix(self, prefix: str) -> None:
        await super().delete_prefix(self.up(prefix))

    def up(self, key: str) -> str:
        if self.is_down:
            raise OSError("down")
        return key


@pytest.fixture
def cache() -> Flaky:
    return Flaky()


@pytest.fixture
async def books(register_any: Any, cache: Flaky) -> Books:
    await register_any(Book)
    repository = Books(cache=cache)
    await repository.create(title="Emma")
    await repository.create(title="Emil", out=date(2026, 1, 1))
    return repository


async def test_records_come_back_as_records(books: Books) -> None:
    first, again = await books.search("Em"), await books.search("Em")
    assert (books.loads, first) == (1, again)
    assert [type(book) for book in again] == [Book, Book]
    again[0].title = "Emma, again"
    await again[0].save()
    assert await Book.count() == 2, "it is updated"
    assert [book.title for book in await books.search("Em")] == ["Emma, again", "Emil"]
    emil, same = await books.by_title("Emil"), await books.by_title("Emil")
    assert emil == same
    assert isinstance(same, Book)
    assert not same.is_changed


@pytest.mark.parametrize("write", ["create", "save", "update", "delete"])
async def test_every_write_drops_what_lies_below_lists(write: str, books: Books) -> None:
    await books.search("Em")
    if write == "create":
        await Book.create(title="Embers")
    elif write == "save":
        book = await Book.get_by_id(1)
        assert book is not None
        book.title = "Embers"
        await book.save()
    elif write == "update":
        await Book.filter(id=1).update(title="Embers")
    else:
        await Book.delete_many(id=1)
    assert await books.search("Em") == await books.get_all(title__contains="Em")


async def test_values_come_in_the_types_of_bson_the_first_time_too(books: Books) -> None:
    first, again = await books.facts(), await books.facts()
    assert first == again
    assert books.loads == 1
    assert again["sum"] == Decimal("3.00")
    assert again["n"] == [1, 2]


async def test_what_is_not_cached(books: Books) -> None:
    for _ in range(2):
        assert await books.search("nothing") == []
        assert await books.by_title("nothing") is None
    assert books.loads == 4
    with pytest.raises(InvalidValueError, match="in parts"):
        await books.cached("x", lambda: Book.all().only("title"))  # type: ignore[arg-type, return-value]
    with pytest.raises(InvalidValueError, match="new"):
        await books.cached("x", lambda: books.load(asyncio.sleep(0, Book(title="x"))))
    with pytest.raises(UnencodableValueError):
        await books.cached("x", lambda: books.load(asyncio.sleep(0, {"x": object()})))


async def test_one_load_and_none_kept_that_a_write_overtook(books: Books) -> None:
    books.gate = asyncio.Event()
    readers = [asyncio.create_task(books.by_title("Emma")) for _ in range(5)]
    while not books.loads:
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)  # it has read, and waits
    emma = await Book.get_by_id(1)
    assert emma is not None
    emma.price = Decimal(9)
    await emma.save()
    books.gate.set()
    await asyncio.gather(*readers)
    found = await books.by_title("Emma")
    assert found is not None
    assert found.price == 9, "the write had dropped the key before the load was done"


async def test_a_failing_cache_owes_what_invalidate_deletes(
    books: Books, cache: Flaky, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(aside_module, "_PAUSE", 0.0)
    emma = await books.by_title("Emma")
    assert emma is not None
    cache.is_down = True
    with caplog.at_level(logging.INFO, "mongodb_orm.cache"):
        emma.price = Decimal(9)
        await emma.save()
        fresh = await books.by_title("Emma")
    assert fresh is not None
    assert fresh.price == 9
    assert [record.levelname for record in caplog.records] == ["WARNING"], "it is told once, and does not answer yet"
    cache.is_down = False
    again = await books.by_title("Emma")
    assert again is not None
    assert again.price == 9


async def test_a_transaction_reads_the_database(register: Any, cache: Flaky) -> None:
    await register(Book)
    books = Books(cache=cache)
    await books.create(title="Emma")
    await books.search("Em")
    async with transaction():
        await books.create(title="Emil")
        assert len(await books.search("Em")) == 2
    assert len(await books.search("Em")) == 2
