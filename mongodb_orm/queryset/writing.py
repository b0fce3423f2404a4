"""The verbs that write: a query's documents updated and deleted without loading them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..compiler.changes import UpdateLike
from ..exceptions import InvalidValueError
from ..expressions import Compare
from ..persistence.deleting import delete_matching, hard_delete_matching, restore_matching
from ..persistence.modifying import find_and_delete, find_and_replace, find_and_update
from ..persistence.updating import update_matching
from ..persistence.upserting import upsert
from ..schema import MappedModel
from .reading import Reading
from .results import Objects

M = TypeVar("M", bound=MappedModel)
R = TypeVar("R")


@dataclass(frozen=True, slots=True, repr=False)
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
        """Update one matching document, the first in the query's order if it has one; see `update`.

        Returns:
            Whether there was one.
        """
        if self.sort:  # which an update alone would not obey
            return await self.but(kind=None).find_one_and_update(*changes, **values) is not None
        return bool(await self._update(changes, values, many=False))

    async def find_one_and_update(self, /, *changes: UpdateLike, return_old: bool = False, **values: Any) -> M | None:
        """Update the first matching document in the query's order and return it, all in one trip.

        Args:
            changes: As in `update`.
            return_old: Whether the object is as it was before the update, not as it is now.
            values: As in `update`; a field called `return_old` is written as `updates.set_("return_old", ...)`.

        Returns:
            The object, None when nothing matches.

        Example:
            >>> job = await Job.filter(state="new").order_by("created_at").find_one_and_update(state="taken")
        """
        return await find_and_update(
            self.model,
            self.filter_document(),
            changes,
            values,
            return_old=return_old,
            allow_javascript=self.javascript,
            **self._find_options("find_one_and_update"),
        )

    async def find_one_and_replace(
        self, replacement: M | Mapping[str, Any], /, *, return_old: bool = False
    ) -> M | None:
        """Put other values in place of the first matching document and return it; its id and `created_at` stay.

        Args:
            replacement: A new object, or a mapping of values that is validated like one.
            return_old: Whether the object is as it was before, not as it is now.

        Returns:
            The object, None when nothing matches.

        Raises:
            ValidationError: When the values do not fit.
        """
        options = self._find_options("find_one_and_replace")
        return await find_and_replace(self.model, self.filter_document(), replacement, return_old=return_old, **options)

    async def upsert(self, by: Mapping[str, Any], /, *changes: UpdateLike, **values: Any) -> tuple[M, bool]:
        """Update the document with the values `by` within the query, or make it; see `Model.upsert`."""
        self.refuse_window("upsert")
        if not isinstance(by, Mapping):
            raise InvalidValueError(
                'upsert takes a mapping of what the document is found by, such as {"email": ...}.',
                model=self.model.__name__,
                value=by,
            )
        query = self.filter(*(Compare((name,), "eq", value) for name, value in by.items()))
        return await upsert(self.model, query.filter_document(), by, changes, values, database=self.database)

    async def replace(self, replacement: M | Mapping[str, Any], /) -> bool:
        """Put other values in place of one matching document; see `find_one_and_replace`.

        Returns:
            Whether there was one.
        """
        return await self.find_one_and_replace(replacement) is not None

    async def find_one_and_delete(self) -> M | None:
        """Delete the first matching document in the query's order, softly when the model says so, and return it.

        Returns:
            The object as it was, or with its marks when it was deleted softly; None when nothing matches.

        Example:
            >>> job = await Job.all().order_by("created_at").find_one_and_delete()
        """
        return await find_and_delete(self.model, self.filter_document(), **self._find_options("find_one_and_delete"))

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

    def _find_options(self, verb: str) -> dict[str, Any]:
        self.refuse_window(verb)
        if self.kind is not None and not isinstance(self.kind, Objects):
            raise InvalidValueError(
                f"{verb} returns whole objects, so the query takes no projection.", model=self.model.__name__
            )
        return {**self.write_options(), "sort": self.sort}
