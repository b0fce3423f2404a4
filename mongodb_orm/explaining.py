"""What the server says about a query, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Explanation:
    """How the server runs a query; `str()` says it in words.

    Attributes:
        index: The name of the index that serves it; None when every document is read.
        index_keys: The index's fields, as stored, and directions.
        indexes: The names of all indexes used, for a query with several branches.
        is_covered: Whether the index alone answers it, without reading documents.
        sorts_in_memory: Whether the results are sorted after they were found.
        keys_examined: Index entries read.
        documents_examined: Documents read.
        returned: Results.
        milliseconds: How long the server took.
        plan: The whole answer of the server's `explain` command.
    """

    index: str | None
    index_keys: Mapping[str, Any]
    indexes: tuple[str, ...]
    is_covered: bool
    sorts_in_memory: bool
    keys_examined: int
    documents_examined: int
    returned: int
    milliseconds: int
    plan: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return " ".join(self._sentences())

    def _sentences(self) -> Iterator[str]:
        results = _count(self.returned, "result")
        if self.index is None:
            if self.plan_stage in ("EOF", "NONE"):
                yield "There is nothing to read."
            else:
                yield f"No index serves this query: {_count(self.documents_examined, 'document')} read for {results}."
        else:
            named = ", ".join(self.indexes)
            yield f"Served by the index {named}" + (f" on {_keys(self.index_keys)}." if self.index_keys else ".")
            read = _count(self.keys_examined, "key")
            if self.is_covered:
                yield f"The index alone answers it: {read} read for {results}, no document."
            else:
                yield f"{read} and {_count(self.documents_examined, 'document')} read for {results}."
        if self.sorts_in_memory:
            yield "The results are sorted in memory: no index has this order."
        yield f"It took {self.milliseconds} ms."

    @property
    def plan_stage(self) -> str:
        """The name of the outermost stage of the winning plan."""
        return str(_winning(self.plan).get("stage", "NONE"))


def explanation_of(answer: Mapping[str, Any]) -> Explanation:
    """Read the answer of the server's `explain` command (MongoDB 4.4 to 8, both of its engines)."""
    winning = _winning(answer)
    stages = list(_stages(winning))
    names = [str(stage.get("indexName", "_id_")) for stage in stages if stage.get("stage") in _INDEX_SCANS]
    keys: Mapping[str, Any] = next(
        (stage.get("keyPattern", {}) for stage in stages if stage.get("stage") in _INDEX_SCANS), {}
    )
    kinds = {stage.get("stage") for stage in stages}
    statistics = _statistics(answer)
    return Explanation(
        index=names[0] if names else None,
        index_keys=dict(keys) or ({"_id": 1} if names == ["_id_"] else {}),
        indexes=tuple(dict.fromkeys(names)),
        is_covered=bool(names) and not kinds & {"FETCH", "COLLSCAN", "IDHACK", "EXPRESS_IXSCAN"},
        sorts_in_memory="SORT" in kinds,
        keys_examined=int(statistics.get("totalKeysExamined", 0)),
        documents_examined=int(statistics.get("totalDocsExamined", 0)),
        returned=int(statistics.get("nReturned", 0)),
        milliseconds=int(statistics.get("executionTimeMillis", 0)),
        plan=answer,
    )


_INDEX_SCANS = frozenset(
    {"IXSCAN", "COUNT_SCAN", "DISTINCT_SCAN", "IDHACK", "EXPRESS_IXSCAN", "TEXT_MATCH", "GEO_NEAR_2DSPHERE"}
)


def _cursor_part(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    for stage in answer.get("stages", ()):
        if "$cursor" in stage:
            inner: Mapping[str, Any] = stage["$cursor"]
            return inner
    return answer


def _winning(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    plan = _cursor_part(answer).get("queryPlanner", {}).get("winningPlan", {})
    shards = plan.get("shards")
    if shards:
        plan = shards[0].get("winningPlan", {})
    inner: Mapping[str, Any] = plan.get("queryPlan", plan)
    return inner


def _statistics(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    statistics: Mapping[str, Any] = _cursor_part(answer).get("executionStats", {})
    return statistics


def _stages(stage: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield stage
    for name in ("inputStage", "outerStage", "innerStage", "thenStage", "elseStage"):
        if isinstance(stage.get(name), Mapping):
            yield from _stages(stage[name])
    for inner in stage.get("inputStages", ()):
        yield from _stages(inner)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _keys(keys: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} ({direction})" for name, direction in keys.items())
