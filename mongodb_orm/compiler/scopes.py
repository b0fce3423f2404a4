"""Which documents a read may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..exceptions import NotSupportedError
from ..schema import ModelSpec
from .filters import CompiledFilter, merge

Visibility = Literal["active", "all", "deleted"]


def scope_filter(spec: ModelSpec, visibility: Visibility) -> dict[str, Any]:
    """Return the filter that hides documents, empty when none are hidden.

    Raises:
        NotSupportedError: When deleted documents are asked for and the model keeps none.
    """
    if spec.deletion is None:
        if visibility == "deleted":
            raise NotSupportedError(
                f"{spec.name} does not delete softly, so it has no deleted documents.",
                feature="soft delete",
                hint="Derive it from SoftDeleteMixin too.",
            )
        return {}
    flag = spec.fields[spec.deletion.flag].stored
    if visibility == "all":
        return {}
    # The same filter as that of unique indexes, which can hold no $ne: only so can they serve reads.
    return {flag: True} if visibility == "deleted" else {flag: {"$in": [False, None]}}


def visible(spec: ModelSpec, compiled: CompiledFilter, visibility: Visibility) -> dict[str, Any]:
    """Join a filter with what may be seen; a filter that names the deletion fields itself is taken at its word."""
    hidden = scope_filter(spec, visibility)
    if not hidden or (visibility == "active" and names_deletion(spec, compiled.names)):
        return compiled.filter
    return merge([compiled.filter, hidden])


def names_deletion(spec: ModelSpec, names: frozenset[str]) -> bool:
    """Return whether any of the stored names is one that a soft delete writes."""
    deletion = spec.deletion
    return deletion is not None and not names.isdisjoint(
        (spec.fields[deletion.flag].stored, spec.fields[deletion.moment].stored)
    )


def visible_pipeline(spec: ModelSpec, stages: list[dict[str, Any]], visibility: Visibility) -> list[dict[str, Any]]:
    """Put what may be seen in front of a compiled pipeline."""
    hidden = scope_filter(spec, visibility)
    if not hidden:
        return stages
    first: Mapping[str, Any] = stages[0] if stages else {}
    if visibility == "active" and names_deletion(spec, frozenset(first.get("$match", ()))):
        return stages
    if first.keys() & {"$documents", "$collStats", "$indexStats", "$currentOp", "$planCacheStats", "$changeStream"}:
        return stages
    if first.keys() & {"$geoNear", "$search", "$vectorSearch"}:
        return [stages[0], {"$match": hidden}, *stages[1:]]
    return [{"$match": hidden}, *stages]
