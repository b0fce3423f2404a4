"""Checks of objects that may ask the database, with errors of Pydantic's shape."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..codec import codec_of, decode, decode_all, encode
from ..commands import Find, FindOne
from ..compiler.scopes import hidden_filter
from ..exceptions import UnknownFieldError, relocated
from ..executor import run, stream
from ..hooks import Validate, hooks_of, is_skipped
from ..schema import FieldSpec, MappedModel, ModelSpec, database_of, spec_of
from ..types import Document
from ..validators import Exists, Unique
from .attending import run_hooks

_AT_ONCE = 500
"""Values that one query asks for."""

_Errors = list[list[InitErrorDetails]]


async def validate(
    documents: Sequence[MappedModel], changed: Iterable[str] | None = None, *, bulk: bool = False
) -> None:
    """Run the validators that watch fields that changed, and then the hooks after `Validate`.

    Args:
        documents: Objects of one model.
        changed: The names of the fields that changed; None for all.
        bulk: Whether locations in errors begin with the object's position.

    Raises:
        ValidationError: With every complaint of every validator.
    """
    model = type(documents[0])
    hooks = hooks_of(model)
    names = frozenset(spec_of(model).fields if changed is None else changed)
    errors: _Errors = [[] for _ in documents]
    for rule in hooks.rules:
        if isinstance(rule, Unique) and not names.isdisjoint(rule.fields):
            await _check_unique(rule, documents, errors)
        elif isinstance(rule, Exists) and rule.field in names:
            await _check_exists(rule, documents, errors)
    for validator in hooks.validators:
        for name in validator.fields:
            _field(spec_of(model), name)
            if name in names:
                for document, found in zip(documents, errors, strict=True):
                    await _ask(document, validator.target, name, found)
    _raise_any(model.__name__, errors, bulk)
    if not is_skipped(Validate):
        for document in documents:
            await run_hooks(hooks.after.get(Validate, ()), document)


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


async def _check_unique(rule: Unique, documents: Sequence[MappedModel], errors: _Errors) -> None:
    model = type(documents[0])
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
    model, target = type(documents[0]), spec_of(rule.model)
    stored, sought = _field(spec_of(model), rule.field).stored, _field(target, rule.to).stored
    references: list[tuple[int, tuple[int | str, ...], Any, bytes]] = []
    for position, document in enumerate(documents):
        value = codec_of(model).dump_value(document).get(stored)
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


def _raise_any(title: str, errors: _Errors, bulk: bool) -> None:
    failed = [
        ((position,) if bulk else (), ValidationError.from_exception_data(title, details))
        for position, details in enumerate(errors)
        if details
    ]
    if failed:
        raise failed[0][1] if not bulk else relocated(title, failed)
