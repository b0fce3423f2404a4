"""Updating a document or making it, safely while others do the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from ..codec import codec_of, decode, encode
from ..commands import Update
from ..compiler.changes import CompiledUpdate, UpdateLike, compile_update
from ..compiler.firsts import first_document, first_values
from ..exceptions import DocumentError, DuplicateDocumentError, InvalidValueError, UnknownFieldError
from ..schema import MappedModel, set_database, spec_of
from ..timestamps import current_datetime
from .attending import run_by_query
from .identifiers import new_ids, note_given_id
from .modifying import find_and_update
from .saving import find_by_id, stamp_new

D = TypeVar("D", bound=MappedModel)

_RACES = 5


async def upsert(
    model: type[D],
    filter: dict[str, Any],  # noqa: A002
    by: Mapping[str, Any],
    changes: Iterable[UpdateLike],
    values: Mapping[str, Any],
    *,
    database: str | None = None,
) -> tuple[D, bool]:
    """Update the document that matches, or make the one that the update would make of the model's defaults.

    Concurrent calls make one document when a unique index covers the fields that it is found by.

    Args:
        model: The model class.
        filter: The compiled filter.
        by: What the filter says, as values of fields.
        changes: As for an update by query.
        values: As for an update by query.
        database: The database, when it is not the model's own.

    Returns:
        The document, and whether it was made.

    Raises:
        ValidationError: When a new document would not fit the model.
        DuplicateDocumentError: When another unique index refuses it.
    """
    spec, changes = spec_of(model), tuple(changes)
    for name in by:
        if name not in spec.fields:
            raise UnknownFieldError(spec.name, name, list(spec.fields))
    compiled = compile_update(spec, changes, values, is_upsert=True)
    if not compiled or isinstance(compiled.update, list):
        raise InvalidValueError(
            "upsert needs a change, and takes no pipeline.", hint="To change nothing, use get_or_create.",
            model=spec.name,
        )  # fmt: skip
    refused: DuplicateDocumentError | None = None
    for _ in range(_RACES):
        found = await find_and_update(model, filter, changes, values, is_upsert=True, database=database)
        if found is not None:
            return found, False
        if refused is not None:  # by another document than the one that is looked for
            raise refused
        try:
            made = await _make(model, filter, by, compiled, database)
        except DuplicateDocumentError as error:  # somebody else made it in the same moment, or another key is taken
            refused = error
            continue
        if made is not None:
            return made, True
    raise DocumentError(f"The {spec.name} is made and deleted all the time.", model=spec.name)


async def _make(
    model: type[D], filter_: dict[str, Any], by: Mapping[str, Any], compiled: CompiledUpdate, database: str | None
) -> D | None:
    """Make the document, unless there is one now: then nothing changes, and None is returned."""
    spec, codec = spec_of(model), codec_of(model)
    document = model(**first_values(model, by, compiled))
    given = vars(document)[spec.id_field]
    if given is None:
        vars(document)[spec.id_field] = (await new_ids(model, 1))[0]
    stamp_new(document, current_datetime())
    raw = first_document(spec, decode(codec.dump(document)), by, compiled)
    codec.check(raw)
    update = {"$setOnInsert": decode(raw)}  # to which hooks may add
    command = Update(filter=filter_, update=update, upsert=True)
    result = await run_by_query(model, command, database=database)
    if result.matched:
        return None
    if given is not None:
        await note_given_id(model, given)
    if update.keys() == {"$setOnInsert"}:
        made = codec.load(encode(update["$setOnInsert"], model=spec.name))
    else:  # hooks added something else
        made = await find_by_id(model, result.upserted_id, database=database) or codec.load(raw)
    if database is not None:
        set_database(made, database)
    return made
