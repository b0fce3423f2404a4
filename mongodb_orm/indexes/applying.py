"""Indexes on the server: created, changed, hidden, listed, dropped."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

from ..commands import CreateIndex, DropIndex, ListIndexes, RunCommand
from ..exceptions import (
    DuplicateDocumentError,
    IndexConflictError,
    InvalidValueError,
    MongoDBORMError,
    NotSupportedError,
    OperationError,
)
from ..executor import run
from ..schema import IndexSpec, MappedModel, spec_of
from ..types import Document
from .collisions import BUILD_MS, collision_error, collision_report, find_collisions
from .comparing import are_rivals, differences
from .compiling import CompiledIndex, compile_index, compiled_from, model_path
from .planning import IndexDifference, IndexPlan, plan_indexes

logger: logging.Logger = logging.getLogger("mongodb_orm.indexes")

Drop = bool | Literal["hide"]

_CANNOT_BECOME_UNIQUE = 359


@dataclass(frozen=True, slots=True)
class IndexChanges:
    """What `apply` did, by names of indexes; true when it did anything.

    Attributes:
        created: Built, because they were missing.
        modified: Changed where they stand.
        rebuilt: Dropped and built again.
        hidden: Hidden from queries, because nobody declares them.
        dropped: Dropped, because nobody declares them.
    """

    created: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    rebuilt: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.created or self.modified or self.rebuilt or self.hidden or self.dropped)

    def __str__(self) -> str:
        done = {name: getattr(self, name) for name in ("created", "modified", "rebuilt", "hidden", "dropped")}
        return "; ".join(f"{name} {', '.join(names)}" for name, names in done.items() if names) or "nothing to do"


async def plan(model: type[MappedModel]) -> IndexPlan:
    """Return how the server's indexes differ from what the model declares."""
    return plan_indexes(spec_of(model), await run(model, ListIndexes()))


async def apply(model: type[MappedModel], drop: Drop = False) -> IndexChanges:
    """Make the server's indexes what the model declares.

    Whatever may fail comes before anything is dropped; undeclared indexes that were hidden on the way show again when
    it does.

    Raises:
        DuplicateDocumentError: When a unique index cannot be built; `collisions` lists the documents.
        InvalidValueError: When `drop` is none of its values.
    """
    if drop not in (False, True, "hide"):
        raise InvalidValueError(f'drop is False, "hide" or True, not {drop!r}.', field="drop", value=drop)
    planned = await plan(model)
    to_modify = [change for change in planned.changed if not change.needs_rebuild]
    to_rebuild = [change for change in planned.changed if change.needs_rebuild] if drop is True else []
    to_hide = [index.name for index in planned.extra if drop and not index.options.get("hidden")]
    hidden: list[str] = []
    try:
        for name in to_hide:
            if await _hide(model, name, needed=drop == "hide"):
                hidden.append(name)
        for change in to_modify:
            await _modify(model, change)
        for index in planned.missing:
            await _build(model, index.stored)
        for change in to_rebuild:
            await _rebuild(model, change)
    except MongoDBORMError:
        for name in hidden:
            await set_hidden(model, name, False)
        raise
    dropped = [index.name for index in planned.extra] if drop is True else []
    for name in dropped:
        await run(model, DropIndex(name=name))
    return IndexChanges(
        tuple(index.name for index in planned.missing),
        tuple(change.name for change in to_modify),
        tuple(change.declared.name for change in to_rebuild),
        tuple(hidden) if drop == "hide" else (),
        tuple(dropped),
    )


async def create_index(model: type[MappedModel], index: IndexSpec) -> bool:
    """Create an index.

    Returns:
        True when it was made, False when it was there already.

    Raises:
        IndexConflictError: When it exists with other options.
        DuplicateDocumentError: When it is unique and documents share a key; `collisions` lists them.
    """
    spec = spec_of(model)
    wanted = compile_index(spec, index)
    existing = [compiled_from(document) for document in await run(model, ListIndexes())]
    if any(not differences(wanted, found).keys() - {"name"} for found in existing):
        return False
    namesake = next((found for found in existing if found.name == wanted.name), None)
    rival = namesake or next((found for found in existing if are_rivals(wanted, found)), None)
    if rival is not None:
        raise _conflict(spec.name, rival, "Drop it first, or give the new one other keys and another name.")
    await _build(model, wanted)
    return True


async def ensure_indexes(model: type[MappedModel]) -> list[str]:
    """Create the declared indexes that are missing; return the names of those that were made.

    Raises:
        IndexConflictError: When the server has one with other options, after the missing ones are made.
    """
    planned = await plan(model)
    for index in planned.missing:
        await _build(model, index.stored)
    for change in planned.changed:
        if change.options.keys() - {"hidden", "name"}:
            raise _conflict(
                planned.model,
                change.existing.stored,
                f"{change}. The model is registered; `await {planned.model}.indexes.apply()` changes what can be "
                "changed in place, `apply(drop=True)` rebuilds the rest.",
            )
        logger.warning("%s", change)
    return [index.name for index in planned.missing]


async def list_indexes(model: type[MappedModel]) -> list[Document]:
    """Return the definitions of the collection's indexes, under the model's field names.

    A text index shows its fields with the direction `"text"`.
    """
    spec = spec_of(model)
    return [
        {**index, "key": {model_path(spec, path): kind for path, kind in compiled_from(index).keys}}
        for index in await run(model, ListIndexes())
    ]


async def drop_index(model: type[MappedModel], name: str) -> bool:
    """Drop an index by its name, or by a field that it alone is on.

    Returns:
        True when it was dropped, False when there is none.

    Raises:
        InvalidValueError: When it is the index on the id, which MongoDB keeps.
    """
    spec = spec_of(model)
    existing = await run(model, ListIndexes())
    field = spec.fields[name].stored if name in spec.fields else None
    found = next((index for index in existing if index["name"] == name), None) or next(
        (index for index in existing if field is not None and list(index["key"]) == [field]), None
    )
    if found is None:
        return False
    if found["name"] == "_id_":
        raise InvalidValueError("The index on the id cannot be dropped.", model=spec.name, field=spec.id_field)
    await run(model, DropIndex(name=found["name"]))
    return True


async def set_hidden(model: type[MappedModel], name: str, hidden: bool) -> None:
    """Hide an index from queries, or show it again; it is kept up to date and enforced all the while."""
    await _collection_modify(model, name, hidden=hidden)


async def _hide(model: type[MappedModel], name: str, *, needed: bool) -> bool:
    """Hide an index; one that is dropped next is passed over where the backend cannot hide."""
    try:
        await set_hidden(model, name, True)
    except NotSupportedError:
        if needed:
            raise
        return False
    return True


async def _collection_modify(model: type[MappedModel], name: str, **options: Any) -> None:
    command = {"collMod": spec_of(model).collection, "index": {"name": name, **options}}
    await run(model, RunCommand(command=command, max_time_ms=BUILD_MS))


async def _build(model: type[MappedModel], index: CompiledIndex) -> None:
    try:
        await run(model, CreateIndex(keys=index.keys, options=index.options, max_time_ms=BUILD_MS))
    except DuplicateDocumentError as error:
        raise await collision_error(model, index) from error


async def _modify(model: type[MappedModel], change: IndexDifference) -> None:
    name, wanted = change.existing.name, change.declared.stored
    if "unique" in change.options:
        # The server first refuses new duplicates, then looks for old ones.
        await _collection_modify(model, name, prepareUnique=True)
        try:
            await _collection_modify(model, name, unique=True)
        except MongoDBORMError as error:
            await _collection_modify(model, name, prepareUnique=False)
            if isinstance(error, OperationError) and error.code == _CANNOT_BECOME_UNIQUE:
                raise await collision_error(model, wanted) from error
            raise
    rest = {option: new for option, (_, new) in change.options.items() if option != "unique"}
    if rest:
        await _collection_modify(model, name, **rest)


async def _rebuild(model: type[MappedModel], change: IndexDifference) -> None:
    """Drop an index and build the declared one; put the old one back when that fails."""
    old, new = change.existing.stored, change.declared.stored
    if new.options.get("unique"):
        found = await find_collisions(model, new)
        if found:
            raise collision_report(spec_of(model).name, new, tuple(path for path, _ in change.declared.keys), found)
    await _hide(model, old.name, needed=False)
    await run(model, DropIndex(name=old.name))
    try:
        await _build(model, new)
    except MongoDBORMError:
        await run(model, CreateIndex(keys=old.keys, options=old.options, max_time_ms=BUILD_MS))
        raise


def _conflict(model: str, existing: CompiledIndex, hint: str) -> IndexConflictError:
    definition = {"key": dict(existing.keys), **existing.options}
    return IndexConflictError(
        f"{model} has the index {existing.name!r} already, with other keys or options.",
        hint=hint,
        model=model,
        index=existing.name,
        existing=definition,
    )
