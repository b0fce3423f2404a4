"""The verbs that read: a query awaited, streamed, paged, sampled, explained."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ..commands import Aggregate, Find, RunCommand
from ..exceptions import DocumentNotFoundError, InvalidValueError, MultipleDocumentsError, NotSupportedError
from ..executor import run, stream
from ..explaining import Explanation, explanation_of
from ..expressions import Near, PositionLike, path_text
from ..extras import load_extra
from ..schema import MappedModel, set_database, spec_of
from . import figures
from .chain import Chain
from .pages import KeysetPage, Page
from .paging import MAX_PAGE_SIZE, read_page, read_page_after
from .ranked import Nearby, Ranked, Scored, nearest, scored
from .results import Objects, PartialObjects, RawRows, joins_of
from .state import STREAM_BATCH

M = TypeVar("M", bound=MappedModel)
R = TypeVar("R")


def _as_they_are(rows: list[Any]) -> list[Any]:
    return rows


@dataclass(frozen=True, slots=True, repr=False)
class Reading(Chain[M], Generic[M, R]):
    """The part of a query that gives results of type `R`."""

    def __await__(self) -> Generator[Any, None, list[R]]:
        return self.to_list().__await__()

    async def __aiter__(self) -> AsyncIterator[R]:
        command, read = self._read(batch_size=STREAM_BATCH)
        async for chunk in stream(self.model, command, database=self.database):
            for result in read(chunk):
                yield result

    async def to_list(self) -> list[R]:
        """Return all results, as `await query` does."""
        command, read = self._read()
        results: list[R] = []
        async for chunk in stream(self.model, command, database=self.database):
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
        query = self if self.batch else self.but(batch=size)
        async for result in query:
            batch.append(result)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch

    async def to_arrow(self) -> Any:
        """Return the results as a `pyarrow.Table`, without a Python object for each of them.

        Ids of type `ObjectId` and `UUID` become text. It needs the extra `arrow`.

        Raises:
            NotSupportedError: When the extra is not installed, or a field has no type of Arrow's.
        """
        build = load_extra(
            "mongodb_orm.queryset.arrow", "arrow_table", feature="to_arrow()", package="mongodb-orm[arrow]"
        )
        return await build(self)

    async def to_pandas(self) -> Any:
        """Return the results as a `pandas.DataFrame`; see `to_arrow`."""
        return (await self.to_arrow()).to_pandas()

    async def to_polars(self) -> Any:
        """Return the results as a `polars.DataFrame`; see `to_arrow`."""
        from_arrow = load_extra("polars", "from_arrow", feature="to_polars()", package="mongodb-orm[arrow]")
        return from_arrow(await self.to_arrow())

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

    async def get(self, /, *conditions: Any, **lookups: Any) -> R | None:
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
        return await self.but(sort=tuple((path, -direction) for path, direction in order)).first()

    async def paginate(self, page: int = 1, size: int = 20, *, max_size: int = MAX_PAGE_SIZE) -> Page[R]:
        """Return one numbered page with the total, in one trip; without an order, documents are ordered by id.

        The server passes over every document before the page, and counts all: use `paginate_after` for large results.

        Args:
            page: The page's number, from 1.
            size: How many results a page holds.
            max_size: The largest size that is taken.

        Raises:
            InvalidValueError: When page or size is out of range, or the query has a limit or skip of its own.

        Example:
            >>> page = await User.filter(is_active=True).order_by("-created_at").paginate(page=2, size=20)
        """
        self.refuse_window("paginate")
        return await read_page(
            self.model,
            self.find_command(),
            self._reader(),
            self.results.result_type,
            page=page,
            size=size,
            max_size=max_size,
            database=self.database,
            joins=joins_of(self.kind, self.sort),
        )

    async def paginate_after(
        self, token: str | None = None, size: int = 20, *, max_size: int = MAX_PAGE_SIZE
    ) -> KeysetPage[R]:
        """Return the page at a place: however deep, it costs the same, and what is inserted meanwhile shifts nothing.

        Args:
            token: `next_token` or `prev_token` of another page of the same query; None for the first page.
            size: How many results a page holds.
            max_size: The largest size that is taken.

        Raises:
            InvalidTokenError: When the token was not made here, or for another model, filter or order.
            InvalidValueError: When the order goes by a list, the size is out of range, or the query has a limit or
                skip of its own.

        Example:
            >>> page = await User.all().order_by("-created_at").paginate_after(token, size=20)
        """
        self.refuse_window("paginate_after")
        if joins_of(self.kind, self.sort):
            raise NotSupportedError(
                "Pages from place to place hold documents of one collection, sorted by its fields.",
                hint="Use paginate(), or leave out the fields with a Reference.",
                feature="keyset pages with a Reference",
            )
        return await read_page_after(
            self.model,
            self.find_command(),
            self._reader(),
            self.results.result_type,
            token=token,
            size=size,
            max_size=max_size,
            database=self.database,
        )

    async def in_bulk(self, values: Iterable[Any], *, field: Any = None) -> dict[Any, R]:
        """Return the results by their id, or by another field, for those of `values` that exist, in their order.

        Args:
            values: Ids, or values of `field`; any number of them.
            field: A field whose values are unique; the id unless given.

        Example:
            >>> users = await User.all().in_bulk([1, 2, 3])
            >>> users[1].username
        """
        return await figures.in_bulk(self, values, path_text(field) if field is not None else None)

    async def sample(self, count: int) -> list[R]:
        """Return `count` results chosen at random, all of them when there are fewer; none comes twice."""
        if self.whole_number("count", count) == 0 or self.is_empty:
            return []
        projection = self.results.projection
        stages: list[dict[str, Any]] = [{"$sample": {"size": count}}, *joins_of(self.kind)]
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
        explained = _explained(spec_of(self.model).collection, self.read_command())
        answer = await run(
            self.model,
            RunCommand(command={"explain": explained, "verbosity": "executionStats"}),
            database=self.database,
        )
        return explanation_of(answer)

    def _read(self, *, batch_size: int = 0) -> tuple[Find | Aggregate, Any]:
        """Return the command that reads the results, and what makes them of its chunks."""
        command = self.read_command(batch_size=batch_size)
        if isinstance(self.kind, RawRows) and isinstance(command, Find):
            return replace(command, decoded=True), _as_they_are
        return command, self._reader()

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


def _explained(collection: str, command: Find | Aggregate) -> dict[str, Any]:
    """Return a read as the database command that `explain` takes."""
    options: dict[str, Any] = {
        "hint": command.hint,
        "collation": command.collation,
        "allowDiskUse": command.allow_disk_use,
    }
    if isinstance(command, Find):
        options = {
            "find": collection,
            "filter": command.filter,
            "projection": command.projection,
            "sort": dict(command.sort) or None,
            "skip": command.skip or None,
            "limit": command.limit or None,
            **options,
        }
    else:
        options = {"aggregate": collection, "pipeline": list(command.pipeline), "cursor": {}, **options}
    return {name: value for name, value in options.items() if value is not None}
