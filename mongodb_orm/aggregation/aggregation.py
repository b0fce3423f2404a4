"""An aggregation as a value: awaited into a list, or streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar, cast

from ..commands import Aggregate, RunCommand
from ..compiler.pipelines import CompiledPipeline, compile_pipeline, refuse_javascript_anywhere
from ..compiler.scopes import Visibility, visible_pipeline
from ..compiler.shell import aggregate_text
from ..exceptions import InvalidValueError
from ..executor import run, stream
from ..explaining import Explanation, explanation_of
from ..expressions import Checked
from ..schema import MappedModel, ModelSpec, spec_of
from .databases import refuse_apart
from .options import DEFAULTS, AggregationOptions, options_from
from .rows import Reader, row_reader

R = TypeVar("R")
S = TypeVar("S")

STREAM_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Aggregation(Generic[R]):
    """A pipeline on a model's collection; `await` gives a list of results, `async for` streams them.

    Names in the pipeline are the model's, as long as documents have the model's shape; results that still have it
    carry the id under its own name beside `_id`.

    Attributes:
        model: The model.
        pipeline: The stages as they were written.
        settings: How the pipeline is run.
        result_type: What the results are made of; dicts when it is None.
        lead: Gives the stages under stored names that come first, and say what is seen: those of a query.
        visibility: Whether softly deleted documents are seen.
        is_scoped: Whether the model's default scope holds.
        has_own_names: Whether results have the model's names only, without the stored ones beside them.

    Example:
        >>> await User.aggregate([{"$match": {"id": {"$in": ids}}}, {"$group": {"_id": "$city", "n": {"$sum": 1}}}])
    """

    model: type[MappedModel]
    pipeline: Sequence[Mapping[str, Any] | Checked]
    settings: AggregationOptions = DEFAULTS
    result_type: Any = None
    lead: Callable[[], Sequence[Mapping[str, Any]]] | None = None
    visibility: Visibility = "active"
    is_scoped: bool = True
    has_own_names: bool = False

    def with_deleted(self) -> Self:
        """Include documents that were deleted softly."""
        return self._seeing(visibility="all")

    def only_deleted(self) -> Self:
        """Take only documents that were deleted softly."""
        return self._seeing(visibility="deleted")

    def unscoped(self) -> Self:
        """Leave out the model's default scope; soft deletion stays."""
        return self._seeing(is_scoped=False)

    def into(self, result_type: type[S]) -> Aggregation[S]:
        """Return the aggregation with results of a Pydantic model, or of any type that Pydantic knows.

        Results of a document model are objects that can be saved when the pipeline leaves its documents whole, such as
        `$match`, `$sort` and `$sample` do; otherwise they are new, unsaved objects.

        Raises:
            CorruptDocumentError: On reading, when a result does not fit.
        """
        return cast("Aggregation[S]", replace(self, result_type=result_type))

    def with_options(self, **options: Any) -> Self:
        """Return the aggregation run in another way; the options are those of `aggregate`."""
        return replace(self, settings=options_from(self.settings, **options))

    def __str__(self) -> str:
        return self.mql()

    def mql(self) -> str:
        """Return the command as one would type it in mongosh.

        Example:
            >>> print(User.aggregate([{"$match": {"id": 1}}]).mql())
            db.user.aggregate([
              {$match: {_id: 1}},
            ])
        """
        command, _ = self._prepared()
        return aggregate_text(spec_of(self.model).collection, command.pipeline, self.settings.shell_options())

    async def explain(self) -> Explanation:
        """Run the pipeline on the server for its figures, and say which index serves its beginning, or that none does.

        A pipeline that writes is explained without being run.
        """
        command, compiled = self._prepared()
        explained = {
            "aggregate": spec_of(self.model).collection,
            "pipeline": list(command.pipeline),
            "cursor": {},
            **self.settings.command_options(),
        }
        verbosity = "queryPlanner" if compiled.writes else "executionStats"
        answer = await run(
            self.model,
            RunCommand(command={"explain": explained, "verbosity": verbosity}),
            database=self.settings.database,
        )
        return explanation_of(answer)

    def command(self, *, batch_size: int = 0) -> Aggregate:
        """Return the command that is sent."""
        return self._prepared(batch_size)[0]

    def __await__(self) -> Generator[Any, None, list[R]]:
        return self._all().__await__()

    async def __aiter__(self) -> AsyncIterator[R]:
        command, read = self._reading(STREAM_BATCH)
        async for chunk in stream(self.model, command, database=self.settings.database):
            for row in read(chunk):
                yield row

    async def first(self) -> R | None:
        """Return the first result, or None; the rest is not read."""
        rows = await self.to_list(1)
        return rows[0] if rows else None

    async def to_list(self, length: int | None = None) -> list[R]:
        """Return the results, at most `length` of them."""
        if length is None:
            return await self._all()
        if isinstance(length, bool) or not isinstance(length, int) or length < 0:
            raise InvalidValueError(f"A length is a whole number from 0, not {length!r}.", field="length", value=length)
        return await self._all(length) if length else []

    async def _all(self, length: int | None = None) -> list[R]:
        command, read = self._reading(length=length)
        rows: list[R] = []
        async for chunk in stream(self.model, command, database=self.settings.database):
            rows += read(chunk)
        return rows

    def _seeing(self, **changes: Any) -> Self:
        if self.lead is not None:
            raise InvalidValueError(
                "The query before has said what is seen.",
                hint="Call with_deleted(), only_deleted() or unscoped() on the query, before aggregate().",
                model=self.model.__name__,
            )
        return replace(self, **changes)

    def _reading(self, batch_size: int = 0, *, length: int | None = None) -> tuple[Aggregate, Reader]:
        command, compiled = self._prepared(batch_size)
        if self.settings.database is None:
            refuse_apart(self.model, compiled.joined)
        if length is not None and not compiled.writes:
            command = replace(command, pipeline=[*command.pipeline, {"$limit": length}])
        return command, row_reader(
            self.model,
            compiled.shape,
            self.result_type,
            is_raw=self.settings.is_raw,
            is_beside=not self.has_own_names,
            database=self.settings.database,
        )

    def _prepared(self, batch_size: int = 0) -> tuple[Aggregate, CompiledPipeline]:
        spec = spec_of(self.model)
        settings = self.settings
        if settings.let and not settings.allow_javascript:
            refuse_javascript_anywhere(settings.let, spec.name)
        compiled = compile_pipeline(
            spec,
            self.pipeline,
            allow_javascript=settings.allow_javascript,
            allow_writes=settings.allow_writes,
            is_scoped=settings.scoped_lookups,
            is_raw=settings.is_raw,
        )
        return settings.command(self._leading(spec, compiled.stages), batch_size), compiled

    def _leading(self, spec: ModelSpec, stages: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
        if self.lead is not None:
            return [*self.lead(), *stages]
        return [*visible_pipeline(spec, stages, self.visibility, is_scoped=self.is_scoped)]
