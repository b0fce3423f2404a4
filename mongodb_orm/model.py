"""`BaseModel`: the verbs, each of which only forwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, overload

from .aggregation import Aggregation
from .compiler.casting import Place, cast
from .compiler.scopes import hidden_filter
from .connections import DatabaseConfig
from .exceptions import DuplicateDocumentError, InvalidValueError
from .expressions import PositionLike, join
from .indexes import IndexAccess, create_index, drop_index, list_indexes
from .persistence import bulk, deleting, saving
from .queryset import Nearby, Page, QuerySet, Ranked
from .registration import register_model
from .schema import MappedModel, index_from, spec_of
from .types import Document


class BaseModel(MappedModel):
    """A document class: Pydantic fields, and the methods that read and write them.

    Derive a class and register it; its collection is the class's name in snake case.

    Attributes:
        id: MongoDB's `_id`; an auto-increment int unless annotated otherwise; None before the first save.
        created_at: When the object was made, UTC.
        updated_at: When it was last saved, UTC.
        f: Field paths for expressions: `User.f.age >= 18`.

    Example:
        >>> class User(BaseModel):
        ...     username: str
        ...     age: int | None = None
        >>> await register_model(User, db_config=DatabaseConfig(mongo_uri="embedded://"))
        >>> user = await User.create(username="ann")
        >>> user.id
        1
    """

    class Meta:
        """The base alone is no collection."""

        abstract = True

    indexes: ClassVar[IndexAccess] = IndexAccess()
    """The model's indexes: `await User.indexes.plan()`."""

    @classmethod
    async def create(cls, /, **values: Any) -> Self:
        """Validate and insert a new document.

        Raises:
            ValidationError: When the values do not fit.
            DuplicateDocumentError: When a unique index refuses it.

        Example:
            >>> user = await User.create(username="ann", email="ann@example.com")
        """
        return await saving.insert(cls(**values))

    @classmethod
    async def bulk_create(cls, items: Iterable[Mapping[str, Any] | Self], *, ordered: bool = True) -> list[Self]:
        """Insert many documents: validated first, ids in one trip, then in chunks of 1,000.

        Args:
            items: Mappings of values, or new objects. An empty list does nothing.
            ordered: Whether to stop at the first document that the server refuses.

        Returns:
            The objects, in the order of `items`, with their ids.

        Raises:
            ValidationError: When items do not fit; locations begin with the position, and nothing is stored.
            BulkError: When the server refuses some. It is a `DuplicateDocumentError` too when a unique index did.
        """
        return await bulk.bulk_create(cls, items, ordered=ordered)

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
    async def delete_many(cls, *conditions: Any, **lookups: Any) -> int:
        """Delete the documents that fulfil the conditions, softly when the model says so.

        Without an argument every document is deleted.

        Returns:
            How many were deleted.
        """
        query = cls.all()
        return await (query.filter(*conditions, **lookups) if conditions or lookups else query).delete()

    @classmethod
    async def get_or_create(cls, defaults: Mapping[str, Any] | None = None, /, **values: Any) -> tuple[Self, bool]:
        """Return the document with these values, made when there is none.

        It finds, inserts, and finds again when somebody else was faster; that needs a unique index on the values.

        Args:
            defaults: Further values for a new document.
            values: What it is found by.

        Returns:
            The document, and whether it was made.
        """
        found = await cls.get(**values)
        if found is not None:
            return found, False
        try:
            return await cls.create(**{**values, **(defaults or {})}), True
        except DuplicateDocumentError:
            found = await cls.get(**values)
            if found is None:
                raise
            return found, False

    @classmethod
    async def update_or_create(cls, defaults: Mapping[str, Any] | None = None, /, **values: Any) -> tuple[Self, bool]:
        """Update the document with these values, or make it.

        Args:
            defaults: What is set on the document.
            values: What it is found by.

        Returns:
            The document, and whether it was made.
        """
        document, made = await cls.get_or_create(defaults, **values)
        if not made:
            for name, value in (defaults or {}).items():
                if name not in cls.model_fields:
                    raise InvalidValueError(f"{cls.__name__} has no field {name!r}.", model=cls.__name__, field=name)
                setattr(document, name, value)
            await document.save()
        return document, made

    @classmethod
    async def create_index(
        cls,
        field: str,
        *,
        unique: bool = False,
        direction: int = 1,
        sparse: bool = False,
        partial_filter_expression: Mapping[str, Any] | None = None,
        index_type: str | None = None,
        expire_after_seconds: int | None = None,
        text_weights: Mapping[str, int] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> bool:
        """Create an index on one field.

        Args:
            field: The field, dotted for nested ones.
            unique: Whether two documents may not share the value.
            direction: 1 ascending, -1 descending.
            sparse: Whether documents without the field are left out.
            partial_filter_expression: Only documents that match it are indexed.
            index_type: `"text"`, `"2dsphere"`, `"2d"` or `"hashed"` instead of a direction.
            expire_after_seconds: Documents are removed that long after the date in the field.
            text_weights: How much fields count in a text index.
            name: The index's name.
            options: The other attributes of `IndexSpec` (`collation`, `hidden`, `ignore_deleted`, ...), and any further
                option of MongoDB's `createIndexes`.

        Returns:
            True when it was made, False when it was there already.

        Raises:
            IndexConflictError: When it exists with other options.
            DuplicateDocumentError: When it is unique and stored documents share a value; `collisions` lists them.
        """
        return await cls.create_compound_index(
            [(field, index_type or direction)],
            unique=unique,
            sparse=sparse,
            partial_filter_expression=partial_filter_expression,
            expire_after_seconds=expire_after_seconds,
            text_weights=text_weights,
            name=name,
            **options,
        )

    @classmethod
    async def create_compound_index(
        cls,
        fields: Mapping[str, Any] | Sequence[tuple[str, Any] | str],
        *,
        unique: bool = False,
        sparse: bool = False,
        partial_filter_expression: Mapping[str, Any] | None = None,
        expire_after_seconds: int | None = None,
        text_weights: Mapping[str, int] | None = None,
        name: str | None = None,
        **options: Any,
    ) -> bool:
        """Create an index on several fields; arguments, result and errors as in `create_index`.

        Example:
            >>> await Post.create_compound_index({"author_id": 1, "status": 1, "created_at": -1})
        """
        return await create_index(
            cls,
            index_from(
                {
                    **options,
                    "keys": fields,
                    "unique": unique,
                    "sparse": sparse,
                    "partial_filter_expression": partial_filter_expression,
                    "expire_after_seconds": expire_after_seconds,
                    "text_weights": text_weights,
                    "name": name,
                }
            ),
        )

    @classmethod
    async def drop_index(cls, name: str) -> bool:
        """Drop an index by its name, or by the field that it alone is on.

        Returns:
            True when it was dropped, False when there is none.
        """
        return await drop_index(cls, name)

    @classmethod
    async def list_indexes(cls) -> list[Document]:
        """Return the definitions of the collection's indexes, under the model's field names."""
        return await list_indexes(cls)

    @classmethod
    async def __initialize__(cls, db_config: DatabaseConfig | None = None, client: Any = None) -> type[Self]:
        """Connect this class to a database, as `register_model` does."""
        return await register_model(cls, db_config, client)

    async def save(self, *, only_update: bool = False) -> Self:
        """Insert a new object, or send what changed in a stored one; nothing changed: no trip.

        Args:
            only_update: Whether a new object is an error.

        Returns:
            The object.

        Raises:
            ValidationError: When a changed value does not fit its field.
            DocumentNotFoundError: When the document has vanished; it is never made again.
            DuplicateDocumentError: When a unique index refuses it.
        """
        return await saving.save(self, only_update=only_update)

    async def delete(self) -> bool:
        """Delete the document, softly when the model says so.

        Returns:
            Whether it was there.
        """
        return await deleting.delete(self)

    async def refresh_from_db(self) -> Self:
        """Read the document again into this object.

        Raises:
            DocumentNotFoundError: When it is no longer stored.
        """
        return await saving.refresh(self)
