"""What an object has that its document has not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import pydantic

from ..codec import codec_for, codec_of, decode, decode_plain, encode
from ..exceptions import DocumentNotFoundError, InvalidValueError, UnknownFieldError
from ..schema import MappedModel, ModelSpec, fields_of, is_deleted, snapshot_of, spec_of
from ..schema.mementos import touch
from ..tracking import Changes, diff, overlap, sift

D = TypeVar("D", bound=MappedModel)


class Change(NamedTuple):
    """One member of a document that changed.

    Attributes:
        old: The value as it was loaded; None when there was none.
        new: The value now; None when there is none.
    """

    old: Any
    new: Any


class Compared(NamedTuple):
    """How a stored object differs from its document.

    Attributes:
        changes: The differences, under stored names.
        old: The document as it was loaded or saved, in what `PLAIN_OPTIONS` decode.
        new: The object as it would be stored, not yet encoded.
    """

    changes: Changes
    old: dict[str, Any]
    new: dict[str, Any]


def compare(document: MappedModel) -> Compared:
    """Compare a stored object with its document.

    Most fields of most objects did not change, and that shows without encoding them. What is left is compared as it
    will be read: encoded and decoded.

    Raises:
        InvalidValueError: When the id changed.
        DocumentNotFoundError: When the object is not stored.
        UnencodableValueError: When BSON cannot hold a value that changed.
    """
    spec, snapshot = spec_of(type(document)), loaded_snapshot(document)
    new, old = codec_of(type(document)).dump_value(document), decode_plain(snapshot)
    changes, unsure = sift(old, new, spec.known)
    if unsure:
        before = decode(encode({name: old[name] for name in unsure if name in old}, model=spec.name))
        after = decode(encode({name: new[name] for name in unsure}, model=spec.name))
        # With a version the update happens to the very lists that were compared, so their elements can be addressed.
        changes.add(diff(before, after, spec.known, by_element=spec.versioning is not None))
    if changes and not _is_plain(document, changes, old, new):
        _leave_loaded(document, changes, old, new)
    if any(path == "_id" or path.startswith("_id.") for path in changes.paths()):
        raise InvalidValueError(
            f"The id of a stored {spec.name} cannot change from {old['_id']!r} to {new['_id']!r}.",
            hint="Create a new document instead.",
            model=spec.name,
            field=spec.id_field,
            value=new["_id"],
        )
    return Compared(changes, old, new)


def _is_plain(document: MappedModel, changes: Changes, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether all that differs are scalars that loading cannot have made of something else."""
    spec, settled = spec_of(type(document)), codec_of(type(document)).settled
    for path in changes.paths():
        if path not in old or path not in new or spec.names.get(path) not in settled:
            return False
        before, value = old[path], new[path]
        if type(before) is not type(value) and before is not None and value is not None:
            return False
    return True


def _leave_loaded(document: MappedModel, changes: Changes, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Drop what loading itself made different: nobody edited it, and somebody may have written it meanwhile.

    Loading fills in defaults, makes `1` of a client without floats `1.0`, does what validators do, and forgets the
    order of a set. A field that was assigned is a change even where its value is the default: an object that was
    loaded in part does not know what is stored there.
    """
    spec = spec_of(type(document))
    assigned = {spec.fields[name].stored for name in document.__pydantic_fields_set__ if name in spec.fields}
    made = codec_of(type(document)).dump_value(previous(document))
    tops = {path.partition(".")[0] for path in changes.paths()}
    loaded = decode(encode({name: made[name] for name in tops if name in made}, model=spec.name))
    edited = decode(encode({name: new[name] for name in tops if name in new}, model=spec.name))
    edits = diff(loaded, edited, spec.known).paths()
    for path in changes.paths():
        is_new = path in assigned and path not in old
        if not is_new and not any(overlap(path, edit) for edit in edits):
            changes.forget(path)


def has_changed(document: MappedModel) -> bool:
    """Return whether an object would be written differently from what is stored."""
    return snapshot_of(document) is None or bool(compare(document).changes)


def changed_names(spec: ModelSpec, changes: Changes) -> list[str]:
    """Return the fields in which something changed."""
    names = {spec.names.get(path.partition(".")[0]) for path in changes.paths()}
    return sorted(name for name in names if name)


def describe(document: MappedModel) -> dict[str, Change]:
    """Return what changed since an object was loaded or saved, by dotted path under the model's names.

    Raises:
        DocumentNotFoundError: When the object is not stored.
    """
    original = previous(document)
    found: dict[str, Change] = {}
    for stored in sorted(compare(document).changes.paths()):
        path = _model_path(type(document), stored.split("."))
        found[".".join(path)] = Change(_dig(original, path), _dig(document, path))
    return found


def previous(document: D) -> D:
    """Return a copy of an object as it was loaded or saved.

    Raises:
        DocumentNotFoundError: When the object is not stored.
    """
    return codec_for(document).load(loaded_snapshot(document))


def previous_value(document: MappedModel, field: str) -> Any:
    """Return a field's value as it was loaded or saved.

    Raises:
        UnknownFieldError: When the model has no such field.
    """
    spec = spec_of(type(document))
    if field not in spec.fields:
        raise UnknownFieldError(spec.name, field, list(spec.fields))
    return getattr(previous(document), field)


def rollback(document: D) -> D:
    """Give an object back the values that it was loaded or saved with.

    Raises:
        DocumentNotFoundError: When the object is not stored.
    """
    adopt(document, previous(document))
    return document


def adopt(document: D, values: D) -> None:
    """Give an object the fields of another one."""
    touch(document)
    for attribute in ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"):
        object.__setattr__(document, attribute, getattr(values, attribute))


@contextmanager
def back_unless_saved(document: MappedModel) -> Iterator[None]:
    """Give an object back its fields when the block raises, unless it was saved all the same."""
    touch(document)
    state, before, given = snapshot_of(document), dict(vars(document)), set(document.__pydantic_fields_set__)
    extra = document.__pydantic_extra__ if document.__pydantic_extra__ is None else dict(document.__pydantic_extra__)
    try:
        yield
    except BaseException:
        if snapshot_of(document) is state:
            object.__setattr__(document, "__dict__", before)
            object.__setattr__(document, "__pydantic_fields_set__", given)
            object.__setattr__(document, "__pydantic_extra__", extra)
        raise


def loaded_snapshot(document: MappedModel) -> bytes:
    """Return the BSON of the document as it was loaded or saved.

    Raises:
        DocumentNotFoundError: When the object is not stored.
    """
    snapshot = snapshot_of(document)
    if snapshot is None:
        raise missing(document, "was deleted" if is_deleted(document) else "was never stored")
    return snapshot


def stored_id(document: MappedModel) -> Any:
    """Return the id under which the object is stored, in its stored form.

    Raises:
        DocumentNotFoundError: When it is not stored.
    """
    return decode(loaded_snapshot(document))["_id"]


def refuse_foreign(model: type[MappedModel], document: MappedModel) -> None:
    """Refuse an object of a subclass that has a collection of its own.

    Raises:
        InvalidValueError: When the object's documents are not in the model's collection.
    """
    own, asked = spec_of(type(document)), spec_of(model)
    if own.collection != asked.collection:
        raise InvalidValueError(
            f"{document!r} belongs into the collection {own.collection}, not into {asked.collection}.",
            hint=f"Call the verb of {own.name}.",
            model=asked.name,
            value=document,
        )


def missing(document: MappedModel, why: str) -> DocumentNotFoundError:
    """Return the error for an object whose document is not there."""
    spec = spec_of(type(document))
    return DocumentNotFoundError(f"{document!r} {why}.", model=spec.name, id=vars(document).get(spec.id_field))


def _model_path(model: type[pydantic.BaseModel] | None, stored: list[str]) -> list[str]:
    path: list[str] = []
    for part in stored:
        field = next((field for field in fields_of(model).values() if field.stored == part), None) if model else None
        path.append(field.name if field else part)
        model = field.shape.model if field else None
    return path


def _dig(value: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple):
            value = value[int(part)] if part.isdigit() and int(part) < len(value) else None
        else:
            value = getattr(value, part, None)
    return value
