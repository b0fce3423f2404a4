"""Results with a figure of their own: the distance from a point, or how well a text matches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from ..codec import unwrap
from ..compiler.filters import NOTHING
from ..compiler.places import RANK, geo_near_stage, is_near, near_operators
from ..compiler.projections import field_path
from ..compiler.shell import aggregate_text
from ..compiler.windows import window_stages
from ..exceptions import QueryError
from ..executor import stream
from ..expressions import Near, path_text
from ..schema import resolve, spec_of
from .results import Reader, joins_of
from .state import STREAM_BATCH, QueryState

R = TypeVar("R")
P = TypeVar("P")

_DOCUMENT = "document"


class Nearby(NamedTuple, Generic[R]):
    """A result and its distance.

    Attributes:
        document: The result.
        distance: Metres from the point.
    """

    document: R
    distance: float


class Scored(NamedTuple, Generic[R]):
    """A result and how well its text matches.

    Attributes:
        document: The result.
        score: MongoDB's text score: greater is better.
    """

    document: R
    score: float


@dataclass(frozen=True, slots=True)
class Ranked(Generic[P]):
    """A query whose results carry a figure; `await` it for a list, `async for` to stream.

    Attributes:
        query: The query.
        lead: The first stages, which find the documents and put the figure in them.
        read: Makes results of documents.
        pair: Makes a pair of a result and its figure.
    """

    query: QueryState[Any]
    lead: tuple[Mapping[str, Any], ...]
    read: Reader
    pair: Callable[[Any, float], P]

    def limit(self, count: int) -> Ranked[P]:
        """Take at most `count` results; 0 takes all."""
        return replace(self, query=replace(self.query, limited=self.query.whole_number("limit", count)))

    def skip(self, count: int) -> Ranked[P]:
        """Leave out the first `count` results."""
        return replace(self, query=replace(self.query, skipped=self.query.whole_number("skip", count)))

    def __await__(self) -> Generator[Any, None, list[P]]:
        return self.to_list().__await__()

    async def __aiter__(self) -> AsyncIterator[P]:
        query = self.query
        command = replace(query.aggregate_command(), pipeline=self.stages(), batch_size=query.batch or STREAM_BATCH)
        async for chunk in stream(query.model, command, database=query.database):
            figures, documents = unwrap(chunk, RANK, _DOCUMENT)
            for result, figure in zip(self.read(documents), figures, strict=True):
                yield self.pair(result, figure)

    async def to_list(self) -> list[P]:
        """Return all results, as `await` does."""
        return [result async for result in self]

    async def first(self) -> P | None:
        """Return the first result, or None."""
        results = await self.limit(1)
        return results[0] if results else None

    def mql(self) -> str:
        """Return the command as one would type it in mongosh."""
        return aggregate_text(spec_of(self.query.model).collection, self.stages())

    def stages(self) -> list[Mapping[str, Any]]:
        """Return the pipeline, under stored names."""
        query = self.query
        joins = joins_of(query.kind, query.sort)
        stages = [*self.lead, *window_stages(query.sort, query.skipped, query.limited, joins)]
        projection = query.results.projection
        if projection:
            stages.append({"$project": {**projection, RANK: 1} if _includes(projection) else dict(projection)})
        # The document comes wrapped, so that the figure never becomes a part of it.
        return [*stages, {"$project": {"_id": 0, RANK: 1, _DOCUMENT: "$$ROOT"}}, {"$unset": f"{_DOCUMENT}.{RANK}"}]


def nearest(query: QueryState[Any], field: Any, near: Near, read: Reader) -> Ranked[Nearby[Any]]:
    """Return a query's results by their distance from a point.

    Raises:
        UnknownFieldError: When the field does not exist.
        QueryError: When the query is about another point already.
    """
    spec = spec_of(query.model)
    filter_ = dict(NOTHING) if query.is_empty else query.filter_document()
    if is_near(filter_):
        raise QueryError("A query is near one point.", hint="Use within=Circle(point, radius) for others.")
    key = resolve(spec, field_path(spec, path_text(field))).stored
    return Ranked(query, (geo_near_stage(key, near_operators(near), filter_),), read, Nearby)


def scored(query: QueryState[Any], read: Reader) -> Ranked[Scored[Any]]:
    """Return a query's results with their text scores.

    Raises:
        QueryError: When the query searches no words.
    """
    filter_ = query.filter_document()
    if not _searches(filter_):
        raise QueryError("Only a search by words has scores.", hint='Begin with search("words").')
    lead = ({"$match": {**filter_, **NOTHING} if query.is_empty else filter_}, {"$addFields": {RANK: TEXT_SCORE}})
    return Ranked(query, lead, read, Scored)


TEXT_SCORE: Mapping[str, Any] = {"$meta": "textScore"}
"""The expression, projection and order by which MongoDB gives text scores."""


def _searches(filter_: Mapping[str, Any]) -> bool:
    return "$text" in filter_ or any(_searches(part) for part in filter_.get("$and", ()))


def _includes(projection: Mapping[str, Any]) -> bool:
    return any(bool(value) for value in projection.values())
