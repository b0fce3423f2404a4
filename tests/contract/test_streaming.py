"""Streams of documents that fail in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest

from mongodb_orm import BaseModel, BulkError, DuplicateDocumentError, Indexed, ValidationError, transaction


class Row(BaseModel):
    name: Annotated[str, Indexed(unique=True)]
    size: int = 0


def rows(count: int, *, same: tuple[int, ...] = (), wrong: int | None = None) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"name": "row0" if number in same else f"row{number}", "size": "x" if number == wrong else number}


async def test_positions_are_those_in_the_stream(register_any: Any) -> None:
    await register_any(Row)
    with pytest.raises(BulkError, match="first is item 13") as caught:
        await Row.bulk_insert(rows(20, same=(13, 17)), chunk_size=5)
    assert [failure.index for failure in caught.value.failures] == [13]
    assert caught.value.written == tuple(range(13))
    assert isinstance(caught.value, DuplicateDocumentError)
    assert await Row.count() == 13
    await Row.delete_many()
    with pytest.raises(ValidationError) as refused:
        await Row.bulk_insert(rows(20, wrong=13), chunk_size=5)
    assert [(error["loc"], error["type"], error["input"]) for error in refused.value.errors()] == [
        ((13, "size"), "int_parsing", "x")
    ]
    assert await Row.count() == 10


async def test_a_stream_that_is_not_ordered_goes_on(register_any: Any) -> None:
    await register_any(Row)
    told: list[int] = []
    with pytest.raises(BulkError) as caught:
        await Row.bulk_insert(
            rows(22, same=(3, 13, 14)), chunk_size=5, ordered=False, progress=lambda done, total: told.append(done)
        )
    assert [(failure.index, failure.fields) for failure in caught.value.failures] == [
        (3, ("name",)), (13, ("name",)), (14, ("name",))
    ]  # fmt: skip
    assert caught.value.written == tuple(position for position in range(22) if position not in (3, 13, 14))
    assert told == [5, 10, 15, 20, 22]
    assert await Row.count() == 19


async def test_what_was_refused_before_the_stream_broke_is_told(register_any: Any) -> None:
    await register_any(Row)
    with pytest.raises(ValidationError) as caught:
        await Row.bulk_insert(rows(20, same=(3, 7), wrong=13), chunk_size=5, ordered=False)
    note = caught.value.__notes__[-1]
    assert note.startswith("8 documents of the chunks before were stored. 2 were refused; the first was item 3: ")
    assert await Row.count() == 8


async def test_a_stream_in_a_transaction_ends_with_it(register: Any) -> None:
    await register(Row)
    with pytest.raises(BulkError) as caught:
        async with transaction():
            await Row.bulk_insert(rows(20, same=(7,)), chunk_size=5, ordered=False)
    assert ([failure.index for failure in caught.value.failures], caught.value.written) == ([7], ())
    assert await Row.count() == 0
