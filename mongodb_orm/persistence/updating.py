"""Updates by query, which touch documents without loading them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..commands import Update
from ..compiler.updates import compile_change, compile_operators, compile_values, refuse_conflicts
from ..exceptions import InvalidValueError
from ..expressions import FieldUpdate
from ..schema import MappedModel, ModelSpec, spec_of
from ..timestamps import current_datetime
from .attending import run_by_query

UpdateLike = FieldUpdate | Mapping[str, Any] | None


async def update_matching(
    model: type[MappedModel],
    filter: dict[str, Any],  # noqa: A002
    changes: Iterable[UpdateLike],
    values: Mapping[str, Any],
    *,
    many: bool = True,
    allow_javascript: bool = False,
    database: str | None = None,
    **options: Any,
) -> int:
    """Update the documents that match; `updated_at` moves with them.

    Args:
        model: The model class.
        filter: The compiled filter.
        changes: Updates written on purpose: typed changes, MongoDB's operators, or plain field values.
        values: Field values and keyword operators; never taken for operators of MongoDB's.
        many: Whether every match is updated, or only one.
        allow_javascript: Whether server-side JavaScript may pass.
        database: The database, when it is not the model's own.
        options: Further options of the command: hint, collation, comment.

    Returns:
        How many documents matched.
    """
    spec = spec_of(model)
    update = _compile(spec, changes, values, allow_javascript)
    if not update:
        return 0
    _stamp(spec, update)
    command = Update(filter=filter, update=update, many=many, **options)
    return (await run_by_query(model, command, database=database)).matched


def _compile(
    spec: ModelSpec, changes: Iterable[UpdateLike], values: Mapping[str, Any], allow_javascript: bool
) -> dict[str, dict[str, Any]]:
    update: dict[str, dict[str, Any]] = {}
    for change in changes:
        if change is not None:
            _join(spec, update, _compile_one(spec, change, allow_javascript))
    _join(spec, update, compile_values(spec, values))
    refuse_conflicts(spec, update)
    return update


def _compile_one(spec: ModelSpec, change: UpdateLike, allow_javascript: bool) -> dict[str, dict[str, Any]]:
    if isinstance(change, FieldUpdate):
        return compile_change(spec, change)
    if not isinstance(change, Mapping):
        raise InvalidValueError(
            "An update is a change such as updates.inc(Model.f.age), or a mapping of operators or of field values.",
            model=spec.name,
            value=change,
        )
    if any(str(key).startswith("$") for key in change):
        return compile_operators(spec, change, allow_javascript=allow_javascript)
    return compile_values(spec, change)


def _join(spec: ModelSpec, update: dict[str, dict[str, Any]], more: dict[str, dict[str, Any]]) -> None:
    for operator, fields in more.items():
        joined = update.setdefault(operator, {})
        if twice := sorted(joined.keys() & fields.keys()):
            raise InvalidValueError(f"{', '.join(twice)} is updated twice.", model=spec.name, field=twice[0])
        joined.update(fields)


def _stamp(spec: ModelSpec, update: dict[str, dict[str, Any]]) -> None:
    stored = spec.fields["updated_at"].stored
    if not any(stored in fields for fields in update.values()):
        update.setdefault("$set", {})[stored] = current_datetime()
