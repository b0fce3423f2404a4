"""Aggregation pipelines on models."""

from .aggregation import Aggregation
from .options import AggregateOptions, AggregationOptions, options_from
from .pipeline import Pipeline, pipeline_on

__all__ = ["AggregateOptions", "Aggregation", "AggregationOptions", "Pipeline", "options_from", "pipeline_on"]
