"""The verbs that write: a query's documents updated and deleted without loading them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..persistence.deleting import delete_matching, hard_delete_matching, restore_matching
from ..persistence.updating import UpdateLike, update_matching
from ..schema import MappedModel
from .reading import Reading

M = TypeVar("M", bound=MappedModel)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Writing(Reading[M, R], Generic[M, R]):
    """The part of a query that writes."""

    async def update(self, /, *changes: UpdateLike, **values: Any) -> int:
        """Update every matching document without loading it; hooks of instances do not run.

        Args:
            changes: Typed changes such as `updates.inc(User.f.age)`, or an update written on purpose with MongoDB's
                operators. Never pass input from outside here.
            values: New field values, and keyword operators such as `age__inc=1`.

        Returns:
            How many documents matched.

        Raises:
            InvalidValueError: When two changes concern the same field, or the id.

        Example:
            >>> await User.filter(age__gte=18).update(updates.push(User.f.tags, "adult"), visits__inc=1)
        """
        return await self._update(changes, values, many=True)

    async def update_one(self, /, *changes: UpdateLike, **values: Any) -> bool:
        """Update one matching document, whichever the server finds first; see `update`.

        Returns:
            Whether there was one.
        """
        return bool(await self._update(changes, values, many=False))

    async def delete(self) -> int:
        """Delete every matching document, softly when the model says so; return how many."""
        self.refuse_window("delete")
        return await delete_matching(self.model, self.filter_document(), **self.write_options())

    async def hard_delete(self) -> int:
        """Remove every matching document, whatever the model's policy; return how many."""
        self.refuse_window("hard_delete")
        return await hard_delete_matching(self.model, self.filter_document(), **self.write_options())

    async def restore(self) -> int:
        """Undo the soft delete of every matching document; return how many.

        Raises:
            NotSupportedError: When the model does not delete softly.
            DuplicateDocumentError: When a key was taken in the meantime; documents before that one are restored.

        Example:
            >>> await User.only_deleted().restore()
            >>> await User.filter(city="Oslo").restore()
        """
        self.refuse_window("restore")
        query = self.only_deleted() if self.visibility == "active" else self
        return await restore_matching(query.model, query.filter_document(), **query.write_options())

    async def _update(self, changes: tuple[UpdateLike, ...], values: dict[str, Any], *, many: bool) -> int:
        self.refuse_window("update" if many else "update_one")
        return await update_matching(
            self.model,
            self.filter_document(),
            changes,
            values,
            many=many,
            allow_javascript=self.javascript,
            **self.write_options(),
        )
