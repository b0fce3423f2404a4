"""Many documents at once."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from ..codec import codec_of
from ..commands import InsertMany
from ..connections.units import has_failed
from ..exceptions import (
    BulkDuplicateError,
    BulkError,
    BulkFailure,
    DuplicateDocumentError,
    InvalidValueError,
    MongoDBORMError,
    ValidationError,
    relocated,
)
from ..executor import run
from ..hooks import Create, hooks_of
from ..schema import MappedModel, is_new, set_snapshot, spec_of
from ..schema.mementos import is_open, touch
from ..timestamps import current_datetime
from .attending import attend
from .changing import refuse_foreign
from .identifiers import new_ids, note_given_id
from .notices import observers
from .preparing import build, revalidate
from .progressing import Progress, Steps
from .saving import is_certain, stamp_new
from .validating import validate

D = TypeVar("D", bound=MappedModel)
T = TypeVar("T")

Items = Iterable[Any] | AsyncIterable[Any]
"""Where what is written comes from."""

CHUNK = 1000
"""Documents in one `insert` command; small enough to let other tasks run in between."""

CHUNK_BYTES = 32 * 1024 * 1024
"""Encoded bytes in one command, well below the 48 MB that a message may have."""


async def bulk_create(
    model: type[D], items: Items, *, ordered: bool = True, progress: Progress | None = None
) -> list[D]:
    """Validate and insert many documents: all are validated and encoded before anything is sent.

    Raises:
        ValidationError: When items do not fit; each location begins with the item's position, and nothing is stored.
        BulkError: When the server refuses some; it is a `DuplicateDocumentError` too when a unique index did.
    """
    documents = _build_all(model, await listed(model, items))
    steps = Steps(progress, len(documents))
    if not documents:
        return []
    if observers or any(hooks_of(kind) for kind in set(map(type, documents))):
        return await attend(Create, documents, lambda: _create_all(model, documents, ordered, steps))
    return await _create_all(model, documents, ordered, steps)


async def _create_all(model: type[D], documents: list[D], ordered: bool, steps: Steps) -> list[D]:
    """Insert new objects that were validated.

    Raises:
        ValidationError: When what hooks made of an object does not fit, or a validator complains.
        BulkError: When the server refuses some.
    """
    ready_new(documents)
    if any(hooks_of(kind) for kind in set(map(type, documents))):
        await validate(documents, places=range(len(documents)))
    return await insert_all(model, documents, ordered, steps)


async def insert_all(model: type[D], documents: list[D], ordered: bool, steps: Steps) -> list[D]:
    """Insert new objects that validators let pass, and count them."""
    without_id = lacking_ids(documents)
    given = highest_id(documents) if len(without_id) < len(documents) else None
    await give_ids(model, without_id)
    try:
        raws = _dump_all(documents)
        failures, written = await _insert(model, documents, raws, ordered, steps)
    except (MongoDBORMError, ValidationError) as error:
        if is_certain(error):
            forget_ids(without_id)
        raise
    if failures:
        forget_ids(without_id)
        raise bulk_error(model, failures, written) from failures[0].error
    if given is not None:
        await note_given_id(model, given)
    return documents


def ready_new(documents: Sequence[MappedModel]) -> None:
    """Make new objects ready for validators, after hooks that may have changed them.

    Raises:
        ValidationError: When what hooks made of an object does not fit.
    """
    for document in documents if is_open.count else ():
        touch(document)
    if any(hooks_of(kind) for kind in set(map(type, documents))):
        for document in documents:
            revalidate(document)


def lacking_ids(documents: Iterable[D]) -> list[D]:
    """Return the objects that have no id yet."""
    return [document for document in documents if vars(document)[document.__mongo_id_field__] is None]


def highest_id(documents: Iterable[MappedModel]) -> int | None:
    """Return the highest of the ids that are numbers, None when none is."""
    ids = (vars(document)[document.__mongo_id_field__] for document in documents)
    return max((id_ for id_ in ids if isinstance(id_, int)), default=None)


async def give_ids(model: type[MappedModel], documents: Sequence[MappedModel]) -> None:
    """Give ids to new objects of one collection; at most one trip however many they are."""
    if documents:
        for document, id_ in zip(documents, await new_ids(model, len(documents)), strict=True):
            vars(document)[document.__mongo_id_field__] = id_


def forget_ids(documents: Iterable[MappedModel]) -> None:
    """Take back the ids of objects that were not stored after all."""
    for document in documents:
        if is_new(document):
            vars(document)[document.__mongo_id_field__] = None


def _build_all(model: type[D], items: list[Any]) -> list[D]:
    documents: list[D] = []
    errors: list[tuple[tuple[int | str, ...], ValidationError]] = []
    for index, item in enumerate(items):
        try:
            documents.append(build(model, item) if type(item) is dict else _build(model, item))
        except ValidationError as error:
            errors.append(((index,), error))
        except TypeError as error:
            if isinstance(item, Mapping) and not all(isinstance(name, str) for name in item):
                raise InvalidValueError(
                    f"Item {index} has a key that is no name of a field.", model=model.__name__, value=item
                ) from error
            raise
    if errors:
        raise relocated(model.__name__, errors)
    return documents


def _build(model: type[D], item: Any) -> D:
    if isinstance(item, model):
        refuse_foreign(model, item)
        if not is_new(item):
            raise InvalidValueError(
                f"{item!r} is stored already.", hint="Use save() to update it.", model=model.__name__, value=item
            )
        revalidate(item)
        return item
    if isinstance(item, Mapping):
        return build(model, item)
    raise InvalidValueError(
        f"A {model.__name__} is made of a mapping or an object of it, not of {type(item).__name__}.",
        model=model.__name__,
        value=item,
    )


def _dump_all(documents: Iterable[MappedModel]) -> list[bytes]:
    now = current_datetime()
    raws: list[bytes] = []
    for index, document in enumerate(documents):
        try:
            stamp_new(document, now)
        except ValidationError as error:
            raise relocated(type(document).__name__, [((index,), error)]) from error
        raws.append(codec_of(type(document)).dump(document))
    return raws


async def _insert(
    model: type[D], documents: list[D], raws: list[bytes], ordered: bool, steps: Steps
) -> tuple[list[BulkFailure], list[int]]:
    failures: list[BulkFailure] = []
    written: list[int] = []
    for start, chunk in chunks(raws, len):
        done: Iterable[int] = range(len(chunk))
        try:
            await run(model, InsertMany(documents=chunk, ordered=ordered))
        except BulkError as error:
            done = error.written
            for failure in error.failures:
                failures.append(BulkFailure(start + failure.index, failure.error))
        except MongoDBORMError as error:
            error.add_note(fate(start, start + len(chunk), len(raws), len(written)))
            raise
        for index in done:
            written.append(start + index)
            set_snapshot(documents[start + index], raws[start + index])
        await steps.add(len(chunk))
        if failures and (ordered or has_failed()):
            break
    return failures, [] if has_failed() else written


def chunks(items: list[T], size_of: Callable[[T], int]) -> Iterator[tuple[int, list[T]]]:
    """Cut what is to be sent into commands by count and by bytes; each comes with the position of its first."""
    start = size = 0
    for index, item in enumerate(items):
        if index > start and (index - start == CHUNK or size + size_of(item) > CHUNK_BYTES):
            yield start, items[start:index]
            start, size = index, 0
        size += size_of(item)
    if start < len(items):
        yield start, items[start:]


def chunks_of(items: Iterable[T], place: Callable[[T], object] = lambda item: None) -> Iterator[list[T]]:
    """Cut what goes into one command each: neighbours that are in the same place."""
    chunk: list[T] = []
    for item in items:
        if chunk and (len(chunk) == CHUNK or place(item) != place(chunk[0])):
            yield chunk
            chunk = []
        chunk.append(item)
    if chunk:
        yield chunk


async def listed(model: type[MappedModel], items: Items) -> list[Any]:
    """Return what an iterable or async iterable yields.

    Raises:
        InvalidValueError: When it is none, or a mapping or text.
    """
    return list(items) if isinstance(items, list | tuple) else [item async for item in each(model, items)]


async def each(model: type[MappedModel], items: Items) -> AsyncIterator[Any]:
    """Yield what an iterable or async iterable yields.

    Raises:
        InvalidValueError: When it is none, or a mapping or text.
    """
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    elif isinstance(items, Iterable) and not isinstance(items, str | bytes | Mapping):
        for item in items:
            yield item
    else:
        raise InvalidValueError(
            "A list, or another iterable or async iterable, of what is to be written is needed.",
            model=spec_of(model).name,
            value=items,
        )


def chosen_objects(model: type[D], documents: Iterable[Any]) -> list[tuple[int, D]]:
    """Return objects with their positions; one that is there twice comes once.

    Raises:
        InvalidValueError: When something is no object of the model.
    """
    unique: dict[int, tuple[int, D]] = {}
    for index, item in enumerate(documents):
        kind = type(item)
        if kind is not model and not isinstance(item, model):
            raise InvalidValueError(
                f"An object of {model.__name__} is needed, not of {kind.__name__}.",
                model=model.__name__,
                value=item,
            )
        if kind is not model:
            refuse_foreign(model, item)
        unique.setdefault(id(item), (index, item))
    return list(unique.values())


def fate(start: int, end: int, total: int, written: int) -> str:
    """Return a note on a write of many that ended at one of its commands."""
    return (
        f"{written} of {total} documents were stored before; items {start} to {end - 1} may be stored or not; "
        f"{total - end} were not sent."
    )


def bulk_error(model: type[MappedModel] | None, failures: list[BulkFailure], written: list[int]) -> BulkError:
    """Return the error for documents that could not be written; without a model, for those of several."""
    name, first = None if model is None else model.__name__, failures[0]
    problem = (
        f"{len(failures)} of the {f'{name} ' if name else ''}documents could not be written; {len(written)} were. "
        f"The first is item {first.index}: {str(first.error).splitlines()[0]}"
    )
    facts: dict[str, Any] = {"model": name, "failures": tuple(failures), "written": tuple(written)}
    if isinstance(first.error, DuplicateDocumentError):
        cause = first.error
        facts |= {"index": cause.index, "fields": cause.fields, "value": cause.value}
        return BulkDuplicateError(problem, **facts)
    return BulkError(problem, **facts)
