"""Measurements of mongodb_orm beside the raw driver and its peers; `python -m benchmarks` runs them."""
