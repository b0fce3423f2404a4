"""Every stage, accumulator and option of aggregations has its line in the documentation."""

from __future__ import annotations

import inspect
from pathlib import Path

import mongodb_orm
from mongodb_orm import Pipeline
from mongodb_orm.aggregation import AggregateOptions
from mongodb_orm.compiler.joins import JOINS
from mongodb_orm.compiler.stages import STAGES
from mongodb_orm.expressions import accumulators

PAGE = (Path(__file__).parents[2] / "docs" / "aggregation.md").read_text(encoding="utf-8")
INTERNAL = {"then", "number", "shape", "scope", "refuse_names", "command", "to_list"}

STAGES_OF_MONGODB_6 = """
    $addFields $bucket $bucketAuto $changeStream $collStats $count $currentOp $densify $documents $facet $fill $geoNear
    $graphLookup $group $indexStats $limit $listLocalSessions $listSessions $lookup $match $merge $out $planCacheStats
    $project $redact $replaceRoot $replaceWith $sample $search $searchMeta $set $setWindowFields $skip $sort
    $sortByCount $unionWith $unset $unwind
"""


def test_every_method_accumulator_and_option_is_documented() -> None:
    methods = {name for name, _ in inspect.getmembers(Pipeline, inspect.isfunction) if not name.startswith("_")}
    assert [name for name in sorted(methods - INTERNAL) if f"{name}(" not in PAGE] == []
    makers = [
        name
        for name, made in inspect.getmembers(accumulators, inspect.isfunction)
        if made.__module__ == accumulators.__name__ and not name.startswith("_") and name != "value_of"
    ]
    assert [name for name in makers if f"`{name}(" not in PAGE] == []
    assert set(makers) <= set(mongodb_orm.__all__)
    assert [name for name in AggregateOptions.__annotations__ if f"`{name}`" not in PAGE] == []


def test_every_stage_is_translated() -> None:
    assert set(STAGES_OF_MONGODB_6.split()) <= {*STAGES, *JOINS}
