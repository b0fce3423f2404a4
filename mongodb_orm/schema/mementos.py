"""What objects were before a transaction touched them, so that an abort gives them back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from typing import Any

from ..tracking import PLAIN

_DICTS = ("__dict__", "__pydantic_extra__", "__pydantic_private__")


class Mementos:
    """The objects that one transaction touched, each as it was at the first touch."""

    __slots__ = ("_kept", "_slots")

    def __init__(self, slots: tuple[str, ...]) -> None:
        self._slots = slots
        # The object is kept beside its memento, so that its identity stays its own.
        self._kept: dict[int, tuple[Any, dict[str, Any]]] = {}

    def keep(self, document: Any) -> None:
        """Remember what an object is, unless that is known."""
        if id(document) not in self._kept:
            self._kept[id(document)] = (document, self._memento(document))

    def documents(self) -> list[Any]:
        """Return the objects."""
        return [document for document, _ in self._kept.values()]

    def restore(self) -> None:
        """Give every object back what it was."""
        for document, memento in self._kept.values():
            for name, value in memento.items():
                object.__setattr__(document, name, value)
            for slot in self._slots:
                if slot not in memento and hasattr(document, slot):
                    object.__delattr__(document, slot)
        self._kept.clear()

    def _memento(self, document: Any) -> dict[str, Any]:
        memento: dict[str, Any] = {name: _copied(getattr(document, name, None)) for name in _DICTS}
        memento["__pydantic_fields_set__"] = set(document.__pydantic_fields_set__)
        for slot in self._slots:
            if hasattr(document, slot):
                memento[slot] = getattr(document, slot)
        return memento


def copied(value: Any) -> Any:
    """Return a deep copy of what a field or a private attribute holds, or the value itself where it has none."""
    if type(value) in PLAIN:  # nearly all are, and `deepcopy` takes ten times as long to find that out
        return value
    try:
        return deepcopy(value)
    except TypeError:  # a lock, say, in a private attribute: no part of the document
        return value


def _copied(values: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else {name: copied(value) for name, value in values.items()}


class _Open:
    """How many transactions are open in this process; while there are none, a touch costs one look at it."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count: int = 0


is_open: _Open = _Open()
_lock = threading.Lock()
_current: ContextVar[Mementos | None] = ContextVar("mongodb_orm_mementos", default=None)


@contextmanager
def keeping(mementos: Mementos) -> Iterator[None]:
    """Let the block's touches be kept."""
    token = _current.set(mementos)
    with _lock:  # event loops of several threads count together
        is_open.count += 1
    try:
        yield
    finally:
        with _lock:
            is_open.count -= 1
        _current.reset(token)


def touch(document: Any) -> None:
    """Remember what an object is before it is changed, where a transaction is open."""
    if is_open.count:
        mementos = _current.get()
        if mementos is not None:
            mementos.keep(document)
