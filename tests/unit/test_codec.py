"""Every type round-trips to equality; tables, no server."""

from __future__ import annotations

import ipaddress
from collections import deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import bson
import pydantic
import pytest
from bson import ObjectId
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, EmailStr, Field, HttpUrl, NaiveDatetime, PostgresDsn, SecretBytes, SecretStr

from mongodb_orm import BaseModel, CorruptDocumentError, ValidationError
from mongodb_orm.codec import codec_of, decode
from mongodb_orm.schema import snapshot_of
from mongodb_orm.tracking import diff

T = TypeVar("T")


class Color(Enum):
    RED = "r"
    TWO = 2


class Level(IntEnum):
    ONE = 1


class Point(NamedTuple):
    x: int
    y: int


class Nested(pydantic.BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(alias="n")
    when: datetime | None = None


class Tree(pydantic.BaseModel):
    value: int
    children: list[Tree] = []


class Box(pydantic.BaseModel, Generic[T]):
    content: T


NOW = datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)

VALUES: list[tuple[Any, Any]] = [
    (int, 2**63 - 1),
    (float, 1.5),
    (bool, True),
    (str, "ünï\0code 🎉"),
    (bytes, b"\x00\xff"),
    (Decimal, Decimal("1.10")),
    (Decimal, Decimal("-12345678901234567890123456789012.34")),
    (UUID, UUID("2df98b9c-f041-4151-8aec-96987ca50f1e")),
    (Color, Color.RED),
    (Color, Color.TWO),
    (Level, Level.ONE),
    (date, date(2026, 2, 3)),
    (time, time(1, 2, 3, 456)),
    (timedelta, timedelta(days=-3, microseconds=7)),
    (timedelta, timedelta(days=100_000_000)),
    (datetime, NOW),
    (NaiveDatetime, datetime(2026, 1, 2, 3)),
    (list[datetime], [NOW]),
    (dict[str, datetime], {"a": NOW}),
    (set[int], {1, 2}),
    (frozenset[str], frozenset("ab")),
    (tuple[int, str], (1, "a")),
    (deque[int], deque([1, 2])),
    (dict[int, str], {1: "a"}),
    (dict[UUID, Decimal], {UUID("2df98b9c-f041-4151-8aec-96987ca50f1e"): Decimal(2)}),
    (dict[str, Any], {"a.b": {"$c": [1, NOW, None]}, "": {}}),
    (Path, Path("/a/b")),
    (HttpUrl, HttpUrl("http://example.com/x")),
    (PostgresDsn, PostgresDsn("postgres://u@h/db")),
    (ipaddress.IPv4Address, ipaddress.ip_address("1.2.3.4")),
    (ipaddress.IPv6Network, ipaddress.ip_network("::/64")),
    (SecretStr, SecretStr("hush")),
    (SecretBytes, SecretBytes(b"hush")),
    (ObjectId, ObjectId("6b0709bf6c33cce430679200")),
    (Nested, Nested(n="x", when=NOW)),
    (list[Nested], [Nested(n="x")]),
    (Tree, Tree(value=1, children=[Tree(value=2)])),
    (Box[int], Box[int](content=3)),
    (int | str | list[int], [1]),
    (Literal["a", "b"], "b"),
    (Point, Point(1, 2)),
    (int | None, None),
    (Any, {"nested": [Decimal(1), NOW]}),
    (EmailStr, "ann@example.com"),
]


@pytest.mark.parametrize(("annotation", "value"), [pytest.param(*pair, id=str(pair[0])) for pair in VALUES])
def test_types_round_trip(annotation: Any, value: Any) -> None:
    model = pydantic.create_model("Model", __base__=BaseModel, value=(annotation, ...))
    document = model(id=1, value=value)
    loaded = codec_of(model).load(codec_of(model).dump(document))
    assert loaded == document
    assert type(loaded.value) is type(value)
    assert snapshot_of(loaded) == codec_of(model).dump(loaded)


@settings(deadline=None)
@given(st.timedeltas(min_value=timedelta(days=-100_000_000), max_value=timedelta(days=100_000_000)))
def test_durations_are_exact(value: timedelta) -> None:
    class Model(BaseModel):
        value: timedelta

    assert codec_of(Model).load(codec_of(Model).dump(Model(id=1, value=value))).value == value


def test_datetimes_become_what_will_be_stored() -> None:
    class Model(BaseModel):
        at: datetime

    assert Model(at=datetime(2026, 1, 1, microsecond=1999)).at == datetime(2026, 1, 1, microsecond=1000, tzinfo=UTC)
    assert Model(at=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))).at.tzinfo is UTC
    assert Model(at="2026-01-01T00:00:00Z").at.tzinfo is UTC


class Shown(BaseModel):
    password: str = Field(exclude=True)
    name: str = Field(alias="fullName")
    email: EmailStr = "a@example.com"

    @pydantic.field_serializer("name")
    def mask(self, value: str) -> str:
        return "***"

    @pydantic.computed_field
    def initial(self) -> str:
        return self.name[0]


def test_what_is_hidden_from_an_api_is_stored_all_the_same() -> None:
    shown = Shown(id=1, password="hash", name="Ann")
    stored = decode(codec_of(Shown).dump(shown))
    assert (stored["_id"], stored["password"], stored["fullName"]) == (1, "hash", "Ann")
    assert "initial" not in stored
    assert codec_of(Shown).load(codec_of(Shown).dump(shown)).name == "Ann"
    assert shown.model_dump()["name"] == "***"
    assert "password" not in shown.model_dump()


def test_reading_tolerates_unknown_fields_and_writing_refuses_them() -> None:
    raw = bson.encode({"_id": 1, "password": "x", "fullName": "y", "legacy": True})
    assert codec_of(Shown).load(raw).name == "y"
    with pytest.raises(ValidationError):
        Shown(password="x", name="y", legacy=True)


def test_a_corrupt_document_is_named() -> None:
    with pytest.raises(CorruptDocumentError, match="fullName") as caught:
        codec_of(Shown).load(bson.encode({"_id": 7, "password": "x", "fullName": 5}))
    assert caught.value.id == 7
    assert isinstance(caught.value.__cause__, ValidationError)


@pytest.mark.parametrize(("mode", "refused"), [("full", True), ("standard", False), ("types", False)])
def test_what_is_checked_again_on_reading(mode: str, refused: bool) -> None:
    class Model(BaseModel):
        class Meta:
            validation_on_load = mode

        email: EmailStr

    raw = bson.encode({"_id": 1, "email": "no email"})
    if refused:
        with pytest.raises(CorruptDocumentError):
            codec_of(Model).load(raw)
    else:
        assert codec_of(Model).load(raw).email == "no email"


def test_types_mode_skips_constraints_and_validators() -> None:
    class Model(BaseModel):
        class Meta:
            validation_on_load = "types"

        name: str = Field(min_length=3)

        @pydantic.field_validator("name")
        @classmethod
        def shout(cls, value: str) -> str:
            return value.upper()

    assert codec_of(Model).load(bson.encode({"_id": 1, "name": "x"})).name == "x"
    with pytest.raises(CorruptDocumentError):
        codec_of(Model).load(bson.encode({"_id": 1, "name": 5}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
PLAIN = st.dictionaries(st.sampled_from("abc"), JSON, max_size=3)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PLAIN, PLAIN)
def test_applying_a_diff_gives_the_new_document(old: dict[str, Any], new: dict[str, Any]) -> None:
    changes = diff(old, new, dict.fromkeys("abc"))
    result = bson.decode(bson.encode({key: value for key, value in old.items()})) if _encodable(old) else dict(old)
    for path, value in changes.set.items():
        _at(result, path)[path.split(".")[-1]] = value
    for path in changes.unset:
        del _at(result, path)[path.split(".")[-1]]
    assert result == new
    touched = [*changes.set, *changes.unset]
    assert not any(one != other and other.startswith(one + ".") for one in touched for other in touched)


def _encodable(value: Any) -> bool:
    try:
        bson.encode(value)
    except Exception:
        return False
    return True


def _at(document: Any, path: str) -> Any:
    for part in path.split(".")[:-1]:
        document = document[part]
    return document


def test_keys_that_the_model_does_not_know_stay() -> None:
    changes = diff({"a": {"x": 1, "legacy": 2}, "old": 3}, {"a": {"x": 5}}, {"a": {"x": None}})
    assert changes.set == {"a.x": 5}
    assert changes.unset == []


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), (0, False), ("1", 1), ([1], [True])])
def test_values_of_other_types_are_changes(old: Any, new: Any) -> None:
    assert diff({"a": old}, {"a": new}, {"a": None}).set == {"a": new}


class Measured(BaseModel):
    size: float = 0.0
    price: Decimal = Decimal(0)


def test_a_decimal_is_read_into_the_type_that_the_field_has():
    raw = bson.encode({"_id": 1, "size": bson.Decimal128("2.5"), "price": bson.Decimal128("9.90")})
    loaded = codec_of(Measured).load(raw)
    assert (loaded.size, loaded.price) == (2.5, Decimal("9.90"))
    assert [each.size for each in codec_of(Measured).load_chunk(raw * 3)] == [2.5, 2.5, 2.5]


def test_a_broken_document_among_good_ones_is_named():
    good = [bson.encode({"_id": number}) for number in range(40)]
    broken = bytearray(bson.encode({"_id": 99, "size": "xx"}))
    broken[broken.index(b"xx") : broken.index(b"xx") + 2] = b"\xff\xfe"
    with pytest.raises(CorruptDocumentError, match=r"99.*cannot be decoded") as caught:
        codec_of(Measured).load_chunk(b"".join(good) + bytes(broken))
    assert caught.value.id == 99


def test_a_date_that_python_cannot_hold_is_named():
    raw = bson.encode({"_id": 5, "created_at": bson.datetime_ms.DatetimeMS(2**60)})
    for load in (codec_of(Measured).load, codec_of(Measured).load_chunk):
        with pytest.raises(CorruptDocumentError, match="id 5"):
            load(raw)
