"""How a model says where its ids come from."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bson


@dataclass(frozen=True, slots=True)
class CounterId:
    """Auto-increment integers from a counter on the server, taken in blocks.

    Attributes:
        max_block: The most ids that one trip reserves for single creates.
    """

    max_block: int = 128


@dataclass(frozen=True, slots=True)
class FactoryId:
    """Ids made in Python, one call each."""

    factory: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class AssignedId:
    """Ids that the caller always gives."""


IdStrategy = CounterId | FactoryId | AssignedId


def strategy_for(annotation: Any, *, auto: bool) -> IdStrategy:
    """Return the strategy that an id annotation asks for.

    Args:
        annotation: The id's type, without `Annotated` and `None`.
        auto: Whether ids are generated at all (`Meta.use_auto_id`).
    """
    if not auto:
        return AssignedId()
    if annotation is int:
        return CounterId()
    if annotation is bson.ObjectId:
        return FactoryId(bson.ObjectId)
    if annotation is uuid.UUID:
        return FactoryId(uuid.uuid4)
    if annotation is str:
        return FactoryId(lambda: str(bson.ObjectId()))
    return AssignedId()
