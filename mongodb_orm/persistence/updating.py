"""Updates by query, which touch documents without loading them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..commands import Update
from ..compiler.updates import compile_operators, compile_values
from ..exceptions import InvalidValueError
from ..schema import MappedModel, ModelSpec, spec_of
from ..timestamps import current_datetime
from .attending import run_by_query


async def update_matching(
    model: type[MappedModel],
    filter: dict[str, Any],  # noqa: A002
    operators: Mapping[str, Any] | None,
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
        operators: An update written on purpose: MongoDB's operators, or plain field values.
        values: Field values and keyword operators; never taken for operators of MongoDB's.
        many: Whether every match is updated, or only one.
        allow_javascript: Whether server-side JavaScript may pass.
        database: The database, when it is not the model's own.
        options: Further options of the command: hint, collation, comment.

    Returns:
        How many documents matched.
    """
    spec = spec_of(model)
    update = _compile(spec, operators or {}, values, allow_javascript)
    if not update:
        return 0
    _stamp(spec, update)
    command = Update(filter=filter, update=update, many=many, **options)
    return (await run_by_query(model, command, database=database)).matched


def _compile(
    spec: ModelSpec, operators: Mapping[str, Any], values: Mapping[str, Any], allow_javascript: bool
) -> dict[str, dict[str, Any]]:
    if not isinstance(operators, Mapping):
        raise InvalidValueError(
            "An update is a mapping of MongoDB's operators or of field values.", model=spec.name, value=operators
        )
    if any(str(key).startswith("$") for key in operators):
        update = compile_operators(spec, operators, allow_javascript=allow_javascript)
    else:
        update = compile_values(spec, operators)
    for operator, fields in compile_values(spec, values).items():
        twice = fields.keys() & {field for other in update.values() for field in other}
        if twice:
            raise InvalidValueError(
                f"{', '.join(sorted(twice))} is updated twice.", model=spec.name, field=sorted(twice)[0]
            )
        update.setdefault(operator, {}).update(fields)
    return update


def _stamp(spec: ModelSpec, update: dict[str, dict[str, Any]]) -> None:
    stored = spec.fields["updated_at"].stored
    if not any(stored in fields for fields in update.values()):
        update.setdefault("$set", {})[stored] = current_datetime()
