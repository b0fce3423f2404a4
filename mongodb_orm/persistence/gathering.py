"""Objects of any models gathered to be saved or deleted together."""

from __future__ import annotations

from typing import Any

from ..connections.units import in_transaction
from ..exceptions import BulkError, InvalidValueError
from ..executor import writes_across
from ..schema import MappedModel, is_new, raw_of, spec_of
from .bulk_across import Entry, Outcome, write_across
from .bulk_deleting import delete_chosen
from .bulk_saving import save_chosen
from .progressing import Steps


class Gathered:
    """Objects to save and to delete, in the order in which they came.

    Args:
        first: The position of the first.

    Attributes:
        end: The position of the next.
    """

    def __init__(self, first: int = 0) -> None:
        self.end: int = first
        self._entries: dict[int, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def save(self, document: Any) -> None:
        """Gather an object to insert, or to update where it changed."""
        self._add(document, is_deletion=False)

    def delete(self, document: Any) -> None:
        """Gather an object to delete."""
        self._add(document, is_deletion=True)

    async def write(self, ordered: bool) -> Outcome:
        """Write everything: together where the server can, and where that needs fewer commands."""
        entries = list(self._entries.values())
        apart = {(spec_of(type(document)).collection, gone, is_new(document)) for _, document, gone in entries}
        models = list(dict.fromkeys(type(entry.document) for entry in entries))
        outcome = Outcome(models[0] if len(models) == 1 else None)
        if len(apart) > 1 and await writes_across(models):
            await write_across(entries, outcome, ordered=ordered)
        else:
            await _write_apart(models, entries, outcome, ordered)
        return outcome

    def _add(self, document: Any, *, is_deletion: bool) -> None:
        if not isinstance(document, MappedModel):
            raise InvalidValueError(f"An object of a model is needed, not {type(document).__name__}.", value=document)
        before = self._entries.get(id(document))
        if before is not None and is_deletion and is_new(document):  # what was never stored need not be
            del self._entries[id(document)]
        elif before is None or before.is_deletion is not is_deletion:
            self._entries.pop(id(document), None)
            self._entries[id(document)] = Entry(self.end, document, is_deletion)
        self.end += 1


async def _write_apart(models: list[type[MappedModel]], entries: list[Entry], outcome: Outcome, ordered: bool) -> None:
    """Write objects with commands for each model: inserts and changes, then deletions."""
    for is_deletion in (False, True):
        for model in models:
            own = [entry for entry in entries if type(entry.document) is model and entry.is_deletion is is_deletion]
            if own and not await _write_some(model, own, outcome, ordered) and (ordered or in_transaction()):
                return


async def _write_some(model: type[MappedModel], own: list[Entry], outcome: Outcome, ordered: bool) -> bool:
    """Save objects of one model, or delete them; return whether all could be written."""
    chosen = [(entry.position, entry.document) for entry in own]
    before = [raw_of(entry.document) for entry in own]
    is_deletion, error = own[0].is_deletion, None
    deleted = 0
    try:
        if is_deletion:
            deleted = await delete_chosen(model, chosen, Steps())
        else:
            await save_chosen(model, chosen, ordered=ordered, steps=Steps())
    except BulkError as failed:
        error = failed
        outcome.failures += failed.failures
        deleted = len(failed.written)
    # A new snapshot shows what was written, and what was to be deleted and was gone before.
    changed = [entry.position for entry, raw in zip(own, before, strict=True) if raw_of(entry.document) is not raw]
    outcome.written += error.written if is_deletion and error else changed
    if is_deletion:
        outcome.deleted += deleted
    else:
        outcome.saved += len(changed)
    return error is None
