"""Which documents a read may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..exceptions import NotSupportedError
from ..expressions import join
from ..schema import ModelSpec
from .filters import CompiledFilter, compile_filter, merge

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


def kind_filter(spec: ModelSpec) -> dict[str, Any]:
    """Return the filter that leaves out documents of other classes in the same collection; nothing undoes it."""
    if spec.family is None or not spec.kinds:
        return {}
    stored = spec.fields[spec.family.discriminator].stored
    return {stored: spec.kinds[0] if len(spec.kinds) == 1 else {"$in": list(spec.kinds)}}


def default_scope_filter(spec: ModelSpec) -> dict[str, Any]:
    """Return the filter that `Meta.default_scope` declares; a scope that is a function is asked each time."""
    declared = spec.settings.default_scope
    if declared is None:
        return {}
    return compile_filter(spec, join(declared() if callable(declared) else declared)).filter


def hidden_filter(spec: ModelSpec, visibility: Visibility, *, is_scoped: bool = True) -> dict[str, Any]:
    """Return what every read adds: the kind, the default scope and the deletion policy."""
    scope = default_scope_filter(spec) if is_scoped else {}
    return merge([kind_filter(spec), scope, scope_filter(spec, visibility)])


def visible(
    spec: ModelSpec, compiled: CompiledFilter, visibility: Visibility, *, is_scoped: bool = True
) -> dict[str, Any]:
    """Join a filter with what may be seen; a filter that names the deletion fields itself is taken at its word."""
    deletion = scope_filter(spec, visibility)
    if visibility == "active" and names_deletion(spec, compiled.names):
        deletion = {}
    scope = default_scope_filter(spec) if is_scoped else {}
    parts = [part for part in (compiled.filter, kind_filter(spec), scope, deletion) if part]
    return merge(parts) if len(parts) > 1 else (parts[0] if parts else {})


def names_deletion(spec: ModelSpec, names: frozenset[str]) -> bool:
    """Return whether any of the stored names is one that a soft delete writes."""
    deletion = spec.deletion
    return deletion is not None and not names.isdisjoint(
        (spec.fields[deletion.flag].stored, spec.fields[deletion.moment].stored)
    )


def visible_pipeline(
    spec: ModelSpec, stages: list[dict[str, Any]], visibility: Visibility, *, is_scoped: bool = True
) -> list[dict[str, Any]]:
    """Put what may be seen in front of a compiled pipeline."""
    first: Mapping[str, Any] = stages[0] if stages else {}
    if visibility == "active" and names_deletion(spec, frozenset(first.get("$match", ()))):
        hidden = merge([kind_filter(spec), default_scope_filter(spec) if is_scoped else {}])
    else:
        hidden = hidden_filter(spec, visibility, is_scoped=is_scoped)
    return put_first(hidden, stages) if hidden else stages


def put_first(hidden: Mapping[str, Any], stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put a filter in front of stages, or behind a stage that must come first."""
    first: Mapping[str, Any] = stages[0] if stages else {}
    if first.keys() & {"$documents", "$collStats", "$indexStats", "$currentOp", "$planCacheStats", "$listSessions"}:
        return stages
    if "$geoNear" in first:
        near: Mapping[str, Any] = first["$geoNear"]
        if isinstance(near, Mapping) and not near.get("query"):
            return [{"$geoNear": {**near, "query": dict(hidden)}}, *stages[1:]]
        return [stages[0], {"$match": dict(hidden)}, *stages[1:]]
    if first.keys() & {"$search", "$vectorSearch", "$searchMeta"} or _searches_words(first):
        return [stages[0], {"$match": dict(hidden)}, *stages[1:]]
    return [{"$match": dict(hidden)}, *stages]


def _searches_words(stage: Mapping[str, Any]) -> bool:
    """Return whether a stage is a `$match` on words, which MongoDB takes only as the first one."""
    match = stage.get("$match")
    return isinstance(match, Mapping) and _has_text(match)


def _has_text(match: Mapping[str, Any]) -> bool:
    return "$text" in match or any(
        isinstance(part, Mapping) and _has_text(part) for part in [*match.get("$and", ()), *match.get("$or", ())]
    )
