"""Deleting, by the policy that the model declares: single and bulk obey the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..codec import codec_of
from ..commands import Delete, Update
from ..exceptions import NotSupportedError
from ..executor import run
from ..schema import MappedModel, ModelSpec, SoftDeletion, mark_deleted, set_snapshot, spec_of
from ..timestamps import current_datetime, later_than
from .saving import missing, stored_id


async def delete(document: MappedModel) -> bool:
    """Delete a stored object: mark it when the model deletes softly, remove it otherwise.

    Returns:
        Whether it was there.

    Raises:
        DocumentNotFoundError: When the object was never stored.
    """
    if spec_of(type(document)).deletion is None:
        return await hard_delete(document)
    return await _mark(document, current_datetime())


async def hard_delete(document: MappedModel) -> bool:
    """Remove a stored object, whatever the model's policy.

    Returns:
        Whether it was there.
    """
    removed = await run(type(document), Delete(filter={"_id": stored_id(document)}))
    mark_deleted(document)
    return bool(removed)


async def restore(document: MappedModel) -> bool:
    """Undo a soft delete.

    Returns:
        Whether it was deleted.
    """
    return await _mark(document, None)


async def delete_matching(model: type[MappedModel], filter: dict[str, Any]) -> int:  # noqa: A002
    """Delete every document that matches, by the model's policy; return how many."""
    spec = spec_of(model)
    if spec.deletion is None:
        return await hard_delete_matching(model, filter)
    now = current_datetime()
    flag, moment = _stored(spec, spec.deletion)
    update = {"$set": {flag: True, moment: now, spec.fields["updated_at"].stored: now}}
    unmarked = {"$and": [filter, {flag: {"$ne": True}}]} if filter else {flag: {"$ne": True}}
    result = await run(model, Update(filter=unmarked, update=update, many=True))
    return result.matched


async def hard_delete_matching(model: type[MappedModel], filter: dict[str, Any]) -> int:  # noqa: A002
    """Remove every document that matches; return how many."""
    return await run(model, Delete(filter=filter, many=True))


async def _mark(document: MappedModel, moment: datetime | None) -> bool:
    spec = spec_of(type(document))
    if spec.deletion is None:
        raise NotSupportedError(f"{spec.name} does not delete softly.", feature="soft delete")
    flag_name, moment_name = _stored(spec, spec.deletion)
    id_, updated = stored_id(document), later_than(vars(document)["updated_at"])
    result = await run(
        type(document),
        Update(
            filter={"_id": id_, flag_name: {"$ne": True} if moment else True},
            update={
                "$set": {flag_name: moment is not None, moment_name: moment, spec.fields["updated_at"].stored: updated}
            },
        ),
    )
    if not result.matched:
        return False
    await _reflect(document, spec.deletion, moment, updated)
    return True


async def _reflect(document: MappedModel, deletion: SoftDeletion, moment: datetime | None, updated: datetime) -> None:
    """Give the object and its snapshot what the update wrote; other unsaved changes stay unsaved."""
    values = {deletion.flag: moment is not None, deletion.moment: moment, "updated_at": updated}
    stored = codec_of(type(document)).load(_snapshot(document))
    vars(stored).update(values)
    vars(document).update(values)
    set_snapshot(document, codec_of(type(document)).dump(stored))


def _snapshot(document: MappedModel) -> bytes:
    snapshot: bytes | None = getattr(document, "_mongo_snapshot", None)
    if not snapshot:
        raise missing(document, "was never stored")
    return snapshot


def _stored(spec: ModelSpec, deletion: SoftDeletion) -> tuple[str, str]:
    return spec.fields[deletion.flag].stored, spec.fields[deletion.moment].stored
