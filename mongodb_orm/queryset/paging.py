"""Reading results page by page: by number, or from place to place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import bson

from ..codec import decode, split
from ..commands import Aggregate, Count, Find
from ..compiler.filters import merge
from ..compiler.keyset import (
    KeyReader,
    beyond,
    key_reader,
    mixes_types,
    refuse_lists,
    reverse,
    total_order,
    watched_paths,
)
from ..compiler.windows import as_aggregate, find_stages
from ..connections import connections
from ..connections.units import in_transaction
from ..exceptions import InvalidValueError, NotSupportedError
from ..executor import connection_for, run, stream
from ..schema import MappedModel, ModelSpec, spec_of
from ..types import Filter, Sort
from .pages import KeysetPage, Page, page_maker
from .tokens import EXACT_OPTIONS, Key, Place, TokenMaker, fingerprint

Load = Callable[[bytes], list[Any]]
"""Makes results of concatenated BSON."""

MAX_PAGE_SIZE = 1000
"""The largest page, unless a call allows more: a size often comes from outside."""

_TOTAL = "__total"
_BY_DISTANCE = frozenset({"$near", "$nearSphere"})
_UNCOUNTABLE = _BY_DISTANCE | {"$where"}


async def read_page(
    model: type[MappedModel],
    find: Find,
    load: Load,
    kind: Any,
    *,
    page: int,
    size: int,
    max_size: int,
    database: str | None = None,
    joins: Sequence[Mapping[str, Any]] = (),
) -> Page[Any]:
    """Return one numbered page of what `find` finds.

    Args:
        model: The model.
        find: The query, without limit and skip.
        load: Makes results of concatenated BSON.
        kind: The type of the results.
        page: The page's number, from 1.
        size: How many results a page holds.
        max_size: The largest size that is taken.
        database: The database, when it is not the model's own.
        joins: Stages that join other collections.

    Raises:
        InvalidValueError: When page or size is out of range.
        NotSupportedError: When MongoDB cannot count what the query finds.
    """
    _check_size(model, size, max_size)
    number = _whole(model, "page", page, (2**63 - 1) // size)
    _refuse_operators(find.filter, _UNCOUNTABLE, "counting", "Use within for a region, or a pipeline with $geoNear.")
    skip = (number - 1) * size
    window = replace(find, sort=total_order(find.sort), skip=skip, limit=size, batch_size=find.batch_size or size)
    documents, total = await _read_counted(model, window, database, joins)
    pages = -(-total // size)
    return page_maker(Page, kind)(
        items=load(b"".join(documents)),
        total=total,
        page=number,
        size=size,
        pages=pages,
        has_next=number < pages,
        has_prev=number > 1,
    )


async def read_page_after(
    model: type[MappedModel],
    find: Find,
    load: Load,
    kind: Any,
    *,
    token: str | None,
    size: int,
    max_size: int,
    database: str | None = None,
) -> KeysetPage[Any]:
    """Return the page of what `find` finds that a token asks for, the first one for None.

    Args:
        model: The model.
        find: The query, without limit and skip.
        load: Makes results of concatenated BSON.
        kind: The type of the results.
        token: `next_token` or `prev_token` of a page of the same query.
        size: How many results a page holds.
        max_size: The largest size that is taken.
        database: The database, when it is not the model's own.

    Raises:
        InvalidTokenError: When the token was not made here, or for another query.
        InvalidValueError: When the size is out of range, or the order goes by a list.
        NotSupportedError: When the query is ordered by distance, or the backend cannot follow the order.
    """
    _check_size(model, size, max_size)
    _refuse_operators(find.filter, _BY_DISTANCE, "keyset pages", "Use within, and an order by fields.")
    spec = spec_of(model)
    order = total_order(find.sort)
    watched = watched_paths(spec, order)
    mixed = mixes_types(spec, order)
    if mixed and "bson_order" not in (await connection_for(model)).driver.features:
        raise NotSupportedError(
            "The memory backend takes 1 for True, so it cannot page in an order that mixes types.",
            hint="Use mongodb:// or embedded://, or sort by fields of one type.",
            feature="bson_order",
            backends=("mongodb://", "embedded://"),
        )
    tokens = _tokens(model, find, order)
    place = None if token is None else tokens.read(token)
    backwards = place is not None and place.backwards
    direction = reverse(order) if backwards else order
    reader = key_reader(order, find.projection, mixed=mixed)
    filter_: Filter = find.filter
    if place is not None:
        past = beyond(direction, place.key, inclusive=place.inclusive, watched=watched)
        filter_ = merge([dict(filter_), past])
    more = size + 1
    batch_size = find.batch_size or more
    documents = await _read(
        model,
        replace(find, filter=filter_, projection=reader.projection, sort=direction, limit=more, batch_size=batch_size),
        database,
    )
    has_more = len(documents) == more
    documents = documents[:size]
    if backwards:
        documents.reverse()
    # Any document may hold a list where the types do not say; where they do, the ends are enough.
    keys = [_key(spec, reader, raw) for raw in (documents if watched else documents[:1] + documents[-1:])]
    before, after = _ways_on(keys, place, has_more)
    return page_maker(KeysetPage, kind)(
        items=load(b"".join(_clean(reader, raw) for raw in documents)),
        next_token=None if after is None else tokens.make(after),
        prev_token=None if before is None else tokens.make(before),
        has_next=after is not None,
        has_prev=before is not None,
    )


def _tokens(model: type[MappedModel], find: Find, order: Sort) -> TokenMaker:
    spec = spec_of(model)
    secret = connections.binding_of(model).config.token_secret
    query = fingerprint(spec, filter=find.filter, order=order, collation=find.collation)
    return TokenMaker(spec, query, None if secret is None else secret.get_secret_value())


def _ways_on(keys: list[Key], place: Place | None, has_more: bool) -> tuple[Place | None, Place | None]:
    """Return the places before and after which the neighbouring pages lie; None where there is no such page."""
    if place is None:
        return None, Place(keys[-1]) if has_more else None
    if keys:
        before, after = Place(keys[0], backwards=True), Place(keys[-1])
    else:  # all there was is gone, so the way back begins at the place itself
        before = Place(place.key, backwards=True, inclusive=not place.backwards)
        after = Place(place.key, inclusive=place.backwards)
    if place.backwards:
        return before if has_more else None, after
    return before, after if has_more else None


def _key(spec: ModelSpec, reader: KeyReader, raw: bytes) -> Key:
    document = bson.decode(raw, EXACT_OPTIONS)
    key = reader.key_of(document)
    refuse_lists(spec, reader.order, key, document)
    return key


def _clean(reader: KeyReader, raw: bytes) -> bytes:
    if not reader.surplus:
        return raw
    return bson.encode(reader.clean(bson.decode(raw, EXACT_OPTIONS)), codec_options=EXACT_OPTIONS)


async def _read(model: type[MappedModel], command: Find | Aggregate, database: str | None) -> list[bytes]:
    return [raw async for chunk in stream(model, command, database=database) for raw in split(chunk)]


async def _read_counted(
    model: type[MappedModel], window: Find, database: str | None, joins: Sequence[Mapping[str, Any]]
) -> tuple[list[bytes], int]:
    """Return the documents of a window and how many there are without it.

    Measured on 200,000 documents of 300 bytes, MongoDB 6 (median, ms): page 3 of 200 matches, of 100,000 and of all,
    page 2,000 of 100,000, each with an index for the filter; in brackets with a network of 1 ms per trip.

        find, then count       1.7 (14.0)   53 (62)    176 (166)   68 (97)
        both at once           1.5  (6.0)   55 (63)    160 (151)   59 (57)
        one trip, $unionWith   1.0  (4.6)   35 (65)    169 (143)   65 (94)
        one trip, $facet       1.8  (5.1)  187 (289)   238 (233)  289 (191)
        $setWindowFields       2.1  (5.0)  290 (298)   520 (532)  377 (275)

    `$facet` and `$setWindowFields` fetch and hold every match. Two commands at once use two connections and are not
    possible in a transaction. So it is `$unionWith`: the page by its index, then the count by its own. MongoDB has no
    `$unionWith` in a transaction; there the count is a second trip.
    """
    if _has_pipeline_form(window, joins) and not in_transaction():
        try:
            return await _read_in_one_trip(model, window, database, joins)
        except NotSupportedError as error:
            if error.feature != "$unionWith":
                raise
    read = as_aggregate(window, find_stages(window, joins)) if joins else window
    documents = await _read(model, read, database)
    if len(documents) < window.limit and (documents or not window.skip):
        return documents, window.skip + len(documents)
    count = Count(
        filter=window.filter,
        hint=window.hint,
        collation=window.collation,
        comment=window.comment,
        max_time_ms=window.max_time_ms,
        read_preference=window.read_preference,
    )
    return documents, _at_least(await run(model, count, database=database), window, documents)


async def _read_in_one_trip(
    model: type[MappedModel], window: Find, database: str | None, joins: Sequence[Mapping[str, Any]]
) -> tuple[list[bytes], int]:
    match: list[dict[str, Any]] = [{"$match": window.filter}] if window.filter else []
    count = [*match, {"$count": _TOTAL}]
    stages = [
        *find_stages(window, joins),
        {"$unionWith": {"coll": spec_of(model).collection, "pipeline": count}},
    ]
    # A batch that is exactly full leaves the cursor open, for one more trip.
    command = as_aggregate(window, stages, batch_size=window.batch_size + 2)
    documents = await _read(model, command, database)
    last = decode(documents[-1]) if documents else {}
    if last.keys() != {_TOTAL}:
        return documents, _at_least(0, window, documents)
    documents.pop()
    return documents, _at_least(last[_TOTAL], window, documents)


def _at_least(counted: int, window: Find, documents: list[bytes]) -> int:
    """Return the count, corrected by what was seen: documents may come and go between page and count."""
    return max(counted, window.skip + len(documents) if documents else 0)


def _has_pipeline_form(window: Find, joins: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a pipeline gives the same as the find: `$slice` and `$elemMatch` mean other things there."""
    is_plain = bool(joins) or not any(isinstance(value, Mapping) for value in (window.projection or {}).values())
    return is_plain and window.hint is None  # a hint would not reach the count


def _check_size(model: type[MappedModel], size: int, max_size: int) -> None:
    _whole(model, "size", size, _whole(model, "max_size", max_size, 2**31 - 1))


def _whole(model: type[MappedModel], option: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise InvalidValueError(
            f"{option} is a whole number from 1 to {most:,}, not {value!r}.",
            hint="A call allows larger pages by max_size." if option == "size" else "",
            model=model.__name__,
            field=option,
            value=value,
        )
    return value


def _refuse_operators(filter_: Any, operators: frozenset[str], feature: str, hint: str) -> None:
    if isinstance(filter_, Mapping):
        for key, value in filter_.items():
            if key in operators:
                raise NotSupportedError(f"MongoDB has no {feature} with {key}.", hint=hint, feature=key)
            _refuse_operators(value, operators, feature, hint)
    elif isinstance(filter_, list | tuple):
        for item in filter_:
            _refuse_operators(item, operators, feature, hint)
