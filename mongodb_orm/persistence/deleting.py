"""Deleting, by the policy that the model declares: single and bulk obey the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ..codec import decode, encode
from ..commands import Delete, Update
from ..compiler.changes import CompiledUpdate, stamped
from ..compiler.signatures import changed_by
from ..exceptions import InvalidValueError, NotSupportedError, StaleDocumentError
from ..hooks import Delete as Deleting
from ..hooks import Restore
from ..schema import MappedModel, ModelSpec, SoftDeletion, mark_deleted, set_snapshot, spec_of
from ..schema.mementos import touch
from ..timestamps import current_datetime, in_utc, later_than
from .attending import attended, run_by_query
from .changing import loaded_snapshot
from .doubting import write
from .locking import next_version, reason_of_miss, version_filter


async def delete(document: MappedModel) -> bool:
    """Delete a stored object: mark it when the model deletes softly, remove it otherwise.

    Returns:
        Whether it was there.

    Raises:
        DocumentNotFoundError: When the object was never stored.
    """
    if spec_of(type(document)).deletion is None:
        return await hard_delete(document)
    return await _soft_delete(document)


@attended(Deleting)
async def hard_delete(document: MappedModel) -> bool:
    """Remove a stored object, whatever the model's policy.

    Returns:
        Whether it was there.
    """
    touch(document)
    spec, stored = spec_of(type(document)), decode(loaded_snapshot(document))
    filter_ = {"_id": stored["_id"], **version_filter(spec, stored)}
    removed = await write(document, Delete(filter=filter_))
    if not removed and spec.versioning is not None:
        reason = await reason_of_miss(document)
        if isinstance(reason, StaleDocumentError):
            raise reason
    mark_deleted(document)
    return bool(removed)


@attended(Restore)
async def restore(document: MappedModel) -> bool:
    """Undo a soft delete.

    Returns:
        Whether it was deleted.
    """
    return await _mark(document, None)


async def delete_matching(
    model: type[MappedModel],
    filter: dict[str, Any],  # noqa: A002
    *,
    database: str | None = None,
    **options: Any,
) -> int:
    """Delete every document that matches, by the model's policy; return how many."""
    spec = spec_of(model)
    if spec.deletion is None:
        return await hard_delete_matching(model, filter, database=database, **options)
    unmarked, update = marking(spec, filter)
    command = Update(filter=unmarked, update=update, many=True, **options)
    result = await run_by_query(model, command, database=database, kind="delete")
    return result.matched


def marking(spec: ModelSpec, filter: dict[str, Any]) -> tuple[dict[str, Any], Any]:  # noqa: A002
    """Return the filter for those of the matching documents that are not deleted yet, and the update that marks them.

    Raises:
        NotSupportedError: When the model does not delete softly.
    """
    now = current_datetime()
    flag, moment = _stored(spec, _deletion_of(spec))
    unmarked = {"$and": [filter, {flag: {"$ne": True}}]} if filter else {flag: {"$ne": True}}
    return unmarked, stamped(spec, CompiledUpdate({"$set": {flag: True, moment: now}}), now).update


async def hard_delete_matching(
    model: type[MappedModel],
    filter: dict[str, Any],  # noqa: A002
    *,
    database: str | None = None,
    **options: Any,
) -> int:
    """Remove every document that matches; return how many."""
    return await run_by_query(model, Delete(filter=filter, many=True, **options), database=database)


async def restore_matching(
    model: type[MappedModel],
    filter: dict[str, Any],  # noqa: A002
    *,
    database: str | None = None,
    **options: Any,
) -> int:
    """Undo the soft delete of every document that matches; return how many.

    Raises:
        NotSupportedError: When the model does not delete softly.
        DuplicateDocumentError: When a key was taken in the meantime; those before it are restored.
    """
    spec = spec_of(model)
    deletion = _deletion_of(spec)
    flag, moment = _stored(spec, deletion)
    now = current_datetime()
    command = Update(
        filter={"$and": [filter, {flag: True}]} if filter else {flag: True},
        update=stamped(spec, CompiledUpdate({"$set": {flag: False, moment: None}}), now).update,
        many=True,
        **options,
    )
    return (await run_by_query(model, command, database=database, kind="restore")).matched


def expired(model: type[MappedModel], older_than: timedelta | datetime) -> dict[str, Any]:
    """Return the condition, in the model's names, for what was deleted a time ago or before a moment.

    Raises:
        InvalidValueError: When it is neither, or a time ahead.
    """
    spec = spec_of(model)
    moment = _deletion_of(spec).moment
    if isinstance(older_than, timedelta) and older_than >= timedelta(0):
        return {moment: {"$lt": current_datetime() - older_than}}
    if isinstance(older_than, datetime) and in_utc(older_than) <= current_datetime():
        return {moment: {"$lt": in_utc(older_than)}}
    raise InvalidValueError(
        f"older_than is a positive timedelta or a datetime that has passed, not {older_than!r}.",
        hint="A datetime without a time zone is taken as UTC.",
        model=spec.name,
        field="older_than",
        value=older_than,
    )


@attended(Deleting)
async def _soft_delete(document: MappedModel) -> bool:
    return await _mark(document, current_datetime())


class Mark(NamedTuple):
    """The update that marks an object, or takes the mark away.

    Attributes:
        filter: Which document it is for.
        update: MongoDB's operators.
        values: What the object's fields are then.
        raw: What its document is then, as BSON; other changes of the object that were not saved stay so.
    """

    filter: dict[str, Any]
    update: dict[str, Any]
    values: dict[str, Any]
    raw: bytes


def mark_of(document: MappedModel, moment: datetime | None) -> Mark:
    """Return the update that marks an object as deleted at a moment, or as not deleted."""
    spec = spec_of(type(document))
    deletion = _deletion_of(spec)
    flag_name, _ = _stored(spec, deletion)
    stored = decode(loaded_snapshot(document))
    values = {
        deletion.flag: moment is not None,
        deletion.moment: moment,
        "updated_at": later_than(vars(document).get("updated_at")),
        **next_version(spec, stored),
        **changed_by(spec),
    }
    written = {spec.fields[name].stored: value for name, value in values.items()}
    filter_ = {"_id": stored["_id"], flag_name: {"$ne": True} if moment else True, **version_filter(spec, stored)}
    return Mark(filter_, {"$set": written}, values, encode({**stored, **written}, model=spec.name))


def accept_mark(document: MappedModel, mark: Mark) -> None:
    """Let an object be what it was marked as."""
    vars(document).update(mark.values)
    set_snapshot(document, mark.raw)


async def _mark(document: MappedModel, moment: datetime | None) -> bool:
    touch(document)
    spec, mark = spec_of(type(document)), mark_of(document, moment)
    result = await write(document, Update(filter=mark.filter, update=mark.update))
    if not result.matched:
        reason = await reason_of_miss(document) if spec.versioning is not None else None
        if isinstance(reason, StaleDocumentError):
            raise reason
        return False
    accept_mark(document, mark)
    return True


def _deletion_of(spec: ModelSpec) -> SoftDeletion:
    if spec.deletion is None:
        raise NotSupportedError(
            f"{spec.name} does not delete softly.", hint="Derive it from SoftDeleteMixin.", feature="soft delete"
        )
    return spec.deletion


def _stored(spec: ModelSpec, deletion: SoftDeletion) -> tuple[str, str]:
    return spec.fields[deletion.flag].stored, spec.fields[deletion.moment].stored
