"""The verbs that read, each of which only forwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from typing_extensions import Unpack

from ..aggregation import AggregateOptions, Aggregation, Pipeline, options_from, pipeline_on
from ..compiler.casting import Place, cast
from ..compiler.scopes import hidden_filter
from ..expressions import PositionLike, join
from ..persistence import saving
from ..queryset import Nearby, Page, QuerySet, Ranked
from ..schema import MappedModel, spec_of
from ..types import Document

S = TypeVar("S")


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
        /,
        *conditions: Any,
        sort_by: Any = ...,
        skip: int | None = ...,
        limit: int | None = ...,
        projection: None = ...,
        **lookups: Any,
    ) -> QuerySet[Self, Self]: ...

    @overload
    @classmethod
    def filter(
        cls,
        /,
        *conditions: Any,
        sort_by: Any = ...,
        skip: int | None = ...,
        limit: int | None = ...,
        projection: Mapping[str, Any] | Sequence[str],
        **lookups: Any,
    ) -> QuerySet[Self, Document]: ...

    @classmethod
    def filter(
        cls,
        /,
        *conditions: Any,
        sort_by: Any = None,
        skip: int | None = None,
        limit: int | None = None,
        projection: Any = None,
        **lookups: Any,
    ) -> QuerySet[Self, Any]:
        """Return a query: `await` it for a list, `async for` to stream, chain to narrow.

        Args:
            conditions: `Q` objects, expressions such as `User.f.age >= 18`, raw query documents.
            sort_by: `{"created_at": -1}`, `"-created_at"`, `[("name", 1)]`.
            skip: How many documents to leave out; None for none.
            limit: How many to take at most; None or 0 for all.
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
        if skip is not None:
            query = query.skip(skip)
        if limit is not None:
            query = query.limit(limit)
        return query if projection is None else query.project(projection)

    @classmethod
    def exclude(cls, /, *conditions: Any, **lookups: Any) -> QuerySet[Self, Self]:
        """Return a query on the documents for which the conditions do not all hold."""
        return QuerySet(cls).exclude(*conditions, **lookups)

    @classmethod
    def all(cls) -> QuerySet[Self, Self]:
        """Return a query on every document."""
        return QuerySet(cls)

    @classmethod
    async def paginate(
        cls, /, *conditions: Any, page: int = 1, size: int = 20, sort_by: Any = None, **lookups: Any
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
    async def get(cls, /, *conditions: Any, **lookups: Any) -> Self | None:
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
        if type(id) is not spec.id_shape.annotation or (type(id) is int and id.bit_length() > 63):
            id = cast(spec.id_shape, id, Place(spec.name, spec.id_field))  # noqa: A001
        return await saving.find_by_id(cls, id, hidden_filter(spec, "active"))

    @classmethod
    async def count(cls, /, *conditions: Any, **lookups: Any) -> int:
        """Return how many documents fulfil the conditions."""
        return await cls.all().filter(*conditions, **lookups).count()

    @classmethod
    async def exists(cls, /, *conditions: Any, **lookups: Any) -> bool:
        """Return whether any document fulfils the conditions."""
        return await cls.all().filter(*conditions, **lookups).exists()

    @classmethod
    async def distinct(cls, field: Any, /, *conditions: Any, **lookups: Any) -> list[Any]:
        """Return the distinct values of a field among the documents that fulfil the conditions."""
        return await cls.all().filter(*conditions, **lookups).distinct(field)

    @overload
    @classmethod
    def aggregate(
        cls, pipeline: Sequence[Mapping[str, Any]], *, into: None = None, **options: Unpack[AggregateOptions]
    ) -> Aggregation[Document]: ...

    @overload
    @classmethod
    def aggregate(
        cls, pipeline: Sequence[Mapping[str, Any]], *, into: type[S], **options: Unpack[AggregateOptions]
    ) -> Aggregation[S]: ...

    @classmethod
    def aggregate(
        cls, pipeline: Sequence[Mapping[str, Any]], *, into: Any = None, **options: Unpack[AggregateOptions]
    ) -> Aggregation[Any]:
        """Return an aggregation: `await` it for a list, `async for` to stream.

        Args:
            pipeline: MongoDB's stages, under the model's names; `id` may be written for `_id`, and a model for the
                name of its collection.
            into: A Pydantic model, or any type that Pydantic knows, of which the results are; dicts without.
            options: `raw` leaves names as they are; `scoped_lookups` hides in joined models what their scopes hide;
                `allow_disk_use`, `max_time` (seconds), `batch_size`, `hint`, `comment`, `collation`, `let`,
                `read_preference` are MongoDB's; `allow_javascript` lets `$where`, `$function` and `$accumulator` pass,
                `allow_writes` lets `$out` and `$merge` pass.

        Raises:
            InvalidValueError: When the pipeline or an option makes no sense; when it is run.
            UnsafeQueryError: When it runs JavaScript or writes, and nobody allowed it; when it is run.

        Example:
            >>> await User.aggregate([{"$match": {"id": {"$in": ids}}}, {"$group": {"_id": "$city"}}])
        """
        return Aggregation(cls, pipeline, options_from(**options), into)

    @classmethod
    def pipeline(cls, **options: Unpack[AggregateOptions]) -> Pipeline:
        """Return a builder of a pipeline on all documents; the options are those of `aggregate`.

        Example:
            >>> await User.pipeline().match(age__gte=18).group(by="city", n=count()).sort("-n").limit(5)
        """
        return pipeline_on(cls, settings=options_from(**options))
