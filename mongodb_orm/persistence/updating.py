"""Updates on the server: by query, which touch documents without loading them, and of one object at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from ..codec import codec_of, decode
from ..commands import FindAndUpdate, Update
from ..compiler.changes import CompiledUpdate, UpdateLike, compile_update, stamped
from ..hooks import Update as Updating
from ..schema import MappedModel, spec_of
from ..schema.mementos import touch
from ..timestamps import current_datetime, later_than
from ..tracking import diff
from .attending import attended, run_by_query
from .changing import loaded_snapshot, stored_id
from .doubting import write
from .locking import next_version, reason_of_miss, version_filter
from .reflecting import reflect

D = TypeVar("D", bound=MappedModel)


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
        changes: Updates written on purpose: typed changes, MongoDB's operators, plain field values, or a pipeline.
        values: Field values and keyword operators; never taken for operators of MongoDB's.
        many: Whether every match is updated, or only one.
        allow_javascript: Whether server-side JavaScript may pass.
        database: The database, when it is not the model's own.
        options: Further options of the command: hint, collation, comment.

    Returns:
        How many documents matched.
    """
    spec = spec_of(model)
    compiled = compile_update(spec, changes, values, allow_javascript=allow_javascript)
    if not compiled:
        return 0
    compiled = stamped(spec, compiled, current_datetime())
    command = Update(filter=filter, update=compiled.update, array_filters=compiled.array_filters, many=many, **options)
    return (await run_by_query(model, command, database=database)).matched


async def update_document(document: D, changes: Iterable[UpdateLike], values: Mapping[str, Any]) -> D:
    """Update a stored object's document at once, and show the result in the object.

    Changes of the object that were not saved stay as they are, and stay unsaved. What hooks before the write change is
    written along.

    Raises:
        DocumentNotFoundError: When the document is not stored.
        InvalidValueError: When the update makes no sense.
    """
    spec = spec_of(type(document))
    touch(document)
    stored_id(document)  # an object that is not stored is an error before any hook runs
    compiled = compile_update(spec, changes, values)
    if not compiled:
        return document
    return await _update(document, compiled, codec_of(type(document)).dump_value(document))


@attended(Updating)
async def _update(document: D, compiled: CompiledUpdate, before: Mapping[str, Any]) -> D:
    model, spec = type(document), spec_of(type(document))
    now = codec_of(model).dump_value(document)
    hooked = diff(before, now, spec.known).set
    stored = decode(loaded_snapshot(document))
    version = {spec.fields[name].stored: number for name, number in next_version(spec, stored).items()}
    compiled = stamped(spec, compiled.setting({**hooked, **version}), later_than(vars(document).get("updated_at")))
    raw = await write(
        document,
        FindAndUpdate(
            filter={"_id": stored["_id"], **version_filter(spec, stored)},
            update=compiled.update,
            array_filters=compiled.array_filters,
            projection=_projection(document),
        ),
    )
    if raw is None:
        raise await reason_of_miss(document)
    reflect(document, raw, compiled.paths)
    return document


def _projection(document: MappedModel) -> dict[str, int] | None:
    """Return what an object knows of its document, None for all of it."""
    fields = spec_of(type(document)).fields
    if not document.get_deferred_fields():
        return None
    return {fields[name].stored: 1 for name in fields if name in vars(document)}
