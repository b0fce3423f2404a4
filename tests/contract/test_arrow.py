"""Results as tables, on the real libraries."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

import pydantic
import pytest
from pydantic import Field

from mongodb_orm import BaseModel, CorruptDocumentError, NotSupportedError, ObjectId

with warnings.catch_warnings():  # the wheel of PyMongoArrow was built against an older Arrow
    warnings.simplefilter("ignore")
    pa = pytest.importorskip("pyarrow", reason="the extra `arrow` is not installed")
    pytest.importorskip("pymongoarrow.lib", reason="the extra `arrow` is not installed")


class Color(Enum):
    RED = "r"


class Place(pydantic.BaseModel):
    city: str
    at: datetime | None = None


class Row(BaseModel):
    name: str = Field(alias="fullName")
    age: int | None = None
    score: float = 0.5
    color: Color = Color.RED
    born: date | None = None
    worked: timedelta = timedelta()
    balance: Decimal = Decimal(0)
    key: UUID = Field(default_factory=uuid4)
    owner: ObjectId = Field(default_factory=ObjectId)
    place: Place | None = None
    tags: list[str] = Field(default_factory=list)
    settings: dict[str, Any] = Field(default_factory=dict)


@pytest.fixture
async def rows(register_any: Any) -> list[Row]:
    await register_any(Row)
    ann = {
        "name": "Ann",
        "age": 31,
        "born": date(1990, 1, 2),
        "worked": timedelta(hours=2),
        "balance": Decimal("1.50"),
        "place": Place(city="Oslo", at=datetime(2026, 1, 2, tzinfo=UTC)),
        "tags": ["x", "y"],
    }
    return await Row.bulk_create([ann, {"name": "Bob"}])


async def test_a_table_has_the_fields_names_and_types(rows: list[Row]) -> None:
    table = await Row.all().defer("settings").order_by("id").to_arrow()
    assert table.column_names == [name for name in Row.model_fields if name != "settings"]
    assert table.schema.field("born").type == pa.date32()
    assert table.schema.field("worked").type == pa.duration("us")
    for row, stored in zip(table.to_pylist(), rows, strict=True):
        expected = stored.model_dump(exclude={"settings"})
        expected |= {"color": "r", "key": str(stored.key), "owner": str(stored.owner)}
        expected["place"] = expected["place"] or {"city": None, "at": None}  # PyMongoArrow knows no null structure
        assert row == expected


async def test_frames(rows: list[Row]) -> None:
    query = Row.all().order_by("id").values("name", "age", "worked")
    frame = await query.to_pandas()
    assert list(frame["name"]) == ["Ann", "Bob"]
    assert frame["worked"].sum() == timedelta(hours=2)
    polars_frame = await query.to_polars()
    assert polars_frame["age"].to_list() == [31, None]


async def test_no_results_are_an_empty_table(rows: list[Row]) -> None:
    table = await Row.filter(name="nobody").only("name").to_arrow()
    assert (table.num_rows, table.column_names) == (0, ["id", "name"])


async def test_what_no_table_can_hold_is_named(rows: list[Row]) -> None:
    with pytest.raises(NotSupportedError, match=r"Row\.settings"):
        await Row.all().to_arrow()
    with pytest.raises(NotSupportedError, match="Summaries|Rows"):
        await Row.all().project(["name"]).to_arrow()


async def test_a_stored_value_of_another_type_is_an_error(register: Any, raw: Any) -> None:
    await register(Row)
    raw.row.insert_one({"_id": 1, "fullName": 5})
    with pytest.raises(CorruptDocumentError, match="columns"):
        await Row.all().only("name").to_arrow()
