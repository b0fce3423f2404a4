"""The query: conditions, order and window as one frozen value, and the verbs that run it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar, cast

from ..codec import codec_of, decode_all
from ..commands import Count, Distinct, EstimatedCount, Find
from ..compiler.filters import NOTHING, compile_filter
from ..compiler.ordering import compile_sort
from ..compiler.projections import compile_projection, row_names
from ..compiler.scopes import Visibility, visible
from ..exceptions import DocumentNotFoundError, InvalidValueError, MultipleDocumentsError
from ..executor import run, stream
from ..expressions import EVERYTHING, And, Condition, Not, join, path_text
from ..persistence.deleting import delete_matching, hard_delete_matching
from ..persistence.updating import update_matching
from ..schema import MappedModel, resolve, spec_of
from ..types import Document, Sort
from .pages import KeysetPage, Page
from .paging import MAX_PAGE_SIZE, read_page, read_page_after

M = TypeVar("M", bound=MappedModel)
R = TypeVar("R")

STREAM_BATCH = 1000
"""Documents per batch of a streamed query; larger ones would hold nearly the whole result in memory."""

_FIRST_BATCH = 101  # what the server sends first when nobody says otherwise


@dataclass(frozen=True, slots=True)
class QuerySet(Generic[M, R]):
    """A query on a model, whose results are `R`: objects of the model, or dicts when it is projected.

    Every method that narrows or orders gives a new query; nothing is sent before `await`, `async for` or a verb.

    Example:
        >>> adults = User.filter(age__gte=18).order_by("-created_at")
        >>> page = await adults.limit(20)
        >>> async for user in adults: ...
    """

    model: type[M]
    condition: Condition = EVERYTHING
    sort: Sort = ()
    skipped: int = 0
    limited: int = 0
    projection: Mapping[str, Any] | None = None
    visibility: Visibility = "active"
    is_raw: bool = False
    is_empty: bool = False
    batch: int = 0
    index_hint: str | None = None
    note: Any = None
    deadline_ms: int | None = None
    javascript: bool = False

    def filter(self, *conditions: Any, **lookups: Any) -> Self:
        """Narrow the query: all of the conditions must hold too.

        Args:
            conditions: `Q` objects, expressions such as `User.f.age >= 18`, or raw query documents.
            lookups: Keyword lookups, such as `age__gte=18`.
        """
        return self._narrowed(join(*conditions, **lookups))

    def exclude(self, *conditions: Any, **lookups: Any) -> Self:
        """Narrow the query to documents for which the conditions do not all hold."""
        return self._narrowed(Not(join(*conditions, **lookups)))

    def order_by(self, *order: Any) -> Self:
        """Sort by fields, `"-name"` descending; replaces an earlier order, and without arguments removes it."""
        return replace(self, sort=compile_sort(spec_of(self.model), order))

    def sort_by(self, order: Any) -> Self:
        """Sort by a mapping of fields to directions, or any other form that `filter(sort_by=...)` takes."""
        return replace(self, sort=compile_sort(spec_of(self.model), order))

    def limit(self, count: int) -> Self:
        """Take at most `count` documents; 0 takes all."""
        return replace(self, limited=self._whole("limit", count))

    def skip(self, count: int) -> Self:
        """Leave out the first `count` documents."""
        return replace(self, skipped=self._whole("skip", count))

    def project(self, projection: Any) -> QuerySet[M, Document]:
        """Ask the server for some fields only; results are dicts under the model's names."""
        compiled = compile_projection(spec_of(self.model), projection)
        return cast("QuerySet[M, Document]", replace(self, projection=compiled))

    def raw(self) -> QuerySet[M, Document]:
        """Return plain dicts as they are stored, at the driver's speed."""
        return cast("QuerySet[M, Document]", replace(self, is_raw=True))

    def with_deleted(self) -> Self:
        """Include documents that were deleted softly."""
        return replace(self, visibility="all")

    def only_deleted(self) -> Self:
        """Take only documents that were deleted softly."""
        return replace(self, visibility="deleted")

    def batch_size(self, count: int) -> Self:
        """Fetch `count` documents per trip."""
        return replace(self, batch=self._whole("batch_size", count))

    def hint(self, index: str) -> Self:
        """Make the server use an index, by its name."""
        return replace(self, index_hint=index)

    def comment(self, text: Any) -> Self:
        """Attach a comment that shows in the server's log and profiler."""
        return replace(self, note=text)

    def max_time(self, seconds: float) -> Self:
        """Let the server give up after so many seconds."""
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
            raise InvalidValueError(f"max_time is a number of seconds above 0, not {seconds!r}.", value=seconds)
        return replace(self, deadline_ms=max(1, int(seconds * 1000)))

    def allow_javascript(self) -> Self:
        """Let `$where` and `$function` pass; never with input from outside."""
        return replace(self, javascript=True)

    def __getitem__(self, window: slice) -> Self:
        """Take a slice, as of a list; negative bounds and steps are refused."""
        if not isinstance(window, slice) or window.step not in (None, 1):
            raise InvalidValueError("A query is sliced as query[start:stop].", value=window)
        start = self._whole("skip", window.start or 0)
        stop = None if window.stop is None else self._whole("limit", window.stop)
        inner = None if stop is None else max(0, stop - start)
        left = max(0, self.limited - start) if self.limited else None
        limits = [count for count in (inner, left) if count is not None]
        limit = min(limits) if limits else 0
        is_empty = self.is_empty or (bool(limits) and limit == 0)
        return replace(self, skipped=self.skipped + start, limited=limit, is_empty=is_empty)

    def __await__(self) -> Generator[Any, None, list[R]]:
        return self._all().__await__()

    async def __aiter__(self) -> AsyncIterator[R]:
        command = self._find(batch_size=STREAM_BATCH)
        if self.projection is None and not self.is_raw:
            load_chunk = codec_of(self.model).load_chunk
            async for chunk in stream(self.model, command):
                for document in load_chunk(chunk):
                    yield cast(R, document)
        else:
            async for chunk in stream(self.model, command):
                for row in self._rows(chunk):
                    yield cast(R, row)

    async def _all(self) -> list[R]:
        command = self._find()
        results: list[Any] = []
        async for chunk in stream(self.model, command):
            results += self._load(chunk)
        return results

    async def to_list(self) -> list[R]:
        """Return all results, as `await query` does."""
        return await self._all()

    async def first(self) -> R | None:
        """Return the first result, or None."""
        results = await self[:1]._all()
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
        results = await self[:2]._all()
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

    async def count(self) -> int:
        """Return how many results there are, `skip` and `limit` respected."""
        filter_ = self.filter_document()
        if self.is_empty:
            return 0
        return await run(
            self.model,
            Count(
                filter=filter_,
                skip=self.skipped,
                limit=self.limited,
                hint=self.index_hint,
                comment=self.note,
                max_time_ms=self.deadline_ms,
            ),
        )

    async def estimated_count(self) -> int:
        """Return the collection's size from its metadata: fast, and blind to conditions and soft deletion."""
        return await run(self.model, EstimatedCount())

    async def exists(self) -> bool:
        """Return whether there is any result."""
        command = replace(self, projection={"_id": 1}, is_raw=True, sort=())[:1]._find()
        async for _ in stream(self.model, command):
            return True
        return False

    async def distinct(self, field: Any) -> list[Any]:
        """Return the distinct values of a field, in no particular order; of a list field, those of its elements."""
        name = path_text(field)
        spec = spec_of(self.model)
        path = (name,) if name in spec.fields else tuple(name.replace("__", ".").split("."))
        key = resolve(spec, path).stored
        return await run(self.model, Distinct(key=key, filter=self.filter_document()))

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
        self._refuse_window("paginate")
        return await read_page(
            self.model, self._find(), self._load, self._kind(), page=page, size=size, max_size=max_size
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
        self._refuse_window("paginate_after")
        return await read_page_after(
            self.model, self._find(), self._load, self._kind(), token=token, size=size, max_size=max_size
        )

    async def update(self, operators: Mapping[str, Any] | None = None, /, **values: Any) -> int:
        """Update every matching document without loading it; hooks of instances do not run.

        Args:
            operators: An update written on purpose with MongoDB's operators. Never pass input from outside here.
            values: New field values, and keyword operators such as `age__inc=1`.

        Returns:
            How many documents matched.
        """
        self._refuse_window("update")
        return await update_matching(
            self.model, self.filter_document(), operators, values, allow_javascript=self.javascript
        )

    async def delete(self) -> int:
        """Delete every matching document, softly when the model says so; return how many."""
        self._refuse_window("delete")
        return await delete_matching(self.model, self.filter_document())

    async def hard_delete(self) -> int:
        """Remove every matching document, whatever the model's policy; return how many."""
        self._refuse_window("hard_delete")
        return await hard_delete_matching(self.model, self.filter_document())

    def filter_document(self) -> dict[str, Any]:
        """Return the query document as it is sent."""
        spec = spec_of(self.model)
        compiled = compile_filter(spec, self.condition, allow_javascript=self.javascript)
        return visible(spec, compiled, self.visibility)

    def _find(self, *, batch_size: int = 0) -> Find:
        if _FIRST_BATCH < self.limited <= STREAM_BATCH:
            batch_size = self.limited
        return Find(
            filter=dict(NOTHING) if self.is_empty else self.filter_document(),
            projection=self.projection,
            sort=self.sort,
            skip=self.skipped,
            limit=self.limited,
            batch_size=self.batch or batch_size,
            hint=self.index_hint,
            comment=self.note,
            max_time_ms=self.deadline_ms,
        )

    def _load(self, chunk: bytes) -> list[Any]:
        return self._rows(chunk) if self._kind() is Document else codec_of(self.model).load_chunk(chunk)

    def _kind(self) -> Any:
        return Document if self.is_raw or self.projection is not None else self.model

    def _rows(self, chunk: bytes) -> list[Document]:
        rows = decode_all(chunk)
        if self.is_raw:
            return rows
        rename = row_names(spec_of(self.model))
        return [rename(row) for row in rows]

    def _narrowed(self, condition: Condition) -> Self:
        if self.skipped or self.limited:
            raise InvalidValueError(
                "A query cannot be narrowed after limit, skip or a slice.", hint="Filter first, then slice."
            )
        return replace(self, condition=condition if self.condition is EVERYTHING else And((self.condition, condition)))

    def _refuse_window(self, verb: str) -> None:
        if self.skipped or self.limited or self.is_empty:
            raise InvalidValueError(
                f"{verb} works on everything that matches, so it takes no limit, skip or slice.",
                model=self.model.__name__,
            )

    def _whole(self, option: str, count: Any) -> int:
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 2**63:
            raise InvalidValueError(
                f"{option} is a whole number from 0, not {count!r}.",
                model=self.model.__name__,
                field=option,
                value=count,
            )
        return count
