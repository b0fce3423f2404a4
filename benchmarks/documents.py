"""The document that is measured, as each contender declares it: 11 fields, with dates, a list and a nested model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import beanie
import pydantic
from pydantic import Field

from mongodb_orm import BaseModel

NOW = datetime.now(UTC).replace(microsecond=0)


class Address(pydantic.BaseModel):
    street: str
    city: str
    zip_code: str


class Fields(pydantic.BaseModel):
    username: str = Field(min_length=3)
    email: str  # an EmailStr costs every contender the same 23 microseconds on validation
    age: int
    is_active: bool
    score: float
    tags: list[str]
    address: Address
    bio: str | None = None


class Ours(Fields, BaseModel):
    class Meta:
        collection_name = "bench"


class OursMotor(Ours):
    class Meta:
        collection_name = "bench"


class ByHand(Fields):
    id: int = Field(alias="_id")
    created_at: datetime
    updated_at: datetime


class Peer(beanie.Document, Fields):
    id: int = Field(default=0)  # type: ignore[assignment]
    created_at: datetime = NOW
    updated_at: datetime = NOW

    class Settings:
        name = "bench"


class PeerTracked(Peer):
    class Settings:
        name = "bench"
        use_state_management = True


def values(n: int) -> dict[str, Any]:
    """The fields of document `n`, without id and dates."""
    return {
        "username": f"user{n}",
        "email": f"user{n}@example.com",
        "age": n % 90,
        "is_active": n % 2 == 0,
        "score": n * 1.5,
        "tags": ["red", "green", "blue"],
        "address": {"street": f"Street {n}", "city": "Oslo", "zip_code": "0123"},
        "bio": "a few words about somebody",
    }
