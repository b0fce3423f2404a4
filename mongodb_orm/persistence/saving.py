"""Single documents on their way to the database and back."""

from __future__ import annotations

from typing import Any, TypeVar

from ..codec import codec_for, codec_of, decode, encode
from ..commands import FindOne, InsertOne, Update
from ..exceptions import (
    ConnectionError,
    DocumentNotFoundError,
    InvalidValueError,
    MongoDBORMError,
    TimeoutError,
    ValidationError,
)
from ..executor import run
from ..hooks import Create, Save, hooks_of
from ..schema import MappedModel, ModelSpec, database_of, is_deleted, set_snapshot, snapshot_of, spec_of
from ..schema.mementos import touch
from ..timestamps import current_datetime, later_than
from ..tracking import Changes, diff
from .attending import attended
from .identifiers import new_ids, note_given_id
from .validating import validate

D = TypeVar("D", bound=MappedModel)


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
    stamp_new(document)
    try:
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
async def save(document: D, *, only_update: bool = False) -> D:
    """Insert a new object, or send what changed in a stored one.

    Raises:
        ValidationError: When a changed value does not fit its field.
        DocumentNotFoundError: When the document has vanished, or `only_update` meets a new object.
    """
    touch(document)
    spec = spec_of(type(document))
    snapshot = snapshot_of(document)
    if snapshot is None:
        if only_update or is_deleted(document):
            raise missing(document, "was deleted" if is_deleted(document) else "was never stored")
        revalidate(document)
        return await insert(document, check=True)
    changes, raw = _changes(document, spec, snapshot)
    if not changes:
        return document
    before = vars(document).get("updated_at")
    if _revalidate_changed(document, spec, changes):
        changes, raw = _changes(document, spec, snapshot)
    if hooks_of(type(document)):
        await validate((document,), frozenset(_changed_names(spec, changes)))
    vars(document)["updated_at"] = later_than(before)
    try:
        changes, raw = _changes(document, spec, snapshot)
        codec_for(document).check(raw)
        update = {"$set": changes.set, "$unset": dict.fromkeys(changes.unset, "")}
        result = await run(
            type(document),
            Update(filter={"_id": decode(raw)["_id"]}, update={k: v for k, v in update.items() if v}),
            database=database_of(document),
        )
        if not result.matched:
            raise missing(document, "is no longer stored")
    except BaseException:
        if before is None:
            del vars(document)["updated_at"]
        else:
            vars(document)["updated_at"] = before
        raise
    set_snapshot(document, raw)
    return document


async def refresh(document: D) -> D:
    """Read the document again into the same object; changes that were not saved are lost.

    Raises:
        DocumentNotFoundError: When it is no longer stored.
    """
    fresh = await find_by_id(type(document), stored_id(document), database=database_of(document))
    if fresh is None:
        raise missing(document, "is no longer stored")
    touch(document)
    for attribute in ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"):
        object.__setattr__(document, attribute, getattr(fresh, attribute))
    set_snapshot(document, snapshot_of(fresh))
    return document


async def find_by_id(
    model: type[D], id_: Any, hidden: dict[str, Any] | None = None, *, database: str | None = None
) -> D | None:
    """Return the document of that stored id, or None; `hidden` is a further filter."""
    raw = await run(model, FindOne(filter={"_id": id_, **hidden} if hidden else {"_id": id_}), database=database)
    return None if raw is None else codec_of(model).load(raw)


def stored_id(document: MappedModel) -> Any:
    """Return the id under which the object is stored, in its stored form.

    Raises:
        DocumentNotFoundError: When it is not stored.
    """
    snapshot = snapshot_of(document)
    if snapshot is None:
        raise missing(document, "was deleted" if is_deleted(document) else "was never stored")
    return decode(snapshot)["_id"]


def has_changed(document: MappedModel) -> bool:
    """Return whether an object would be written differently from what is stored."""
    snapshot = snapshot_of(document)
    return snapshot is None or bool(_changes(document, spec_of(type(document)), snapshot)[0])


def missing(document: MappedModel, why: str) -> DocumentNotFoundError:
    """Return the error for an object whose document is not there."""
    spec = spec_of(type(document))
    return DocumentNotFoundError(f"{document!r} {why}.", model=spec.name, id=vars(document).get(spec.id_field))


def is_certain(error: Exception) -> bool:
    """Return whether a failed write is surely not stored.

    After a lost connection or a timeout it may well be, and so it may after a cancellation. The object keeps its id
    then, so that saving it again cannot store it twice.
    """
    return not isinstance(error, ConnectionError | TimeoutError)


def stamp_new(document: MappedModel) -> None:
    """Set the timestamps of a new object, unless the caller gave them."""
    values, given = vars(document), document.__pydantic_fields_set__
    now = current_datetime()
    if "created_at" not in given:
        values["created_at"] = now
    if "updated_at" not in given:
        values["updated_at"] = now


def revalidate(document: MappedModel) -> None:
    """Validate an object that may have been changed since it was made, and adopt what validation makes of it.

    Raises:
        ValidationError: When a value does not fit.
    """
    spec = spec_of(type(document))
    values = {name: value for name, value in vars(document).items() if name != spec.id_field or value is not None}
    checked = type(document).model_validate({**values, **(document.__pydantic_extra__ or {})}, by_name=True)
    vars(checked)[spec.id_field] = vars(document)[spec.id_field]
    given = set(document.__pydantic_fields_set__)
    object.__setattr__(document, "__dict__", vars(checked))
    object.__setattr__(document, "__pydantic_fields_set__", given)


def _changes(document: MappedModel, spec: ModelSpec, snapshot: bytes) -> tuple[Changes, bytes]:
    raw = encode(codec_of(type(document)).dump_value(document), model=spec.name)
    if raw == snapshot:
        return Changes({}, []), raw
    old, new = decode(snapshot), decode(raw)
    changes = diff(old, new, spec.known)
    if any(path == "_id" or path.startswith("_id.") for path in (*changes.set, *changes.unset)):
        raise InvalidValueError(
            f"The id of a stored {spec.name} cannot change from {old['_id']!r} to {new['_id']!r}.",
            hint="Create a new document instead.",
            model=spec.name,
            field=spec.id_field,
            value=new["_id"],
        )
    return changes, raw


def _changed_names(spec: ModelSpec, changes: Changes) -> list[str]:
    names = {spec.names.get(path.partition(".")[0]) for path in (*changes.set, *changes.unset)}
    return sorted(name for name in names if name)


def _revalidate_changed(document: MappedModel, spec: ModelSpec, changes: Changes) -> bool:
    """Validate the fields that changed, as an assignment would, and adopt the results.

    The check runs on a copy, so that an error leaves the object as the caller made it.
    """
    adopted = False
    for name in _changed_names(spec, changes):
        copy = document.__copy__()
        type(document).__pydantic_validator__.validate_assignment(copy, name, vars(document)[name])
        if vars(copy)[name] is not vars(document)[name]:
            vars(document).update(vars(copy))
            adopted = True
    return adopted
