"""Figures over the results of a query, and results by key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Any, Literal, Protocol, Self, TypeVar

from ..codec import decode
from ..commands import Distinct
from ..compiler.casting import Place, cast
from ..compiler.lookups import fits
from ..compiler.paths import lists_crossed
from ..compiler.places import is_near
from ..compiler.projections import field_path
from ..exceptions import InvalidValueError
from ..executor import run, stream
from ..expressions import Compare
from ..schema import MappedModel, Resolved, resolve, spec_of
from .results import convert_stored
from .state import QueryState

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Operator = Literal["$sum", "$avg", "$min", "$max"]


class Streamed(Protocol[R_co]):
    """A query whose results can be narrowed and streamed."""

    @property
    def model(self) -> type[MappedModel]:
        """The model."""
        ...

    def filter(self, /, *conditions: Any, **lookups: Any) -> Self:
        """Narrow the query."""
        ...

    def __aiter__(self) -> AsyncIterator[R_co]: ...


_BULK = 1000
"""Values in one `$in`: few enough for a command of any kind of value."""


async def figure(query: QueryState[Any], operator: Operator, field: str) -> Any:
    """Return a figure of a field over the results, as a value of the field's type where it has one.

    Raises:
        InvalidValueError: When the field is a list, of which MongoDB makes no figure, or the figure needs numbers.
    """
    spec = spec_of(query.model)
    target = resolve(spec, field_path(spec, field))
    if target.shape.kind in ("array", "model", "mapping"):
        raise InvalidValueError(
            f"{spec.name}.{field} is no single value, so there is no figure of it.",
            hint="Unwind it in an aggregation.",
            model=spec.name,
            field=field,
        )
    if operator in ("$sum", "$avg") and not fits("number", target.shape):
        raise InvalidValueError(
            f"{spec.name}.{field} holds no numbers, so it has no {operator[1:]}.",
            hint="min, max and distinct take values of any kind.",
            model=spec.name,
            field=field,
        )
    group = {"$group": {"_id": None, "value": {operator: f"${target.stored}"}}}
    async for chunk in stream(query.model, query.aggregate_command(group), database=query.database):
        return _as_field(target, operator, decode(chunk)["value"])
    return _as_field(target, operator, 0) if operator == "$sum" else None


async def distinct(query: QueryState[Any], field: str) -> list[Any]:
    """Return the distinct values of a field, or of the elements of a list, as the types that the field says.

    Raises:
        CorruptDocumentError: When a stored value does not fit the field.
    """
    spec = spec_of(query.model)
    target = resolve(spec, field_path(spec, field))
    command = Distinct(
        key=target.stored,
        filter=query.filter_document(),
        collation=query.rules,
        comment=query.note,
        read_preference=query.read_from,
    )
    shape = target.shape
    while shape.kind == "array" and shape.element is not None:
        shape = shape.element
    convert = convert_stored(shape)
    return [
        None if value is None else convert(value) for value in await run(query.model, command, database=query.database)
    ]


async def count(query: QueryState[Any]) -> int:
    """Return how many results there are; those near a point are counted by a pipeline, since no count takes `$near`."""
    command = query.count_command()
    if query.is_empty:
        return 0
    if not is_near(command.filter):
        return await run(query.model, command, database=query.database)
    pipeline = query.aggregate_command({"$count": "value"})
    async for chunk in stream(query.model, pipeline, database=query.database):
        return int(decode(chunk)["value"])
    return 0


def _as_field(target: Resolved, operator: Operator, value: Any) -> Any:
    if value is None:
        return None
    if target.shape.annotation is timedelta:
        return timedelta(microseconds=round(value))
    return convert_stored(target.shape)(value) if operator in ("$min", "$max") else value


async def in_bulk(query: Streamed[R], values: Iterable[Any], field: str | None) -> dict[Any, R]:
    """Return the results by the value of a field, in the order of the values."""
    spec = spec_of(query.model)
    name = field or spec.id_field
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidValueError("in_bulk takes a list of values.", model=spec.name, field=name, value=values)
    wanted = list(values)
    path = field_path(spec, name)
    if lists_crossed(resolve(spec, path)):
        raise InvalidValueError(
            f"{spec.name}.{name} is, or lies in, a list, so it is no key of a result.", model=spec.name, field=name
        )
    found: dict[Any, R] = {}
    for start in range(0, len(wanted), _BULK):
        chunk = wanted[start : start + _BULK]
        async for result in query.filter(Compare(path, "in", chunk)):
            found[_value_of(result, path)] = result
    place = Place(spec.name, name)
    order = dict.fromkeys(cast(resolve(spec, path).shape, value, place) for value in wanted)
    return {key: found[key] for key in order if key in found}


def _value_of(result: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        try:
            result = result[part] if isinstance(result, dict) else getattr(result, part)
        except (KeyError, AttributeError) as error:
            raise InvalidValueError(
                f"The results lack {'.'.join(path)!r}, by which they are to be found.",
                hint="Ask for that field too.",
                field=".".join(path),
            ) from error
    return result
