"""The query: what its results are, and the verbs that run it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast, overload

import pydantic

from ..commands import Distinct, EstimatedCount, RunCommand
from ..compiler.projections import field_path
from ..exceptions import DocumentNotFoundError, InvalidValueError, MultipleDocumentsError
from ..executor import run, stream
from ..expressions import Near, PositionLike, path_text
from ..persistence.deleting import delete_matching, hard_delete_matching
from ..persistence.updating import update_matching
from ..schema import MappedModel, resolve, set_database, spec_of
from ..types import Document
from . import figures
from .chain import Chain
from .explaining import Explanation, explanation_of
from .ranked import Nearby, Ranked, Scored, nearest, scored
from .results import Objects, PartialObjects, RawRows, Results, Values, projected
from .state import STREAM_BATCH

M = TypeVar("M", bound=MappedModel)
R = TypeVar("R")
S = TypeVar("S", bound=pydantic.BaseModel)


@dataclass(frozen=True, slots=True)
class QuerySet(Chain[M], Generic[M, R]):
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
        return self._returning(projected(self.model, projection))

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

    def nearest(
        self,
        field: Any,
        point: PositionLike,
        *,
        max_distance: float | None = None,
        min_distance: float | None = None,
    ) -> Ranked[Nearby[R]]:
        """Return the results by their distance from a point, each with that distance.

        Args:
            field: The field with the places; it needs a `2dsphere` index.
            point: The point, or its longitude and latitude.
            max_distance: At most so many metres away.
            min_distance: At least so many metres away.

        Example:
            >>> for shop, distance in await Shop.filter(is_open=True).nearest("location", Point(10.75, 59.91)).limit(5):
            ...     print(shop.name, round(distance))
        """
        return nearest(self, field, Near(point, max_distance, min_distance), self._reader())

    def with_scores(self) -> Ranked[Scored[R]]:
        """Return the results of a `search`, each with its score."""
        return scored(self, self._reader())

    def __await__(self) -> Generator[Any, None, list[R]]:
        return self.to_list().__await__()

    async def __aiter__(self) -> AsyncIterator[R]:
        read = self._reader()
        async for chunk in stream(self.model, self.find_command(batch_size=STREAM_BATCH), database=self.database):
            for result in read(chunk):
                yield result

    async def to_list(self) -> list[R]:
        """Return all results, as `await query` does."""
        read = self._reader()
        results: list[R] = []
        async for chunk in stream(self.model, self.find_command(), database=self.database):
            results += read(chunk)
        return results

    async def batches(self, size: int = STREAM_BATCH) -> AsyncIterator[list[R]]:
        """Stream the results in lists of `size`, the last of which may be shorter.

        Example:
            >>> async for users in User.all().batches(1000):
            ...     await send(users)
        """
        if self.whole_number("size", size) == 0:
            raise InvalidValueError("A batch has at least one document.", field="size", value=size)
        batch: list[R] = []
        query = self if self.batch else replace(self, batch=size)
        async for result in query:
            batch.append(result)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch

    async def first(self) -> R | None:
        """Return the first result, or None."""
        results = await self[:1].to_list()
        return results[0] if results else None

    async def one(self) -> R:
        """Return the only result.

        Raises:
            DocumentNotFoundError: When there is none.
            MultipleDocumentsError: When there are more.
        """
        found = await self.one_or_none()
        if found is None:
            raise DocumentNotFoundError(f"No {self.model.__name__} matches.", model=self.model.__name__)
        return found

    async def one_or_none(self) -> R | None:
        """Return the only result, or None when there is none.

        Raises:
            MultipleDocumentsError: When there are more.
        """
        results = await self[:2].to_list()
        if len(results) > 1:
            raise MultipleDocumentsError(
                f"More than one {self.model.__name__} matches.",
                hint="Use first(), or narrow the query.",
                model=self.model.__name__,
            )
        return results[0] if results else None

    async def get(self, *conditions: Any, **lookups: Any) -> R | None:
        """Return the first result that fulfils the conditions too, or None."""
        return await self.filter(*conditions, **lookups).first()

    async def last(self) -> R | None:
        """Return the last result in the query's order, the highest id when it has none, or None."""
        if self.skipped or self.limited or self.is_empty:
            results = await self.to_list()
            return results[-1] if results else None
        order = self.sort or (("_id", 1),)
        if any(direction not in (1, -1) for _, direction in order):
            raise InvalidValueError("An order by score has no reverse.", hint="Use first() with another order.")
        return await replace(self, sort=tuple((path, -direction) for path, direction in order)).first()

    async def count(self) -> int:
        """Return how many results there are, `skip` and `limit` respected."""
        return await figures.count(self)

    async def estimated_count(self) -> int:
        """Return the collection's size from its metadata: fast, and blind to conditions, scopes and soft deletion."""
        return await run(self.model, EstimatedCount(), database=self.database)

    async def exists(self) -> bool:
        """Return whether there is any result."""
        return bool(await replace(self, kind=RawRows({"_id": 1}), sort=())[:1].to_list())

    async def distinct(self, field: Any) -> list[Any]:
        """Return the distinct values of a field, in no particular order; of a list field, those of its elements."""
        spec = spec_of(self.model)
        key = resolve(spec, field_path(spec, path_text(field))).stored
        self.refuse_window("distinct")
        command = Distinct(
            key=key,
            filter=self.filter_document(),
            collation=self.rules,
            comment=self.note,
            read_preference=self.read_from,
        )
        return await run(self.model, command, database=self.database)

    async def in_bulk(self, values: Iterable[Any], *, field: Any = None) -> dict[Any, R]:
        """Return the results by their id, or by another field, for those of `values` that exist.

        Args:
            values: Ids, or values of `field`; any number of them.
            field: A field whose values are unique; the id unless given.

        Example:
            >>> users = await User.all().in_bulk([1, 2, 3])
            >>> users[1].username
        """
        return await figures.in_bulk(self, values, path_text(field) if field is not None else None)

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

    async def sample(self, count: int) -> list[R]:
        """Return `count` results chosen at random, all of them when there are fewer; none comes twice."""
        if self.whole_number("count", count) == 0 or self.is_empty:
            return []
        projection = self.results.projection
        stages: list[dict[str, Any]] = [{"$sample": {"size": count}}]
        if projection:
            stages.append({"$project": dict(projection)})
        read = self._reader()
        results: list[R] = []
        async for chunk in stream(self.model, self.aggregate_command(*stages), database=self.database):
            results += read(chunk)
        return results

    async def explain(self) -> Explanation:
        """Run the query on the server for its figures, and say which index serves it, or that none does.

        Example:
            >>> print(await User.filter(email="ann@example.com").explain())
            Served by the index email_1 on email (1). 1 key and 1 document read for 1 result. It took 0 ms.
        """
        command = self.find_command()
        find: dict[str, Any] = {
            "find": spec_of(self.model).collection,
            "filter": command.filter,
            "projection": command.projection,
            "sort": dict(command.sort) or None,
            "skip": command.skip or None,
            "limit": command.limit or None,
            "hint": command.hint,
            "collation": command.collation,
            "allowDiskUse": command.allow_disk_use,
        }
        given = {name: value for name, value in find.items() if value is not None}
        answer = await run(
            self.model,
            RunCommand(command={"explain": given, "verbosity": "executionStats"}),
            database=self.database,
        )
        return explanation_of(answer)

    async def update(self, operators: Mapping[str, Any] | None = None, /, **values: Any) -> int:
        """Update every matching document without loading it; hooks of instances do not run.

        Args:
            operators: An update written on purpose with MongoDB's operators. Never pass input from outside here.
            values: New field values, and keyword operators such as `age__inc=1`.

        Returns:
            How many documents matched.
        """
        self.refuse_window("update")
        return await update_matching(
            self.model,
            self.filter_document(),
            operators,
            values,
            allow_javascript=self.javascript,
            **self.write_options(),
        )

    async def delete(self) -> int:
        """Delete every matching document, softly when the model says so; return how many."""
        self.refuse_window("delete")
        return await delete_matching(self.model, self.filter_document(), **self.write_options())

    async def hard_delete(self) -> int:
        """Remove every matching document, whatever the model's policy; return how many."""
        self.refuse_window("hard_delete")
        return await hard_delete_matching(self.model, self.filter_document(), **self.write_options())

    def _returning(self, kind: Results) -> QuerySet[M, Any]:
        return cast("QuerySet[M, Any]", replace(self, kind=kind))

    def _valued(self, values: Values) -> QuerySet[M, Any]:
        _ = values.projection  # a misspelt field is an error here, not when the query is sent
        return self._returning(values)

    def _partially(self, names: set[str]) -> QuerySet[M, M]:
        wanted = frozenset(names) | {spec_of(self.model).id_field}
        if wanted == spec_of(self.model).fields.keys():
            return self._returning(Objects(self.model))
        return self._returning(PartialObjects(self.model, wanted))

    def _own_field(self, field: Any) -> str:
        spec, name = spec_of(self.model), path_text(field)
        if name not in spec.fields:
            resolve(spec, field_path(spec, name))
            raise InvalidValueError(
                f"{name!r} lies inside a field; an object is loaded by whole fields.",
                hint="Name the whole field, or use values() or project().",
                model=spec.name,
                field=name,
            )
        return name

    def _reader(self) -> Any:
        read = self.results.reader()
        database = self.database
        if database is None or not isinstance(self.results, Objects | PartialObjects):
            return read

        def read_elsewhere(chunk: bytes) -> list[Any]:
            documents = read(chunk)
            for document in documents:
                set_database(document, database)
            return documents

        return read_elsewhere
