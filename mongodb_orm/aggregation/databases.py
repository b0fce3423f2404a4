"""Joins stay within a database."""

from __future__ import annotations

from collections.abc import Iterable

from ..connections import Binding, connections
from ..exceptions import QueryError
from ..schema import MappedModel


def refuse_apart(model: type[MappedModel], joined: Iterable[type]) -> None:
    """Raise when a model is joined that lies in another database, where MongoDB would find nothing.

    Raises:
        QueryError: When one does.
    """
    bindings = None
    for other in joined:
        bindings = connections.bindings() if bindings is None else bindings
        ours, theirs = bindings.get(model), bindings.get(other)
        if ours is not None and theirs is not None and _are_apart(ours, theirs):
            raise QueryError(
                f"{other.__name__} lies in the database {theirs.database!r}, {model.__name__} in {ours.database!r}.",
                hint="MongoDB joins collections of one database. Read them one after the other.",
                model=model.__name__,
            )


def _are_apart(ours: Binding, theirs: Binding) -> bool:
    if ours.database != theirs.database:
        return True
    # Of a client that was handed over nobody knows where it leads.
    is_known = ours.handed_over is None and theirs.handed_over is None
    return is_known and ours.config.mongo_uri != theirs.config.mongo_uri
