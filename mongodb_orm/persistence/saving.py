"""Single documents on their way to the database and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from ..codec import codec_of
from ..commands import FindOne, InsertOne, Update
from ..compiler.signatures import made_by
from ..exceptions import MongoDBORMError, StaleDocumentError, ValidationError
from ..executor import run
from ..hooks import Create, Save, hooks_of
from ..hooks import skip_hooks as skipping
from ..schema import MappedModel, database_of, is_deleted, set_snapshot, snapshot_of, spec_of
from ..schema.mementos import touch
from ..timestamps import current_datetime
from .attending import attended
from .changing import adopt, missing, stored_id
from .doubting import write
from .identifiers import new_ids, note_given_id
from .locking import merge_stored, reason_of_miss
from .preparing import accept, prepare, revalidate, take_back
from .validating import validate

D = TypeVar("D", bound=MappedModel)

_MERGES = 50
"""How often a save takes over what others saved; of several that save at once, one succeeds each time."""


@attended(Create)
async def insert(document: D, *, check: bool = False) -> D:
    """Insert a new object that was just validated, or that is checked once more.

    Raises:
        ValidationError: When `check` finds that it could not be read again.
        DuplicateDocumentError: When a unique index refuses it.
        UnencodableValueError: When BSON cannot hold a value.
    """
    touch(document)
    model, spec = type(document), spec_of(type(document))
    if hooks_of(model):
        revalidate(document)
        await validate((document,))
    values = vars(document)
    given = values[spec.id_field]
    if given is None:
        values[spec.id_field] = (await new_ids(model, 1))[0]
    try:
        stamp_new(document, current_datetime())
        raw = codec_of(model).dump(document)
        if check:
            codec_of(model).check(raw)
        await run(model, InsertOne(document=raw))
    except (MongoDBORMError, ValidationError) as error:
        if given is None and is_certain(error):
            values[spec.id_field] = None
        raise
    set_snapshot(document, raw)
    if given is not None:
        await note_given_id(model, given)
    return document


@attended(Save)
async def save(
    document: D,
    *,
    only_update: bool = False,
    force: bool = False,
    if_match: Mapping[str, Any] | None = None,
) -> D:
    """Insert a new object, or send what changed in a stored one.

    Raises:
        ValidationError: When a changed value does not fit its field.
        DocumentNotFoundError: When the document has vanished, or `only_update` meets a new object.
        StaleDocumentError: When the version is not the one that was loaded, or `if_match` does not hold.
    """
    touch(document)
    if snapshot_of(document) is None:
        if only_update or if_match is not None or is_deleted(document):
            raise missing(document, "was deleted" if is_deleted(document) else "was never stored")
        revalidate(document)
        return await insert(document, check=True)
    pending = await prepare(document, force=force, if_match=if_match)
    if pending is None:
        return document
    try:
        command = Update(filter=pending.filter, update=pending.update)
        result = await write(document, command)
        if not result.matched:
            raise await reason_of_miss(document, is_conditional=pending.is_conditional)
    except BaseException:
        take_back(document, pending)
        raise
    accept(document, pending)
    return document


async def save_as_asked(document: D, *, skip_hooks: bool, merge: bool, **options: Any) -> D:
    """Save an object, without hooks or with the changes of others where that is asked for."""
    how = save_merged if merge else save
    if not skip_hooks:
        return await how(document, **options)
    with skipping():
        return await how(document, **options)


async def save_merged(document: D, **options: Any) -> D:
    """Save an object; when somebody else saved it meanwhile, with their changes, unless both changed the same.

    Raises:
        StaleDocumentError: When both changed the same.
    """
    for _ in range(_MERGES):
        try:
            return await save(document, **options)
        except StaleDocumentError as error:
            if error.expected == error.found:  # if_match decides, and merging would not change its mind
                raise
            await merge_stored(document)
    return await save(document, **options)


async def refresh(document: D) -> D:
    """Read the document again into the same object; changes that were not saved are lost.

    Raises:
        DocumentNotFoundError: When it is no longer stored.
    """
    fresh = await find_by_id(type(document), stored_id(document), database=database_of(document))
    if fresh is None:
        raise missing(document, "is no longer stored")
    adopt(document, fresh)
    set_snapshot(document, snapshot_of(fresh))
    return document


async def find_by_id(
    model: type[D], id_: Any, hidden: dict[str, Any] | None = None, *, database: str | None = None
) -> D | None:
    """Return the document of that stored id, or None; `hidden` is a further filter."""
    raw = await run(model, FindOne(filter={"_id": id_, **hidden} if hidden else {"_id": id_}), database=database)
    return None if raw is None else codec_of(model).load(raw)


def is_certain(error: Exception) -> bool:
    """Return whether a failed write is surely not stored.

    After a lost connection or a timeout it may well be, and so it may after a cancellation. The object keeps its id
    then, so that saving it again cannot store it twice.
    """
    return not (isinstance(error, MongoDBORMError) and error.is_outcome_unknown)


def stamp_new(document: MappedModel, now: datetime) -> None:
    """Set the timestamps of a new object, and who makes it, unless the caller gave them.

    Raises:
        ValidationError: When the actor does not fit the field.
    """
    values, given = vars(document), document.__pydantic_fields_set__
    if "created_at" not in given:
        values["created_at"] = now
    if "updated_at" not in given:
        values["updated_at"] = now
    if document.__mongo_signing__ is not None:
        signed = made_by(spec_of(type(document)))
        values.update({name: who for name, who in signed.items() if name not in given})
