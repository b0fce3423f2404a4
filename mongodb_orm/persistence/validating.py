"""Checks of objects that may ask the database, with errors of Pydantic's shape."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..codec import codec_of, decode, decode_all, encode
from ..commands import Find, FindOne
from ..compiler.scopes import hidden_filter
from ..exceptions import UnknownFieldError, relocated
from ..executor import run, stream
from ..hooks import Validate, hooks_of, is_skipped
from ..schema import FieldSpec, MappedModel, ModelSpec, database_of, is_abstract, spec_of
from ..types import Document
from ..validators import Exists, Unique
from .attending import run_hooks

_AT_ONCE = 500
"""Values that one query asks for."""

_Errors = list[list[InitErrorDetails]]


async def validate(
    documents: Sequence[MappedModel],
    changed: AbstractSet[str] | None = None,
    *,
    places: Sequence[int] | None = None,
) -> None:
    """Run the validators that watch fields that changed, and then the hooks after `Validate`.

    Args:
        documents: The objects.
        changed: The names of the fields that changed; None for all.
        places: What locations in errors begin with, for each object; None for one object alone.

    Raises:
        ValidationError: With every complaint of every validator.
    """
    errors: _Errors = [[] for _ in documents]
    rules: dict[tuple[Unique | Exists, type[MappedModel]], list[int]] = {}
    for position, document in enumerate(documents):
        for owner, rule in hooks_of(type(document)).rules:
            watched = rule.fields if isinstance(rule, Unique) else (rule.field,)
            if changed is None or not changed.isdisjoint(watched):
                rules.setdefault((rule, _reach(type(document), owner)), []).append(position)
    for (rule, reach), positions in rules.items():
        some, found = [documents[position] for position in positions], [errors[position] for position in positions]
        if isinstance(rule, Unique):
            await _check_unique(rule, reach, some, found)
        else:
            await _check_exists(rule, some, found)
    for document, complaints in zip(documents, errors, strict=True):
        for validator in hooks_of(type(document)).validators:
            for name in validator.fields:
                _field(spec_of(type(document)), name)
                if changed is None or name in changed:
                    await _ask(document, validator.target, name, complaints)
    _raise_any(documents, errors, places)
    if not is_skipped(Validate):
        for document in documents:
            await run_hooks(hooks_of(type(document)).after.get(Validate, ()), document)


def _reach(model: type[MappedModel], owner: type) -> type[MappedModel]:
    """Return the class among whose documents a rule holds: the one that declares it, where they share a collection."""
    if not issubclass(owner, MappedModel) or is_abstract(owner):
        return model
    return owner if spec_of(owner).collection == spec_of(model).collection else model


async def _ask(document: MappedModel, target: str, name: str, errors: list[InitErrorDetails]) -> None:
    value = vars(document).get(name)
    try:
        answer = getattr(document, target)(value)
        if inspect.isawaitable(answer):
            await answer
    except PydanticCustomError as error:
        errors.append(InitErrorDetails(type=error, loc=(name,), input=value))
    except (ValueError, AssertionError) as error:
        kind = "assertion_error" if isinstance(error, AssertionError) else "value_error"
        errors.append(InitErrorDetails(type=kind, loc=(name,), input=value, ctx={"error": error}))


async def _check_unique(
    rule: Unique, model: type[MappedModel], documents: Sequence[MappedModel], errors: _Errors
) -> None:
    spec = spec_of(model)
    stored = [_field(spec, name).stored for name in rule.fields]
    wanted: dict[bytes, list[int]] = {}
    ids: list[Any] = []
    for position, document in enumerate(documents):
        values = await _stored_values(document, stored)
        ids.append(values.get("_id"))
        if all(values.get(name) is not None for name in stored):
            wanted.setdefault(_key([values[name] for name in stored]), []).append(position)
    taken = {position for positions in wanted.values() for position in positions[1:]}
    keys = list(wanted)
    for start in range(0, len(keys), _AT_ONCE):
        alternatives = [_values(key) for key in keys[start : start + _AT_ONCE]]
        command = Find(
            filter={
                "$or": [
                    {name: {"$eq": value} for name, value in zip(stored, values, strict=True)}
                    for values in alternatives
                ],
                **hidden_filter(spec, "active", is_scoped=False),
            },
            projection=dict.fromkeys(("_id", *stored), 1),
        )
        async for chunk in stream(model, command, database=database_of(documents[0])):
            for row in decode_all(chunk):
                positions = wanted.get(_key([row.get(name) for name in stored]), ())
                taken.update(position for position in positions if ids[position] != row["_id"])
    together = ", ".join(rule.fields)
    for position in sorted(taken):
        kind = PydanticCustomError("unique", "Another document has the same {fields}", {"fields": together})
        value = vars(documents[position]).get(rule.fields[0])
        errors[position].append(InitErrorDetails(type=kind, loc=(rule.fields[0],), input=value))


async def _check_exists(rule: Exists, documents: Sequence[MappedModel], errors: _Errors) -> None:
    target = spec_of(rule.model)
    sought = _field(target, rule.to).stored
    references: list[tuple[int, tuple[int | str, ...], Any, bytes]] = []
    for position, document in enumerate(documents):
        stored = _field(spec_of(type(document)), rule.field).stored
        value = codec_of(type(document)).dump_value(document).get(stored)
        items = enumerate(value) if isinstance(value, list) else ((None, value),)
        for index, item in items:
            if item is not None:
                place: tuple[int | str, ...] = (rule.field,) if index is None else (rule.field, index)
                references.append((position, place, item, _key([item])))
    found: set[bytes] = set()
    keys = list(dict.fromkeys(key for *_, key in references))
    for start in range(0, len(keys), _AT_ONCE):
        values = [_values(key)[0] for key in keys[start : start + _AT_ONCE]]
        command = Find(
            filter={sought: {"$in": values}, **hidden_filter(target, "active", is_scoped=False)},
            projection=dict.fromkeys(("_id", sought), 1),
        )
        async for chunk in stream(rule.model, command):
            found.update(_key([row.get(sought)]) for row in decode_all(chunk))
    for position, place, item, key in references:
        if key not in found:
            kind = PydanticCustomError("exists", "There is no such {model}", {"model": target.name})
            errors[position].append(InitErrorDetails(type=kind, loc=place, input=item))


async def _stored_values(document: MappedModel, names: Sequence[str]) -> Document:
    """Return an object as it would be stored; what it did not load is read, so that it is compared as a whole."""
    values = codec_of(type(document)).dump_value(document)
    if document.get_deferred_fields() and not values.keys() >= set(names):
        command = FindOne(filter={"_id": values["_id"]})
        raw = await run(type(document), command, database=database_of(document))
        return {**decode(raw), **values} if raw else values
    return values


def _key(values: list[Any]) -> bytes:
    return encode({"values": values}, model="")


def _values(key: bytes) -> list[Any]:
    values: list[Any] = decode_all(key)[0]["values"]
    return values


def _field(spec: ModelSpec, name: str) -> FieldSpec:
    found = spec.fields.get(name)
    if found is None:
        raise UnknownFieldError(spec.name, name, tuple(spec.fields))
    return found


def _raise_any(documents: Sequence[MappedModel], errors: _Errors, places: Sequence[int] | None) -> None:
    failed = [
        (index, ValidationError.from_exception_data(type(documents[index]).__name__, details))
        for index, details in enumerate(errors)
        if details
    ]
    if failed and places is None:
        raise failed[0][1]
    if failed and places is not None:
        raise relocated(failed[0][1].title, [((places[index],), error) for index, error in failed])
