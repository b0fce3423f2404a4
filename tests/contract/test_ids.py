"""Where ids come from, and fields under other names, on every backend."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

import pydantic
import pytest
from bson import ObjectId
from pydantic import Field

from mongodb_orm import BaseModel, DocumentError, DuplicateDocumentError, InvalidValueError, ValidationError

T = TypeVar("T")


class ByObjectId(BaseModel):
    id: ObjectId
    name: str = ""


class ByUuid(BaseModel):
    id: UUID
    name: str = ""


class ByText(BaseModel):
    id: str
    name: str = ""


class ByFactory(BaseModel):
    class Meta:
        id_factory = staticmethod(lambda: f"x-{uuid4()}")

    id: str
    name: str = ""


class Named(BaseModel):
    class Meta:
        id_field = "code"
        use_auto_id = False

    code: str
    title: str = Field(default="", alias="fullTitle")


class Loose(BaseModel):
    class Meta:
        strict_mode = False

    name: str


@pytest.mark.parametrize("model", [ByObjectId, ByUuid, ByText, ByFactory])
async def test_generated_ids(register_any: Any, model: Any) -> None:
    await register_any(model)
    one = await model.create(name="one")
    two, three = await model.bulk_create([{"name": "two"}, {"name": "three"}])
    assert isinstance(one.id, {ByObjectId: ObjectId, ByUuid: UUID}.get(model, str))
    assert len({one.id, two.id, three.id}) == 3
    assert await model.get_by_id(one.id) == one
    assert await model.get_by_id(str(one.id)) == one
    assert await model.filter(id__in=[two.id, three.id]).count() == 2
    assert (await model.filter(name="one", projection={"id": 1})) == [{"id": one.id}]


@pytest.mark.parametrize("model", [ByObjectId, ByUuid])
async def test_text_that_is_no_id(register_any: Any, model: Any) -> None:
    await register_any(model)
    with pytest.raises(InvalidValueError, match="id"):
        await model.get_by_id("not an id")


async def test_a_named_id_that_the_caller_gives(register_any: Any, caplog: pytest.LogCaptureFixture) -> None:
    await register_any(Named)
    made = await Named.create(code="no", title="Norway")
    assert repr(made) == "<Named(code='no')>"
    assert await Named.get_by_id("no") == made
    assert [named.code for named in await Named.filter(title="Norway", sort_by="-code")] == ["no"]
    assert await Named.filter(projection={"title": 1}) == [{"code": "no", "title": "Norway"}]
    with pytest.raises(DocumentError, match="code"):
        await Named.create(title="nobody")
    with pytest.raises(DuplicateDocumentError) as caught:
        await Named.create(code="no")
    assert caught.value.model == "Named"
    made.code = "se"
    with pytest.raises(InvalidValueError, match="cannot change"):
        await made.save()


async def test_schemaless_models_keep_what_comes(register_any: Any) -> None:
    await register_any(Loose)
    made = await Loose.create(name="x", anything={"goes": [1]})
    loaded = await Loose.get(anything__goes=1)
    assert loaded == made
    assert loaded is not None
    assert loaded.model_extra == {"anything": {"goes": [1]}}


async def test_logs_name_the_operation_and_no_value(register_any: Any, caplog: pytest.LogCaptureFixture) -> None:
    await register_any(ByText)
    with caplog.at_level(logging.DEBUG, logger="mongodb_orm"):
        await ByText.filter(name="s3cret")
    line = next(record.getMessage() for record in caplog.records if "ByText" in record.getMessage())
    assert "ByText.filter" in line
    assert "ms" in line
    assert "{'name': '?'}" in line
    assert "s3cret" not in caplog.text


class Inner(pydantic.BaseModel):
    number: int = 0
    at: datetime | None = None


class Outer(BaseModel):
    inner: Inner = Field(default_factory=Inner)
    inners: list[Inner] = Field(default_factory=list)


class Generically(BaseModel, Generic[T]):
    value: T


async def test_a_bad_change_inside_a_nested_model_is_refused(register_any: Any) -> None:
    await register_any(Outer)
    outer = await Outer.create(inners=[Inner(number=1)])
    outer.inners[0].number = "many"  # type: ignore[assignment]
    with pytest.raises(ValidationError):
        await outer.save()
    fresh = Outer()
    fresh.inner.number = "many"  # type: ignore[assignment]
    with pytest.raises(ValidationError):
        await fresh.save()
    assert fresh.id is None
    assert [found.inners for found in await Outer.all()] == [[Inner(number=1)]]


async def test_datetimes_in_nested_models_equal_what_is_stored(register_any: Any) -> None:
    await register_any(Outer)
    at = datetime(2026, 1, 1, microsecond=1999)
    outer = await Outer.create(inner=Inner(at=at), inners=[Inner(at=at)])
    assert await Outer.get_by_id(outer.id) == outer
    assert outer.inner.at == datetime(2026, 1, 1, microsecond=1000, tzinfo=UTC)


async def test_generic_models(register_any: Any) -> None:
    await register_any(Generically[int])
    made = await Generically[int].create(value=3)
    assert await Generically[int].filter(value__gte="2") == [made]
