"""An aggregation as a value: awaited into a list, or streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ..codec import decode_all
from ..commands import Aggregate
from ..compiler.pipelines import compile_pipeline
from ..compiler.scopes import Visibility, visible_pipeline
from ..executor import stream
from ..schema import MappedModel, spec_of
from ..types import Document

M = TypeVar("M", bound=MappedModel)

STREAM_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Aggregation(Generic[M]):
    """A pipeline on a model's collection; `await` gives a list of dicts, `async for` streams them.

    Names in the pipeline are the model's, as long as documents have the model's shape; results that still have it
    carry the id under its own name beside `_id`.

    Example:
        >>> await User.aggregate([{"$match": {"id": {"$in": ids}}}, {"$group": {"_id": "$city", "n": {"$sum": 1}}}])
    """

    model: type[M]
    pipeline: Sequence[Mapping[str, Any]]
    is_raw: bool = False
    visibility: Visibility = "active"
    is_scoped: bool = True
    allow_disk_use: bool | None = None
    max_time_ms: int | None = None
    batch_size: int = 0
    hint: str | None = None
    comment: Any = None
    allow_javascript: bool = False

    def with_deleted(self) -> Aggregation[M]:
        """Include documents that were deleted softly."""
        return replace(self, visibility="all")

    def only_deleted(self) -> Aggregation[M]:
        """Take only documents that were deleted softly."""
        return replace(self, visibility="deleted")

    def unscoped(self) -> Aggregation[M]:
        """Leave out the model's default scope; soft deletion stays."""
        return replace(self, is_scoped=False)

    def command(self, *, batch_size: int = 0) -> tuple[Aggregate, dict[str, str]]:
        """Return the command and the names to add to each result: Python's by stored."""
        spec = spec_of(self.model)
        compiled = compile_pipeline(spec, self.pipeline, allow_javascript=self.allow_javascript)
        stages = list(self.pipeline) if self.is_raw else compiled.stages
        renames = dict(compiled.renames) if compiled.keeps_shape and not self.is_raw else {}
        command = Aggregate(
            pipeline=visible_pipeline(
                spec, [dict(stage) for stage in stages], self.visibility, is_scoped=self.is_scoped
            ),
            batch_size=self.batch_size or batch_size,
            allow_disk_use=self.allow_disk_use,
            max_time_ms=self.max_time_ms,
            hint=self.hint,
            comment=self.comment,
        )
        return command, {stored: name for stored, name in renames.items() if stored != name}

    def __await__(self) -> Generator[Any, None, list[Document]]:
        return self._all().__await__()

    async def __aiter__(self) -> AsyncIterator[Document]:
        command, names = self.command(batch_size=STREAM_BATCH)
        async for chunk in stream(self.model, command):
            for row in decode_all(chunk):
                yield _with_names(row, names)

    async def _all(self) -> list[Document]:
        command, names = self.command()
        rows: list[Document] = []
        async for chunk in stream(self.model, command):
            rows += [_with_names(row, names) for row in decode_all(chunk)]
        return rows

    async def to_list(self, length: int | None = None) -> list[Document]:
        """Return the results, at most `length` of them."""
        if length is None:
            return await self._all()
        rows: list[Document] = []
        if length > 0:
            async for row in self:
                rows.append(row)
                if len(rows) == length:
                    break
        return rows


def _with_names(row: Document, names: Mapping[str, str]) -> Document:
    for stored, name in names.items():
        if stored in row and name not in row:
            row[name] = row[stored]
    return row
