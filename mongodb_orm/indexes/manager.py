"""`Model.indexes`: what can be done with the indexes of a model."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..commands import ListIndexes
from ..executor import run
from ..schema import IndexSpec, MappedModel, index_from, spec_of
from ..types import Document
from . import advising, applying
from .compiling import compiled_from
from .planning import IndexPlan


@dataclass(frozen=True, slots=True)
class IndexManager:
    """The indexes of a model: planned, applied, advised.

    Example:
        >>> print(await User.indexes.plan())
        >>> await User.indexes.apply()
    """

    model: type[MappedModel]

    async def plan(self) -> IndexPlan:
        """Return how the server's indexes differ from what the model declares; nothing is changed.

        Raises:
            ConfigurationError: When two declarations cannot both be built.
            QueryError: When a declaration makes no sense for the model.
        """
        return await applying.plan(self.model)

    async def apply(self, *, drop: applying.Drop = False) -> applying.IndexChanges:
        """Build what is missing, and change in place what can be: expiry, visibility, becoming unique.

        Nothing is dropped unasked. The rest is done in this order, so that a failure leaves the old indexes: hide
        undeclared indexes, change in place, build, rebuild, drop.

        Args:
            drop: `"hide"` hides undeclared indexes: the server keeps them up to date but plans no query with them, so
                their loss can be watched, and `unhide` ends it at once. True drops them, and drops and rebuilds what
                is declared in another way; each is hidden first.

        Returns:
            What was done.

        Raises:
            DuplicateDocumentError: When documents share the key of a unique index; `collisions` lists them.
            NotSupportedError: When the backend has no such index.
        """
        return await applying.apply(self.model, drop)

    async def list(self) -> list[Document]:
        """Return the definitions of the collection's indexes, under the model's field names."""
        return await applying.list_indexes(self.model)

    async def create(self, index: Any, **options: Any) -> bool:
        """Create an index that nobody declares.

        Args:
            index: Anything that `Meta.indexes` takes, an `Advice` too.
            options: The attributes of `IndexSpec`, when `index` gives only keys.

        Returns:
            True when it was made, False when it was there already.

        Raises:
            IndexConflictError: When it exists with other options.
            DuplicateDocumentError: When documents share the key of a unique index; `collisions` lists them.
        """
        if isinstance(index, advising.Advice):
            index = index.index
        if options and not isinstance(index, IndexSpec):
            given: Mapping[str, Any] = {"keys": index, **options}
            return await applying.create_index(self.model, index_from(given))
        return await applying.create_index(self.model, index_from(index))

    async def drop(self, name: str) -> bool:
        """Drop an index by its name, or by the field that it alone is on; return whether there was one."""
        return await applying.drop_index(self.model, name)

    async def hide(self, name: str) -> None:
        """Keep queries from using an index, by its name, to see how they do without it; it stays enforced."""
        await applying.set_hidden(self.model, name, True)

    async def unhide(self, name: str) -> None:
        """Let queries use a hidden index again, at once."""
        await applying.set_hidden(self.model, name, False)

    async def advise(self, *, slow_ms: float = 100.0) -> builtins.list[advising.Advice]:
        """Propose indexes for the queries that this process has sent and that no index serves.

        The process keeps the shapes of its queries, never their values: which fields are compared, ranged over and
        sorted by, how often, and how long the server took until the first results.

        Args:
            slow_ms: Queries that an index helps only in part get advice when they take this long on average.

        Returns:
            The proposals, those that would save most time first.

        Example:
            >>> for advice in await User.indexes.advise():
            ...     print(advice)
        """
        spec = spec_of(self.model)
        existing = [compiled_from(document) for document in await run(self.model, ListIndexes())]
        return advising.advise(spec, dict(spec.sightings), existing, slow_ms=slow_ms)

    def forget(self) -> None:
        """Forget the queries that were seen, to watch from now on."""
        spec_of(self.model).sightings.clear()


class IndexAccess:
    """The descriptor behind `Model.indexes`."""

    def __get__(self, instance: object, owner: type[MappedModel]) -> IndexManager:
        """Return the manager of the class."""
        return IndexManager(owner)
