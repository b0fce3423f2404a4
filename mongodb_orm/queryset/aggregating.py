"""Aggregations of what a query finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..aggregation import AggregateOptions, Aggregation, AggregationOptions, Pipeline, options_from, pipeline_on
from ..exceptions import InvalidValueError
from .results import Objects
from .state import QueryState


def led_aggregation(
    query: QueryState[Any], pipeline: Sequence[Mapping[str, Any]], into: Any, options: AggregateOptions
) -> Aggregation[Any]:
    """Return the aggregation that begins with a query's conditions, order and window."""
    return Aggregation(query.model, pipeline, _settings(query, options), into, lead=query.stages)


def led_pipeline(query: QueryState[Any], options: AggregateOptions) -> Pipeline:
    """Return the builder that begins with a query's conditions, order and window."""
    return pipeline_on(query.model, settings=_settings(query, options), lead=query.stages)


def _settings(query: QueryState[Any], options: AggregateOptions) -> AggregationOptions:
    """Return the options: those of the query, and over them those that are given."""
    if query.kind is not None and not isinstance(query.kind, Objects):
        raise InvalidValueError(
            "A pipeline says itself what its results are.",
            hint="Leave out only(), values(), project() and raw() before it, and add a $project stage.",
            model=query.model.__name__,
        )
    base = AggregationOptions(
        allow_disk_use=query.disk_use,
        max_time_ms=query.deadline_ms,
        batch_size=query.batch,
        hint=query.index_hint,
        comment=query.note,
        collation=query.rules,
        read_preference=query.read_from,
        allow_javascript=query.javascript,
    )
    return replace(options_from(base, **options), database=query.database)
