"""Finding one document and changing it in the same trip, answered as it was or as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from ..codec import codec_of, decode
from ..commands import FindAndDelete, FindAndUpdate
from ..compiler.changes import UpdateLike, compile_update, next_version_of, stamped
from ..exceptions import InvalidValueError
from ..schema import MappedModel, is_new, mark_deleted, set_database, spec_of
from ..schema.mementos import touch
from ..timestamps import current_datetime
from .attending import run_by_query
from .changing import refuse_foreign
from .deleting import marking
from .preparing import revalidate
from .saving import stamp_new

D = TypeVar("D", bound=MappedModel)


async def find_and_update(
    model: type[D],
    filter: dict[str, Any],  # noqa: A002
    changes: Iterable[UpdateLike],
    values: Mapping[str, Any],
    *,
    return_old: bool = False,
    allow_javascript: bool = False,
    is_upsert: bool = False,
    **options: Any,
) -> D | None:
    """Update the first document that matches and return it, as it is now or as it was.

    A part of an upsert is only told so: what is for a document that it makes may be among the changes.

    Raises:
        InvalidValueError: When the update says nothing, or makes no sense.
    """
    spec = spec_of(model)
    compiled = compile_update(spec, changes, values, allow_javascript=allow_javascript, is_upsert=is_upsert)
    if not compiled:
        raise InvalidValueError("There is nothing to update.", hint="Name at least one change.", model=spec.name)
    compiled = stamped(spec, compiled, current_datetime())
    return await _changed(
        model, filter, compiled.update, return_old=return_old, array_filters=compiled.array_filters, **options
    )


async def find_and_replace(
    model: type[D],
    filter: dict[str, Any],  # noqa: A002
    replacement: MappedModel | Mapping[str, Any],
    *,
    return_old: bool = False,
    **options: Any,
) -> D | None:
    """Put other values in place of the first document that matches; its id and `created_at` stay.

    Raises:
        ValidationError: When the values do not fit.
        InvalidValueError: When the replacement is a stored document itself, of another model, or a mapping that does
            not say of which class it is.
    """
    spec = spec_of(model)
    document = _made_of(model, replacement) if isinstance(replacement, Mapping) else replacement
    if not isinstance(document, model) or not is_new(document):
        raise InvalidValueError(
            f"A replacement is a new {spec.name} or a mapping of its values, not {document!r}.",
            model=spec.name,
            value=replacement,
        )
    refuse_foreign(model, document)
    given = vars(document)[spec.id_field]
    if given is not None:
        raise InvalidValueError(
            f"{spec.name}.{spec.id_field}: the id of a stored document cannot change.",
            hint="Leave the id out of the replacement.",
            model=spec.name,
            field=spec.id_field,
            value=given,
        )
    revalidate(document)
    stamp_new(document, current_datetime())
    values = decode(codec_of(type(document)).dump(document))
    kept: dict[str, Any] = {"_id": "$_id"}
    if spec.versioning is not None:
        version = spec.fields[spec.versioning.field].stored
        kept[version] = next_version_of(version)
    if "created_at" not in document.__pydantic_fields_set__:
        created = spec.fields["created_at"].stored
        kept[created] = {"$ifNull": [f"${created}", {"$literal": document.created_at}]}
    if spec.signing is not None and spec.signing.creator not in document.__pydantic_fields_set__:
        creator = spec.fields[spec.signing.creator].stored
        kept[creator] = {"$ifNull": [f"${creator}", None]}
    stages = [{"$replaceWith": {"$mergeObjects": [{"$literal": values}, kept]}}]
    return await _changed(model, filter, stages, return_old=return_old, **options)


async def find_and_delete(
    model: type[D],
    filter: dict[str, Any],  # noqa: A002
    *,
    database: str | None = None,
    **options: Any,
) -> D | None:
    """Delete the first document that matches, by the model's policy, and return it.

    One that is marked comes back with its marks, one that is removed as it was.
    """
    spec = spec_of(model)
    if spec.deletion is not None:
        unmarked, update = marking(spec, filter)
        return await _changed(model, unmarked, update, kind="delete", database=database, **options)
    command = FindAndDelete(filter=filter, **options)
    raw = await run_by_query(model, command, database=database, kind="delete")
    document = _loaded(model, raw, database)
    if document is not None:
        touch(document)
        mark_deleted(document)
    return document


def _made_of(model: type[D], values: Mapping[str, Any]) -> D:
    """Return the replacement that a mapping means.

    Where classes share the collection it has to say of which it is: the document that is found may be of any.
    """
    family = spec_of(model).family
    kinds = {} if family is None else family.below(model)
    if family is None or len(kinds) == 1:
        return model(**values)
    kind = values.get(family.discriminator)
    if not isinstance(kind, str) or kind not in kinds:
        raise InvalidValueError(
            f"A document of {model.__name__} is one of several classes, and the replacement does not say which it is.",
            hint=f"Give an object of the class, or name it: {{{family.discriminator!r}: {next(iter(kinds))!r}, ...}}.",
            model=model.__name__,
            field=family.discriminator,
            value=kind,
        )
    made: D = kinds[kind](**values)
    return made


async def _changed(
    model: type[D],
    filter_: Mapping[str, Any],
    update: Any,
    *,
    return_old: bool = False,
    database: str | None = None,
    kind: Any = None,
    **options: Any,
) -> D | None:
    command = FindAndUpdate(filter=filter_, update=update, return_new=not return_old, **options)
    return _loaded(model, await run_by_query(model, command, database=database, kind=kind), database)


def _loaded(model: type[D], raw: bytes | None, database: str | None) -> D | None:
    if raw is None:
        return None
    document = codec_of(model).load(raw)
    if database is not None:
        set_database(document, database)
    return document
