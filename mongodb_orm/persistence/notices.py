"""Telling what was written: observers hear of every write, whichever way it went."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..codec import decode
from ..connections.units import on_outcome
from ..exceptions import ConfigurationError, RegistrationError
from ..schema import MappedModel
from ..types import Document

Kind = Literal["create", "update", "delete", "restore"]


@dataclass(frozen=True, slots=True)
class Written:
    """One write, as the database has it: names and values are the stored ones.

    A write of objects carries their documents, a write by query its filter. What an object did not know, its documents
    do not tell: fields that it did not load, and changes that others made meanwhile.

    Attributes:
        model: The model class.
        kind: What was done; a soft delete is a `delete`.
        database: The database, when it is not the model's own.
        old: The documents as they were, as BSON; None where there was none, or it is not known.
        new: The documents as they are now, as BSON; None where there is none, or it is not known. Where the write
            is not certain: as they would be.
        filter: The filter of a write by query, None for a write of objects.
        update: The update of a write by query; None where it removes, or where each document has its own.
        matched: How many documents were concerned.
        is_certain: Whether it is known that it was written. It is not after a lost connection, a timeout, a
            cancellation, or a write by query that failed half-way: each document may be as in `old` or as in `new`,
            each that the filter matched may be written or not. A cache forgets them.
    """

    model: type[MappedModel]
    kind: Kind
    database: str | None = None
    old: tuple[bytes | None, ...] = ()
    new: tuple[bytes | None, ...] = ()
    filter: Mapping[str, Any] | None = None
    update: Any = None
    matched: int = 1
    is_certain: bool = True

    @property
    def before(self) -> Document | None:
        """The (first) document as it was, decoded on each call."""
        return decode(self.old[0]) if self.old and self.old[0] else None

    @property
    def after(self) -> Document | None:
        """The (first) document as it is now, decoded on each call."""
        return decode(self.new[0]) if self.new and self.new[0] else None

    @property
    def ids(self) -> tuple[Any, ...]:
        """The stored ids, as far as the write knows them."""
        return tuple(document["_id"] for document in (after or before for before, after in self.pairs()) if document)

    @property
    def is_by_query(self) -> bool:
        """Whether documents were written without being loaded."""
        return self.filter is not None

    def pairs(self) -> Iterator[tuple[Document | None, Document | None]]:
        """Yield each document as it was and as it is now."""
        for position in range(max(len(self.old), len(self.new))):
            old = self.old[position] if position < len(self.old) else None
            new = self.new[position] if position < len(self.new) else None
            yield decode(old) if old else None, decode(new) if new else None


Observer = Callable[[Written], Any]

observers: list[tuple[type[MappedModel], Observer]] = []
"""Who listens; while it is empty, a write pays one look at it."""


def observe(model: type[MappedModel], callback: Observer) -> Callable[[], None]:
    """Call a function after every write of a model or of its subclasses; `BaseModel` means all models.

    Inside a transaction it is called after the commit, and not at all when the transaction is dropped. Of a write
    whose outcome is not known it hears too, as `Written.is_certain` says.

    An error of the function reaches the caller of the write, which is done nevertheless; the other observers are told
    all the same.

    Args:
        model: The model class.
        callback: A function, plain or async, that takes a `Written`.

    Returns:
        A function that ends it; calling it again does nothing.

    Example:
        >>> stop = observe(User, lambda written: cache.drop(written.ids))
    """
    if not (isinstance(model, type) and issubclass(model, MappedModel)):
        raise RegistrationError(f"{model!r} is not a model class.", hint="Name a model, or BaseModel for all of them.")
    if not callable(callback):
        raise ConfigurationError(f"An observer is a function, not {callback!r}.")
    entry = (model, callback)
    observers.append(entry)

    def stop() -> None:
        observers[:] = [other for other in observers if other is not entry]

    return stop


async def tell(written: Written) -> None:
    """Tell the observers of a write."""
    listening = [callback for model, callback in observers if issubclass(written.model, model)]
    if listening:
        await on_outcome(
            lambda: _call_all(listening, written), lambda: _call_all(listening, replace(written, is_certain=False))
        )


async def _call_all(listening: list[Observer], written: Written) -> None:
    async with AsyncExitStack() as stack:  # which calls the rest too when one raises
        for callback in reversed(listening):
            stack.push_async_callback(_call, callback, written)


async def _call(callback: Observer, written: Written) -> None:
    answer = callback(written)
    if inspect.isawaitable(answer):
        await answer
