"""Who acts: the name that goes into histories and into `created_by` and `updated_by`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_actor: ContextVar[Any] = ContextVar("mongodb_orm_actor", default=None)


@contextmanager
def actor(who: Any) -> Iterator[None]:
    """Say who acts within a block: in this task, and in tasks that are started inside.

    Args:
        who: Whatever names the actor and BSON can hold: a name, an id; None for nobody.

    Example:
        >>> with actor("ann"):
        ...     await invoice.save()
    """
    token = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(token)


def current_actor() -> Any:
    """Return who acts at present, None when nobody said so."""
    return _actor.get()
