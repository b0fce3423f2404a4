"""The query: what its results are, and the verbs that count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, cast, overload

import pydantic
from typing_extensions import TypeVar, Unpack

from ..aggregation import AggregateOptions, Aggregation, Pipeline
from ..commands import Count, EstimatedCount
from ..compiler.projections import field_path
from ..compiler.scopes import kind_filter
from ..exceptions import InvalidValueError
from ..executor import run
from ..expressions import path_text
from ..schema import MappedModel, resolve, spec_of
from ..types import Document
from . import figures
from .aggregating import led_aggregation, led_pipeline
from .results import Objects, PartialObjects, RawRows, Results, Values, is_sorted_by_summary, projected
from .writing import Writing

M = TypeVar("M", bound=MappedModel)
R = TypeVar("R", default=M)  # `QuerySet[User]` is a query whose results are users
S = TypeVar("S", bound=pydantic.BaseModel)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class QuerySet(Writing[M, R], Generic[M, R]):
    """A query on a model, whose results are `R`: objects of the model, or what a projection makes of them.

    Every method that narrows or orders gives a new query; nothing is sent before `await`, `async for` or a verb.

    Example:
        >>> adults = User.filter(age__gte=18).order_by("-created_at")
        >>> page = await adults.limit(20)
        >>> async for user in adults: ...
    """

    @overload
    def project(self, projection: type[S]) -> QuerySet[M, S]: ...

    @overload
    def project(self, projection: Mapping[str, Any] | Sequence[Any]) -> QuerySet[M, Document]: ...

    def project(self, projection: Any) -> QuerySet[M, Any]:
        """Ask the server for some fields only.

        Args:
            projection: A Pydantic model, whose instances the results are: each of its fields is the field of that
                name, or what its `From` says. Or a mapping as MongoDB's (`{"id": 1, "email": 1}`), or field names:
                the results are dicts under the model's names then.

        Raises:
            UnknownFieldError: When a field does not exist.

        Example:
            >>> class UserSummary(pydantic.BaseModel):
            ...     id: int
            ...     city: Annotated[str, From("address.city")]
            >>> await User.filter(is_active=True).project(UserSummary)
        """
        kind = projected(self.model, projection)
        if isinstance(self.kind, RawRows):
            kind = RawRows(kind.projection)
        return self._returning(kind)

    def only(self, *fields: Any) -> QuerySet[M, M]:
        """Load these fields and the id only. Reading another one is an error, and saving never touches it."""
        names = {self._own_field(field) for field in fields}
        return self._partially(names)

    def defer(self, *fields: Any) -> QuerySet[M, M]:
        """Load all fields but these; see `only`."""
        return self._partially(set(spec_of(self.model).fields) - {self._own_field(field) for field in fields})

    def values(self, *fields: Any) -> QuerySet[M, Document]:
        """Return a dict of these fields for each document, of all fields when none is named.

        Paths such as `"address.city"` keep their name; a field that a document lacks is None.
        """
        names = tuple(map(path_text, fields)) or tuple(spec_of(self.model).fields)
        return self._valued(Values(self.model, names))

    def values_list(self, *fields: Any, flat: bool = False) -> QuerySet[M, Any]:
        """Return a tuple of these fields for each document.

        Args:
            fields: The fields, all when none is named.
            flat: Whether the values themselves are returned, of one field.
        """
        names = tuple(map(path_text, fields)) or tuple(spec_of(self.model).fields)
        if flat and len(names) != 1:
            raise InvalidValueError("flat=True takes exactly one field.", model=self.model.__name__)
        return self._valued(Values(self.model, names, "flat" if flat else "tuple"))

    def raw(self) -> QuerySet[M, Document]:
        """Return plain dicts as they are stored, of the driver's own values (`Decimal128`), at the driver's speed."""
        return self._returning(RawRows(self.results.projection))

    async def count(self) -> int:
        """Return how many results there are, `skip` and `limit` respected."""
        return await figures.count(self)

    async def estimated_count(self) -> int:
        """Return the collection's size from its metadata: fast, and blind to conditions, scopes and soft deletion.

        A class that shares its parent's collection counts its own kind.
        """
        kinds = kind_filter(spec_of(self.model))
        if kinds:
            return await run(self.model, Count(filter=kinds), database=self.database)
        return await run(self.model, EstimatedCount(), database=self.database)

    async def exists(self) -> bool:
        """Return whether there is any result."""
        return bool(await self.but(kind=RawRows({"_id": 1}), sort=())[:1].to_list())

    async def distinct(self, field: Any) -> list[Any]:
        """Return the distinct values of a field, or of a list's elements, as Python types in no particular order."""
        self.refuse_window("distinct")
        return await figures.distinct(self, path_text(field))

    async def sum(self, field: Any) -> Any:
        """Return the sum of a field over the results; 0 when there are none."""
        return await figures.figure(self, "$sum", path_text(field))

    async def avg(self, field: Any) -> Any:
        """Return the average of a field over the results; None when there are none."""
        return await figures.figure(self, "$avg", path_text(field))

    async def min(self, field: Any) -> Any:
        """Return the least value of a field among the results; None when there are none."""
        return await figures.figure(self, "$min", path_text(field))

    async def max(self, field: Any) -> Any:
        """Return the greatest value of a field among the results; None when there are none."""
        return await figures.figure(self, "$max", path_text(field))

    @overload
    def aggregate(
        self, pipeline: Sequence[Mapping[str, Any]], *, into: None = None, **options: Unpack[AggregateOptions]
    ) -> Aggregation[Document]: ...

    @overload
    def aggregate(
        self, pipeline: Sequence[Mapping[str, Any]], *, into: type[T], **options: Unpack[AggregateOptions]
    ) -> Aggregation[T]: ...

    def aggregate(
        self, pipeline: Sequence[Mapping[str, Any]], *, into: Any = None, **options: Unpack[AggregateOptions]
    ) -> Aggregation[Any]:
        """Run a pipeline on what the query finds, in its order and within its window; see `Model.aggregate`.

        Example:
            >>> await User.filter(is_active=True).aggregate([{"$group": {"_id": "$city", "n": {"$sum": 1}}}])
        """
        return led_aggregation(self, pipeline, into, options)

    def pipeline(self, **options: Unpack[AggregateOptions]) -> Pipeline:
        """Return a builder of a pipeline on what the query finds; see `Model.pipeline`."""
        return led_pipeline(self, options)

    def _returning(self, kind: Results) -> QuerySet[M, Any]:
        if is_sorted_by_summary(self.sort) and kind != self.kind:
            raise InvalidValueError(
                "The order goes by what the projection before had.",
                hint="Call project() first, and order_by() after it.",
                model=self.model.__name__,
            )
        return cast("QuerySet[M, Any]", self.but(kind=kind))

    def _valued(self, values: Values) -> QuerySet[M, Any]:
        _ = values.projection  # a misspelt field is an error here, not when the query is sent
        return self._returning(values)

    def _partially(self, names: set[str]) -> QuerySet[M, M]:
        spec = spec_of(self.model)
        wanted = frozenset(names) | {spec.id_field} | ({spec.family.discriminator} if spec.family else set())
        if spec.versioning is not None:
            wanted |= {spec.versioning.field}
        if wanted == spec.fields.keys():
            return self._returning(Objects(self.model))
        return self._returning(PartialObjects(self.model, wanted))

    def _own_field(self, field: Any) -> str:
        spec, name = spec_of(self.model), path_text(field)
        if name not in spec.fields:
            is_inside = "." in resolve(spec, field_path(spec, name)).stored
            raise InvalidValueError(
                f"{name!r} lies inside a field; an object is loaded by whole fields."
                if is_inside
                else f"{spec.name} does not declare {name!r}; an object is loaded by declared fields.",
                hint="Name the whole field, or use values() or project().",
                model=spec.name,
                field=name,
            )
        return name
