"""The repository: the operations of an application's data access on one model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

import pydantic

from ..exceptions import (
    ConfigurationError,
    DocumentNotFoundError,
    InvalidValueError,
    UnknownFieldError,
    refused,
)
from ..model import BaseModel
from ..persistence.locking import retry_on_conflict
from ..queryset import Page, QuerySet
from ..schema import MappedModel, spec_of
from .criteria import CriteriaLike, condition_of
from .ordering import order_of

M = TypeVar("M", bound=BaseModel)
S = TypeVar("S", bound=pydantic.BaseModel)


class Repository(Generic[M]):
    """The data access of one model: searches by criteria, summaries, sort keys, and the basic writes.

    It restricts nothing and holds no state: an application's own operations are plain methods of a subclass, and every
    operation takes part in the transaction that is open.

    Attributes:
        model: The model class, taken from `Repository[User]`.
        sortable: Public sort keys and the fields that they stand for, as dotted names or `Model.f.name`; None allows
            every field.

    Example:
        >>> class UserRepository(Repository[User]):
        ...     sortable = {"name": "username", "joined": "created_at"}
        ...     async def get_by_username(self, username: str) -> User | None:
        ...         return await self.model.get(username=username)
        >>> await UserRepository().find(UserCriteria(city="Oslo"), sort=["-joined"], limit=20)
    """

    model: type[M]
    sortable: ClassVar[Mapping[str, str | Any] | None] = None

    def __init__(self, model: type[M] | None = None) -> None:
        """Make a repository.

        Args:
            model: The model, where the class does not say it.

        Raises:
            ConfigurationError: When nobody says it, or it is no model.
        """
        if model is not None:
            if not (isinstance(model, type) and issubclass(model, MappedModel)):
                raise ConfigurationError(
                    f"{model!r} is no model, so that no {type(self).__name__} can be made of it.",
                    hint="Pass a class that derives from BaseModel.",
                )
            self.model = model
        elif not hasattr(type(self), "model"):
            raise ConfigurationError(
                f"{type(self).__name__} does not say whose repository it is.",
                hint=f"Write {type(self).__name__}[User], derive a class from that, or pass the model.",
            )

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item: Any) -> Any:
            """Return the class for one model, or, of a type variable, what typing makes."""
            if isinstance(item, type) and issubclass(item, MappedModel):
                return _class_for(cls, item)
            return super().__class_getitem__(item)

    async def create(self, /, **values: Any) -> M:
        """Make and store a record.

        Raises:
            ValidationError: When the values do not fit.
            DuplicateDocumentError: When a unique index refuses it.
        """
        return await self.model.create(**values)

    async def get_by_id(self, id: Any) -> M | None:  # noqa: A002 - the contract's name
        """Return the record of an id, or None."""
        return await self.model.get_by_id(id)

    async def get_all(self, skip: int = 0, limit: int = 100, **filters: Any) -> list[M]:
        """Return records in the order of their ids.

        Args:
            skip: How many to leave out.
            limit: How many to return at most; 0 for all.
            filters: Keyword lookups, as in `Model.filter`.
        """
        return await self._query(None, filters).order_by(self._id_field).skip(skip).limit(limit)

    async def update(self, id: Any, /, **values: Any) -> M | None:  # noqa: A002 - the contract's name
        """Change fields of a record; all or nothing.

        Args:
            id: The record's id.
            values: New values. The id, timestamps, versions and `Meta.protected` are never set.

        Returns:
            The record as it is stored, or None when there is none.

        Raises:
            ValidationError: When a field does not exist, is protected or does not fit; nothing is stored.
        """
        return await self._update(id, values)

    async def delete(self, id: Any) -> bool:  # noqa: A002 - the contract's name
        """Delete a record, softly when the model says so.

        Returns:
            Whether it was there.
        """
        return await self._delete(id)

    async def count(self, criteria: CriteriaLike | None = None, **filters: Any) -> int:
        """Return how many records fulfil the criteria and the keyword lookups."""
        return await self._query(criteria, filters).count()

    async def exists(self, criteria: CriteriaLike | None = None, **filters: Any) -> bool:
        """Return whether any record fulfils the criteria and the keyword lookups."""
        return await self._query(criteria, filters).exists()

    async def any(self, criteria: CriteriaLike | None = None) -> bool:
        """Return whether any record fulfils the criteria."""
        return await self.exists(criteria)

    @overload
    async def find(
        self,
        criteria: CriteriaLike | None = ...,
        sort: Any = ...,
        skip: int = ...,
        limit: int = ...,
        projection: None = ...,
    ) -> list[M]: ...

    @overload
    async def find(
        self,
        criteria: CriteriaLike | None = ...,
        sort: Any = ...,
        skip: int = ...,
        limit: int = ...,
        *,
        projection: type[S],
    ) -> list[S]: ...

    async def find(
        self,
        criteria: CriteriaLike | None = None,
        sort: Any = None,
        skip: int = 0,
        limit: int = 0,
        projection: Any = None,
    ) -> list[Any]:
        """Return the records that fulfil the criteria.

        Args:
            criteria: Criteria, joined ones (`a & b`, `a | b`), or a condition; None finds everything.
            sort: `["-joined", "name"]`, or pairs of key and direction; ties are broken by the id.
            skip: How many to leave out.
            limit: How many to return at most; 0 for all.
            projection: A Pydantic model: its fields alone are asked of the server, and the results are of it.

        Raises:
            QueryError: When a criterion, sort key or field of the projection does not exist; nothing is sent.

        Example:
            >>> await infractions.find(InfractionCriteria(guild_id=1), sort=["-created"], projection=InfractionSummary)
        """
        return await self._search(criteria, sort, projection).skip(skip).limit(limit)

    @overload
    async def find_one(
        self, criteria: CriteriaLike | None = ..., sort: Any = ..., projection: None = ...
    ) -> M | None: ...

    @overload
    async def find_one(
        self, criteria: CriteriaLike | None = ..., sort: Any = ..., *, projection: type[S]
    ) -> S | None: ...

    async def find_one(self, criteria: CriteriaLike | None = None, sort: Any = None, projection: Any = None) -> Any:
        """Return the first record in the order that fulfils the criteria, or None; arguments as for `find`."""
        return await self._search(criteria, sort, projection).first()

    @overload
    async def page(
        self,
        criteria: CriteriaLike | None = ...,
        sort: Any = ...,
        page: int = ...,
        size: int = ...,
        projection: None = ...,
    ) -> Page[M]: ...

    @overload
    async def page(
        self,
        criteria: CriteriaLike | None = ...,
        sort: Any = ...,
        page: int = ...,
        size: int = ...,
        *,
        projection: type[S],
    ) -> Page[S]: ...

    async def page(
        self,
        criteria: CriteriaLike | None = None,
        sort: Any = None,
        page: int = 1,
        size: int = 20,
        projection: Any = None,
    ) -> Page[Any]:
        """Return one numbered page of what fulfils the criteria, with the total; arguments as for `find`.

        Args:
            criteria: As for `find`.
            sort: As for `find`.
            page: The page's number, from 1.
            size: How many records a page holds, 1,000 at most.
            projection: As for `find`.
        """
        return await self._search(criteria, sort, projection).paginate(page, size)

    @overload
    def stream(
        self, criteria: CriteriaLike | None = ..., sort: Any = ..., projection: None = ...
    ) -> AsyncIterator[M]: ...

    @overload
    def stream(
        self, criteria: CriteriaLike | None = ..., sort: Any = ..., *, projection: type[S]
    ) -> AsyncIterator[S]: ...

    def stream(
        self, criteria: CriteriaLike | None = None, sort: Any = None, projection: Any = None
    ) -> AsyncIterator[Any]:
        """Yield what fulfils the criteria, in batches, without holding it all; arguments as for `find`."""
        return aiter(self._search(criteria, sort, projection))

    @property
    def _id_field(self) -> str:
        return spec_of(self.model).id_field

    def _query(self, criteria: CriteriaLike | None, filters: Mapping[str, Any]) -> QuerySet[M, M]:
        return self.model.all().filter(condition_of(criteria, self.model), **filters)

    def _search(self, criteria: CriteriaLike | None, sort: Any, projection: Any) -> QuerySet[M, Any]:
        query: QuerySet[M, Any] = self._query(criteria, {})
        if projection is not None:
            query = query.project(projection)
        return query.order_by(*order_of(self.model, self.sortable, sort))

    @retry_on_conflict
    async def _update(self, id: Any, values: Mapping[str, Any]) -> M | None:  # noqa: A002
        record = await self.get_by_id(id)
        if record is None:
            return None
        try:
            return await record.patch(values)
        except DocumentNotFoundError:
            return None
        except (UnknownFieldError, InvalidValueError) as error:
            names = spec_of(self.model).names
            given = next((name for name in values if error.field in (name, names.get(name))), None)
            if given is None:
                raise
            kind = "extra_forbidden" if isinstance(error, UnknownFieldError) else "value_error"
            raise refused(self.model.__name__, given, values[given], error, kind) from error

    @retry_on_conflict
    async def _delete(self, id: Any) -> bool:  # noqa: A002
        record = await self.get_by_id(id)
        return record is not None and await record.delete()


@lru_cache(maxsize=512)
def _class_for(repository: type[Repository[Any]], model: type[BaseModel]) -> type[Repository[Any]]:
    name = f"{repository.__name__}[{model.__name__}]"
    return type(name, (repository,), {"model": model, "__module__": repository.__module__})
