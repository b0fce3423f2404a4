"""Checks of objects that may ask the database, with errors of Pydantic's shape."""

from __future__ import annotations

import inspect
import re
from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from bson.regex import Regex
from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..codec import codec_of, decode, decode_all, encode
from ..commands import Find
from ..compiler.scopes import hidden_filter
from ..exceptions import UnknownFieldError, relocated
from ..executor import stream
from ..hooks import Validate, hooks_of, is_skipped
from ..schema import FieldSpec, MappedModel, ModelSpec, database_of, is_abstract, spec_of
from ..types import Document
from ..validators import Exists, Unique
from .attending import run_hooks

_AT_ONCE = 500
"""Values that one query asks for."""

_PATTERNS = (re.Pattern, Regex)
"""Values that `$in` would take for what they match."""

_Errors = list[list[InitErrorDetails]]


async def validate(
    documents: Sequence[MappedModel],
    changed: Sequence[AbstractSet[str] | None] | None = None,
    *,
    places: Sequence[int] | None = None,
) -> None:
    """Run the validators that watch fields that changed, and then the hooks after `Validate`.

    Args:
        documents: The objects; of two that contradict each other, the later one is at fault.
        changed: The names of the fields that changed in each; None for all.
        places: What locations in errors begin with, for each object; None for one object alone.

    Raises:
        ValidationError: With every complaint of every validator.
    """
    errors: _Errors = [[] for _ in documents]
    changes = changed or [None] * len(documents)
    rules: dict[tuple[Unique | Exists, type[MappedModel], str | None], list[int]] = {}
    for position, (document, names) in enumerate(zip(documents, changes, strict=True)):
        for owner, rule in hooks_of(type(document)).rules:
            watched = rule.fields if isinstance(rule, Unique) else (rule.field,)
            if names is None or not names.isdisjoint(watched):
                key = (rule, _reach(type(document), owner), database_of(document))
                rules.setdefault(key, []).append(position)
    for (rule, reach, _), positions in rules.items():
        some, found = [documents[position] for position in positions], [errors[position] for position in positions]
        if isinstance(rule, Unique):
            await _check_unique(rule, reach, some, found)
        else:
            await _check_exists(rule, some, found)
    for document, names, complaints in zip(documents, changes, errors, strict=True):
        for validator in hooks_of(type(document)).validators:
            for name in validator.fields:
                _field(spec_of(type(document)), name)
                if names is None or name in names:
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
    """Complain of objects whose values another document has, when they are written in this order.

    What an earlier object of the same batch is stored with is about to change, so it is no obstacle to a later one.
    """
    spec = spec_of(model)
    stored = [_field(spec, name).stored for name in rule.fields]
    wanted: dict[Any, list[int]] = {}
    sought: list[list[Any]] = []
    owners: dict[Any, int] = {}
    for position, values in enumerate(await _stored_values(documents, stored)):
        if values.get("_id") is not None:
            owners[_key(values["_id"])] = position
        if all(values.get(name) is not None for name in stored):
            own = [values[name] for name in stored]
            positions = wanted.setdefault(_key(own), [])
            if not positions:
                sought.append(own)
            positions.append(position)
    taken = {position for positions in wanted.values() for position in positions[1:]}
    for start in range(0, len(sought), _AT_ONCE):
        command = Find(
            filter={
                **_having(stored, sought[start : start + _AT_ONCE]),
                **hidden_filter(spec, "active", is_scoped=False),
            },
            projection=dict.fromkeys(("_id", *stored), 1),
        )
        async for chunk in stream(model, command, database=database_of(documents[0])):
            for row in decode_all(chunk):
                owner = owners.get(_key(row["_id"]), len(documents))
                positions = wanted.get(_key([row.get(name) for name in stored]), [])
                taken.update(position for position in positions if position < owner)
    together = ", ".join(rule.fields)
    for position in sorted(taken):
        kind = PydanticCustomError("unique", "Another document has the same {fields}", {"fields": together})
        value = vars(documents[position]).get(rule.fields[0])
        errors[position].append(InitErrorDetails(type=kind, loc=(rule.fields[0],), input=value))


def _having(names: Sequence[str], alternatives: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Return the filter for documents that have any of these values; a single field's index serves `$in` best."""
    if len(names) == 1 and not any(isinstance(values[0], _PATTERNS) for values in alternatives):
        return {names[0]: {"$in": [values[0] for values in alternatives]}}
    return {
        "$or": [{name: {"$eq": value} for name, value in zip(names, values, strict=True)} for values in alternatives]
    }


async def _check_exists(rule: Exists, documents: Sequence[MappedModel], errors: _Errors) -> None:
    target = spec_of(rule.model)
    sought = _field(target, rule.to).stored
    references: list[tuple[int, tuple[int | str, ...], Any, Any]] = []
    for position, document in enumerate(documents):
        stored = _field(spec_of(type(document)), rule.field).stored
        value = _plain(codec_of(type(document)).dump_value(document)).get(stored)
        items = enumerate(value) if isinstance(value, list) else ((None, value),)
        for index, item in items:
            if item is not None:
                place: tuple[int | str, ...] = (rule.field,) if index is None else (rule.field, index)
                references.append((position, place, item, _key(item)))
    found: set[Any] = set()
    sought_values = list({key: item for *_, item, key in references}.values())
    for start in range(0, len(sought_values), _AT_ONCE):
        values = sought_values[start : start + _AT_ONCE]
        command = Find(
            filter={sought: {"$in": values}, **hidden_filter(target, "active", is_scoped=False)},
            projection=dict.fromkeys(("_id", sought), 1),
        )
        async for chunk in stream(rule.model, command):
            found.update(_key(row.get(sought)) for row in decode_all(chunk))
    for position, place, item, key in references:
        if key not in found:
            kind = PydanticCustomError("exists", "There is no such {model}", {"model": target.name})
            errors[position].append(InitErrorDetails(type=kind, loc=place, input=item))


async def _stored_values(documents: Sequence[MappedModel], names: Sequence[str]) -> list[Document]:
    """Return objects as they would be stored; what some did not load is read, so that they are compared as a whole."""
    found = [_plain(codec_of(type(document)).dump_value(document)) for document in documents]
    partial = [
        position
        for position, document in enumerate(documents)
        if document.get_deferred_fields() and not found[position].keys() >= set(names)
    ]
    for start in range(0, len(partial), _AT_ONCE):
        some = {_key(found[position]["_id"]): position for position in partial[start : start + _AT_ONCE]}
        command = Find(filter={"_id": {"$in": [found[position]["_id"] for position in some.values()]}})
        async for chunk in stream(type(documents[0]), command, database=database_of(documents[0])):
            for row in decode_all(chunk):
                position = some[_key(row["_id"])]
                found[position] = {**row, **found[position]}
    return found


def _plain(values: Document) -> Document:
    return decode(encode(values, model=""))


def _key(value: Any) -> Any:
    """Return what equals for values that the server holds for equal: `5` and `5.0`, but not `1` and `True`."""
    if isinstance(value, dict):
        return "dict", tuple((name, _key(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return "list", tuple(map(_key, value))
    if isinstance(value, bool) or not isinstance(value, Hashable):
        return type(value), repr(value)
    return value


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
