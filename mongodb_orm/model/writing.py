"""The verbs that write, each of which only forwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from ..compiler.changes import UpdateLike
from ..exceptions import DuplicateDocumentError, InvalidValueError
from ..persistence import saving
from ..persistence.locking import retry_on_conflict
from ..persistence.preparing import build
from ..schema import spec_of
from .instances import StoredModel

_CONFLICTS = 100


class WritableModel(StoredModel):
    """A document class that can be read and written."""

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model would override this one

        class Meta:
            """The base alone is no collection."""

            abstract = True

    @classmethod
    async def create(cls, /, **values: Any) -> Self:
        """Validate and insert a new document.

        Raises:
            ValidationError: When the values do not fit.
            DuplicateDocumentError: When a unique index refuses it.

        Example:
            >>> user = await User.create(username="ann", email="ann@example.com")
        """
        return await saving.insert(build(cls, values))

    @classmethod
    async def update_many(
        cls,
        filter: Any = None,  # noqa: A002
        update: Mapping[str, Any] | None = None,
        /,
        **values: Any,
    ) -> int:
        """Update the documents that match, without loading them; `updated_at` moves.

        Args:
            filter: A condition or raw query document; None for every document.
            update: An update written on purpose: MongoDB's operators, or plain field values. Input from outside
                belongs into `values`, where no operator is ever taken as one.
            values: Field values, and keyword operators such as `age__inc=1`.

        Returns:
            How many documents matched.

        Example:
            >>> await User.update_many({"is_active": False}, {"$set": {"archived": True}})
            >>> await User.update_many(User.f.age >= 65, retired=True)
        """
        query = cls.all()
        return await (query if filter is None else query.filter(filter)).update(update, **values)

    @classmethod
    async def delete_many(cls, /, *conditions: Any, **lookups: Any) -> int:
        """Delete the documents that fulfil the conditions, softly when the model says so.

        Without an argument every document is deleted.

        Returns:
            How many were deleted.
        """
        query = cls.all()
        return await (query.filter(*conditions, **lookups) if conditions or lookups else query).delete()

    @classmethod
    async def find_one_and_update(
        cls,
        filter: Any,  # noqa: A002
        /,
        *changes: UpdateLike,
        return_old: bool = False,
        **values: Any,
    ) -> Self | None:
        """Update the first document that matches and return it; see `QuerySet.find_one_and_update`.

        Example:
            >>> await User.find_one_and_update({"email": "ann@example.com"}, visits__inc=1)
        """
        return await cls.all().filter(filter).find_one_and_update(*changes, return_old=return_old, **values)

    @classmethod
    async def find_one_and_replace(
        cls,
        filter: Any,  # noqa: A002
        replacement: Any,
        /,
        *,
        return_old: bool = False,
    ) -> Self | None:
        """Replace the first document that matches and return it; see `QuerySet.find_one_and_replace`."""
        return await cls.all().filter(filter).find_one_and_replace(replacement, return_old=return_old)

    @classmethod
    async def find_one_and_delete(cls, /, *conditions: Any, **lookups: Any) -> Self | None:
        """Delete the first document that matches and return it; see `QuerySet.find_one_and_delete`."""
        return await cls.all().filter(*conditions, **lookups).find_one_and_delete()

    @classmethod
    async def upsert(cls, by: Mapping[str, Any], /, *changes: UpdateLike, **values: Any) -> tuple[Self, bool]:
        """Update the document with the values `by`, or make it: the model's defaults with the update done to them.

        Safe against concurrent calls when a unique index covers the fields in `by`. Hooks of instances do not run.

        Args:
            by: What it is found by: fields and their values.
            changes: As in `QuerySet.update`, and `updates.set_on_insert`.
            values: As in `QuerySet.update`.

        Returns:
            The document as it is now, and whether it was made.

        Raises:
            ValidationError: When a new document would not fit the model.

        Example:
            >>> user, made = await User.upsert({"email": "ann@example.com"}, username="ann", visits__inc=1)
        """
        return await cls.all().upsert(by, *changes, **values)

    @classmethod
    async def get_or_create(cls, defaults: Mapping[str, Any] | None = None, /, **values: Any) -> tuple[Self, bool]:
        """Return the document with these values, made when there is none.

        It finds, inserts, and finds again when somebody else was faster; that needs a unique index on the values.

        Args:
            defaults: Further values for a new document; `defaults=` where the model has no field of that name.
            values: What it is found by.

        Returns:
            The document, and whether it was made.
        """
        defaults, values = _defaults_of(cls, defaults, values)
        found = await cls.get(**values)
        if found is not None:
            return found, False
        try:
            return await cls.create(**{**values, **defaults}), True
        except DuplicateDocumentError:
            found = await cls.get(**values)
            if found is None:
                raise
            return found, False

    @classmethod
    async def update_or_create(cls, defaults: Mapping[str, Any] | None = None, /, **values: Any) -> tuple[Self, bool]:
        """Update the document with these values, or make it.

        Args:
            defaults: What is set on the document; `defaults=` where the model has no field of that name.
            values: What it is found by.

        Returns:
            The document, and whether it was made.
        """
        defaults, values = _defaults_of(cls, defaults, values)

        @retry_on_conflict(attempts=_CONFLICTS)  # what others saved meanwhile does not matter to what is set
        async def attempt() -> tuple[Self, bool]:
            document, made = await cls.get_or_create(defaults, **values)
            if not made:
                for name, value in defaults.items():
                    if name not in cls.model_fields:
                        raise InvalidValueError(
                            f"{cls.__name__} has no field {name!r}.", model=cls.__name__, field=name
                        )
                    setattr(document, name, value)
                await document.save()
            return document, made

        return await attempt()


def _defaults_of(
    model: type[WritableModel], defaults: Any, values: dict[str, Any]
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return the defaults, however they were given, and what the document is found by."""
    if defaults is None and "defaults" in values and "defaults" not in spec_of(model).fields:
        values = dict(values)
        defaults = values.pop("defaults")
    if defaults is not None and not isinstance(defaults, Mapping):
        raise InvalidValueError(
            f"The defaults of a new {model.__name__} are a mapping; what it is found by is given by keyword.",
            model=model.__name__,
            value=defaults,
        )
    return defaults or {}, values
