"""Versions of documents that were recorded: listed, compared, brought back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ..codec import codec_of, decode_all, encode
from ..commands import Delete, Find
from ..compiler.projections import row_names
from ..exceptions import DocumentNotFoundError, InvalidValueError
from ..executor import run, stream
from ..schema import MappedModel, database_of, spec_of
from ..tracking import Known, diff
from ..types import Document
from .changing import back_unless_saved, stored_id
from .recording import LAST, VersionKind, history_of, versions_of_id
from .saving import save

D = TypeVar("D", bound=MappedModel)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document.

    Attributes:
        version: Its number, from 1.
        kind: What made it; `baseline` is the state that was found when the history began.
        at: When it was written.
        by: Who wrote it, as `with actor(...)` said.
        values: The whole document under the model's names; empty when it was removed.
    """

    version: int
    kind: VersionKind
    at: datetime
    by: Any
    values: Document


@dataclass(frozen=True, slots=True)
class Difference:
    """What one field was and became; `None` also stands for a field that is not there."""

    old: Any
    new: Any


async def versions(model: type[MappedModel], id_: Any, *, skip: int, limit: int, database: str | None) -> list[Version]:
    """Return the versions of the document with a stored id, the newest first."""
    command = Find(filter=versions_of_id(id_), sort=(("_id", -1),), skip=skip, limit=limit)
    rename = row_names(spec_of(model))
    found: list[Version] = []
    async for chunk in stream(model, command, collection=history_of(spec_of(model)), database=database):
        for row in decode_all(chunk):
            values = {} if row["values"] is None else rename(row["values"])
            found.append(Version(row["_id"]["version"], row["kind"], row["at"], row["by"], values))
    return found


async def forget(model: type[MappedModel], id_: Any) -> int:
    """Remove all versions of the document with a stored id; return how many."""
    return await run(model, Delete(filter=versions_of_id(id_), many=True), collection=history_of(spec_of(model)))


async def compare(document: MappedModel, old: int, new: int) -> dict[str, Difference]:
    """Return what differs between two versions, by dotted path in the model's names.

    Raises:
        DocumentNotFoundError: When there is no such version.
    """
    rename = row_names(spec_of(type(document)))
    before, after = [rename(await _values(document, version) or {}) for version in (old, new)]
    changes = diff(before, after, _all_names(before, after))
    found = {path: Difference(_at(before, path), changes.set.get(path)) for path in (*changes.set, *changes.unset)}
    return {path: change for path, change in found.items() if change != Difference(None, None)}


async def revert(document: D, version: int) -> D:
    """Give an object the values of a version and save it, which makes a new version.

    The id, the timestamps, the marks of a soft delete and who made it stay as they are.

    Raises:
        DocumentNotFoundError: When there is no such version, or it says that the document was removed.
        CorruptDocumentError: When the version does not fit today's model.
    """
    spec = spec_of(type(document))
    values = await _values(document, version)
    if values is None:
        raise DocumentNotFoundError(
            f"Version {version} of {document!r} says that it was removed.", model=spec.name, id=stored_id(document)
        )
    past = codec_of(type(document)).load(encode(values, model=spec.name))
    kept = {spec.id_field, "created_at", "updated_at"}
    if spec.deletion is not None:
        kept |= {spec.deletion.flag, spec.deletion.moment}
    if spec.versioning is not None:
        kept.add(spec.versioning.field)
    if spec.signing is not None:
        kept |= {spec.signing.creator, spec.signing.updater}
    with back_unless_saved(document):
        document.__pydantic_fields_set__.update(document.get_deferred_fields() - kept)  # a default is meant, too
        vars(document).update({name: value for name, value in vars(past).items() if name not in kept})
        if document.__pydantic_extra__ is not None:
            document.__pydantic_extra__.update(past.__pydantic_extra__ or {})
        return await save(document)


def _all_names(*values: Document) -> Known:
    return dict.fromkeys(name for document in values for name in document)


async def _values(document: MappedModel, version: int) -> Document | None:
    model, id_ = type(document), stored_id(document)
    if isinstance(version, bool) or not isinstance(version, int):
        raise InvalidValueError(f"A version is a whole number, not {version!r}.", model=model.__name__, value=version)
    command = Find(filter={"_id": {"$eq": {"document": id_, "version": max(0, min(version, LAST))}}})
    async for chunk in stream(model, command, collection=history_of(spec_of(model)), database=database_of(document)):
        values: Document | None = decode_all(chunk)[0]["values"]
        return values
    raise DocumentNotFoundError(f"{document!r} has no version {version}.", model=model.__name__, id=id_)


def _at(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values
