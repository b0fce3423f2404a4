"""Indexes on the server: created, listed, dropped."""

from __future__ import annotations

from typing import Any

from ..codec import encode
from ..commands import CreateIndex, DropIndex, ListIndexes
from ..exceptions import IndexConflictError, InvalidValueError
from ..executor import run
from ..schema import IndexSpec, MappedModel, spec_of
from ..types import Document
from .planning import CompiledIndex, compile_index, find_existing, is_same


async def create_index(model: type[MappedModel], index: IndexSpec) -> bool:
    """Create an index.

    Returns:
        True when it was made, False when it was there already.

    Raises:
        IndexConflictError: When it exists with other options.
        DuplicateDocumentError: When it is unique and documents share a key.
    """
    spec = spec_of(model)
    compiled = compile_index(spec, index)
    encode(compiled.options, model=spec.name)
    existing = find_existing(compiled, await run(model, ListIndexes()))
    if existing is not None:
        if is_same(compiled, existing):
            return False
        raise _conflict(spec.name, compiled, existing)
    await run(model, CreateIndex(keys=compiled.keys, options=compiled.options))
    return True


async def ensure_indexes(model: type[MappedModel]) -> list[str]:
    """Create the declared indexes that are missing; return the names of those that were made."""
    spec = spec_of(model)
    return [compile_index(spec, index).name for index in spec.indexes if await create_index(model, index)]


async def list_indexes(model: type[MappedModel]) -> list[Document]:
    """Return the definitions of the collection's indexes, under the model's field names.

    A text index shows its fields with the direction `"text"`.
    """
    spec = spec_of(model)
    return [_with_model_names(spec.names, index) for index in await run(model, ListIndexes())]


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


def _with_model_names(names: dict[str, str], index: Document) -> Document:
    keys: dict[str, Any] = {}
    for field, kind in index["key"].items():
        if field == "_fts":
            keys.update(dict.fromkeys((str(names.get(name, name)) for name in index["weights"]), "text"))
        elif field != "_ftsx":
            keys[str(names.get(field, field))] = kind
    return {**index, "key": keys}


def _conflict(model: str, wanted: CompiledIndex, existing: Document) -> IndexConflictError:
    return IndexConflictError(
        f"{model} has the index {existing['name']!r} already, with other keys or options.",
        hint="Drop it first, or give the new one other keys and another name.",
        model=model,
        index=existing["name"],
        existing={key: value for key, value in existing.items() if key != "v"},
    )
