"""What the memory backend lacks is a typed error that names the feature, never a wrong answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mongodb_orm import BaseModel, DatabaseConfig, DocumentTooLargeError, NotSupportedError, register_model, transaction


class Item(BaseModel):
    number: int = 0
    price: Decimal = Decimal(1)
    tags: list[str] = []
    text: str = "x"


async def in_transaction() -> None:
    async with transaction(Item):
        await Item.create()


LACKING: list[tuple[Callable[[], Any], str]] = [
    (in_transaction, "transactions"),
    (lambda: Item.filter({"number": {"$mod": [2, 0]}}), "$mod"),
    (lambda: Item.filter({"$jsonSchema": {}}), "$jsonSchema"),
    (lambda: Item.filter({"$where": "1"}).allow_javascript(), "$where"),
    (lambda: Item.filter(price__gt=Decimal("0.5")), "decimals"),
    (lambda: Item.all().order_by("price"), "decimals"),
    (lambda: Item.distinct("price"), "decimals"),
    (lambda: Item.all().collation("en"), "collation"),
    (lambda: Item.all().explain(), "commands"),
    (lambda: Item.search("x"), "$text"),
    (lambda: Item.nearest("text", (1, 2)), "$geoNear"),
    (lambda: Item.create_index("text", index_type="text"), "text indexes"),
    (lambda: Item.update_many(None, number__mul=2), "$mul"),
    (lambda: Item.update_many(None, {"$bit": {"number": {"and": 1}}}), "$bit"),
    (lambda: Item.update_many(None, {"$set": {"tags.$[]": "q"}}), "$[]"),
    (lambda: Item.aggregate([{"$group": {"_id": None, "x": {"$addToSet": "$number"}}}]), "$addToSet"),
    (lambda: Item.aggregate([{"$merge": "x"}], allow_writes=True), "$merge"),
]


@pytest.fixture
async def items() -> None:
    await register_model(Item, DatabaseConfig("memory://lacking"))
    await Item.delete_many()
    await Item.bulk_create([{"number": n, "price": Decimal(n), "tags": ["a"]} for n in range(1, 4)])


@pytest.mark.parametrize(("call", "feature"), LACKING)
async def test_what_it_lacks_is_named(items: None, call: Callable[[], Any], feature: str) -> None:
    with pytest.raises(NotSupportedError) as caught:
        answer = call()
        if inspect.isawaitable(answer):
            await answer
    assert feature in str(caught.value.feature)
    assert caught.value.backends == ("mongodb://", "embedded://")
    assert await Item.count() == 3


async def test_a_document_is_as_large_as_on_a_server(items: None) -> None:
    with pytest.raises(DocumentTooLargeError):
        await Item.create(text="x" * 17_000_000)
    assert await Item.get(price=Decimal(2)) is not None, "equality of decimals works"
