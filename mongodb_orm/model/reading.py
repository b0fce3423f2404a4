"""The verbs that read, each of which only forwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, overload

from ..aggregation import Aggregation
from ..compiler.casting import Place, cast
from ..compiler.scopes import hidden_filter
from ..expressions import PositionLike, join
from ..persistence import saving
from ..queryset import Nearby, Page, QuerySet, Ranked
from ..schema import MappedModel, spec_of
from ..types import Document


class ReadableModel(MappedModel):
    """A document class that can be read."""

    if not TYPE_CHECKING:  # to a checker, the `Meta` of a user's model would override this one

        class Meta:
            """The base alone is no collection."""

            abstract = True

    @overload
    @classmethod
    def filter(
        cls,
        *conditions: Any,
        sort_by: Any = ...,
        skip: int = ...,
        limit: int = ...,
        projection: None = ...,
        **lookups: Any,
    ) -> QuerySet[Self, Self]: ...

    @overload
    @classmethod
    def filter(
        cls,
        *conditions: Any,
        sort_by: Any = ...,
        skip: int = ...,
        limit: int = ...,
        projection: Mapping[str, Any] | Sequence[str],
        **lookups: Any,
    ) -> QuerySet[Self, Document]: ...

    @classmethod
    def filter(
        cls,
        *conditions: Any,
        sort_by: Any = None,
        skip: int = 0,
        limit: int = 0,
        projection: Any = None,
        **lookups: Any,
    ) -> QuerySet[Self, Any]:
        """Return a query: `await` it for a list, `async for` to stream, chain to narrow.

        Args:
            conditions: `Q` objects, expressions such as `User.f.age >= 18`, raw query documents.
            sort_by: `{"created_at": -1}`, `"-created_at"`, `[("name", 1)]`.
            skip: How many documents to leave out.
            limit: How many to take at most; 0 for all.
            projection: Fields to ask for; the results are dicts then.
            lookups: Keyword lookups, such as `age__gte=18`. A field that is called like one of the options above is
                reached by `Q(limit=5)` or a mapping.

        Raises:
            QueryError: When the query is sent and makes no sense.

        Example:
            >>> users = await User.filter(is_active=True, age__gte=18, sort_by={"created_at": -1}, limit=20)
        """
        query: QuerySet[Self, Any] = QuerySet(cls, join(*conditions, **lookups))
        if sort_by is not None:
            query = query.sort_by(sort_by)
        if skip != 0:
            query = query.skip(skip)
        if limit != 0:
            query = query.limit(limit)
        return query if projection is None else query.project(projection)

    @classmethod
    def exclude(cls, *conditions: Any, **lookups: Any) -> QuerySet[Self, Self]:
        """Return a query on the documents for which the conditions do not all hold."""
        return QuerySet(cls).exclude(*conditions, **lookups)

    @classmethod
    def all(cls) -> QuerySet[Self, Self]:
        """Return a query on every document."""
        return QuerySet(cls)

    @classmethod
    async def paginate(
        cls, *conditions: Any, page: int = 1, size: int = 20, sort_by: Any = None, **lookups: Any
    ) -> Page[Self]:
        """Return one numbered page of the documents that fulfil the conditions, with their total.

        Args:
            conditions: As in `filter`.
            page: The page's number, from 1.
            size: How many documents a page holds, 1,000 at most.
            sort_by: As in `filter`; the id where nothing is said.
            lookups: Keyword lookups; a field that is called like an option is reached by `Q(page=5)`.

        Example:
            >>> page = await User.paginate(is_active=True, page=2, size=20, sort_by="-created_at")
        """
        return await cls.filter(sort_by=sort_by).filter(*conditions, **lookups).paginate(page, size)

    @classmethod
    def search(cls, words: str, *, language: str | None = None, case_sensitive: bool = False) -> QuerySet[Self, Self]:
        """Return a query on the documents with these words, the best match first; see `QuerySet.search`."""
        return cls.all().search(words, language=language, case_sensitive=case_sensitive)

    @classmethod
    def nearest(
        cls, field: Any, point: PositionLike, *, max_distance: float | None = None, min_distance: float | None = None
    ) -> Ranked[Nearby[Self]]:
        """Return a query on all documents by their distance from a point; see `QuerySet.nearest`."""
        return cls.all().nearest(field, point, max_distance=max_distance, min_distance=min_distance)

    @classmethod
    async def get(cls, *conditions: Any, **lookups: Any) -> Self | None:
        """Return the first document that fulfils the conditions, or None."""
        return await cls.all().filter(*conditions, **lookups).first()

    @classmethod
    async def get_by_id(cls, id: Any) -> Self | None:  # noqa: A002 - the contract
        """Return the document with that id, or None.

        Raises:
            InvalidValueError: When the value cannot be an id of this model.
        """
        spec = spec_of(cls)
        if id is None:
            return None
        if type(id) is not spec.id_shape.annotation or type(id) is int:
            id = cast(spec.id_shape, id, Place(spec.name, spec.id_field))  # noqa: A001
        return await saving.find_by_id(cls, id, hidden_filter(spec, "active"))

    @classmethod
    async def count(cls, *conditions: Any, **lookups: Any) -> int:
        """Return how many documents fulfil the conditions."""
        return await cls.all().filter(*conditions, **lookups).count()

    @classmethod
    async def exists(cls, *conditions: Any, **lookups: Any) -> bool:
        """Return whether any document fulfils the conditions."""
        return await cls.all().filter(*conditions, **lookups).exists()

    @classmethod
    async def distinct(cls, field: Any, /, *conditions: Any, **lookups: Any) -> list[Any]:
        """Return the distinct values of a field among the documents that fulfil the conditions."""
        return await cls.all().filter(*conditions, **lookups).distinct(field)

    @classmethod
    def aggregate(
        cls,
        pipeline: Sequence[Mapping[str, Any]],
        *,
        raw: bool = False,
        allow_disk_use: bool | None = None,
        max_time: float | None = None,
        batch_size: int = 0,
        hint: str | None = None,
        comment: Any = None,
        allow_javascript: bool = False,
    ) -> Aggregation[Self]:
        """Return an aggregation: `await` it for a list of dicts, `async for` to stream.

        Args:
            pipeline: MongoDB's stages, under the model's names; `id` may be written for `_id`.
            raw: Whether names are left as they are.
            allow_disk_use: Whether the server may use temporary files.
            max_time: Seconds after which the server gives up.
            batch_size: Documents per trip.
            hint: The name of an index to use.
            comment: Shows in the server's log and profiler.
            allow_javascript: Whether `$where`, `$function` and `$accumulator` may pass.
        """
        return Aggregation(
            cls,
            pipeline,
            is_raw=raw,
            allow_disk_use=allow_disk_use,
            max_time_ms=None if max_time is None else int(max_time * 1000),
            batch_size=batch_size,
            hint=hint,
            comment=comment,
            allow_javascript=allow_javascript,
        )
