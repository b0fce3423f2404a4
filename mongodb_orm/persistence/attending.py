"""What runs around writes: hooks before and after them, and the notices of what was written.

A write of objects is attended by a decorator on the function that does it. Which objects were written shows in their
snapshots, so that the function need not tell; a bulk write that fails half-way is attended just as exactly.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..codec import encode
from ..commands import BulkWrite, Command, Delete
from ..connections.units import call_all, in_transaction
from ..exceptions import BulkError
from ..executor import run
from ..hooks import Create, Event, Hook, QueryDelete, QueryUpdate, Save, Validate, hooks_of, is_skipped
from ..hooks import Update as UpdateEvent
from ..schema import MappedModel, raw_of, spec_of
from ..schema.mementos import copied
from .notices import Kind, Written, observers, tell
from .query_writes import QueryWrite, done_but_for, found_among, without_conflicts, writes_of
from .recording import Wrote, record, record_changes, stored_matches
from .telling import KINDS, Pair, doubts_of, grouped, is_partial, is_unknown, notices_of

D = TypeVar("D", bound=MappedModel)
P = ParamSpec("P")
R = TypeVar("R")

_LEADING: dict[type[Event], tuple[type[Event], ...]] = {
    Create: (Save, Create, Validate),
    UpdateEvent: (Save, UpdateEvent, Validate),
}
_TRAILING: dict[type[Event], tuple[type[Event], ...]] = {Create: (Create, Save), UpdateEvent: (UpdateEvent, Save)}


def attended(
    event: type[Event],
) -> Callable[
    [Callable[Concatenate[D, P], Coroutine[Any, Any, R]]], Callable[Concatenate[D, P], Coroutine[Any, Any, R]]
]:
    """Return a decorator for functions that write the object which is their first argument.

    A function for `Save` inserts new objects by another one, which is attended itself.
    """

    def decorate(
        function: Callable[Concatenate[D, P], Coroutine[Any, Any, R]],
    ) -> Callable[Concatenate[D, P], Coroutine[Any, Any, R]]:
        @wraps(function)
        def write(document: D, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            if observers or hooks_of(type(document)):
                happening = event
                if event is Save:
                    if raw_of(document) is None:
                        return function(document, *args, **kwargs)
                    happening = UpdateEvent
                return attend(happening, (document,), lambda: function(document, *args, **kwargs))
            return function(document, *args, **kwargs)

        return write

    return decorate


async def attend(event: type[Event], documents: Sequence[MappedModel], write: Callable[[], Awaitable[R]]) -> R:
    """Write objects to all of which the same happens; see `attend_all`."""
    return await attend_all(((event, documents),), write)


async def attend_all(
    happening: Sequence[tuple[type[Event], Sequence[MappedModel]]], write: Callable[[], Awaitable[R]]
) -> R:
    """Write objects with everything that has to run around it.

    Hooks run before; what they changed is taken back on the objects that were not written after all. Hooks and notices
    of those that were written come after.

    Args:
        happening: What happens to which objects: `Create`, `Update`, `Delete` or `Restore`; each object comes once.
        write: Writes them, and gives those that it wrote a new snapshot; an answer of False says that nothing was
            there to be written.
    """
    parts = [(event, [(document, raw_of(document)) for document in documents]) for event, documents in happening]
    mementos: list[_Memento] = []
    is_begun = False
    try:
        for event, pairs in parts:
            for leading in _LEADING.get(event, (event,)):
                for document, _ in pairs:
                    hooks = hooks_of(type(document)).before.get(leading)
                    if hooks and not is_skipped(leading):
                        mementos.append(_Memento(document))
                        await run_hooks(hooks, document)
        is_begun = True
        result = await write()
    except BaseException as error:
        done: set[int] = set()
        after: list[Callable[[], Awaitable[None]]] = []
        with_hooks = isinstance(error, Exception)  # a cancelled task does no more than it must
        for event, pairs in parts:
            written = _written_of(pairs)
            done.update(id(document) for document, _ in written)
            after.append(partial(_conclude, event, written, with_hooks=with_hooks))
            if observers and is_begun and is_unknown(error):
                after += _tellings(doubts_of(event, [pair for pair in pairs if id(pair[0]) not in done]))
        for memento in reversed(mementos):
            if id(memento.document) not in done:
                memento.restore()
        await call_all(after)
        raise
    if not _says_no(result):
        concluded = ((event, _written_of(pairs)) for event, pairs in parts)
        await call_all([partial(_conclude, event, written) for event, written in concluded if written])
    return result


async def run_before(model: type[MappedModel], event: type[Event], writes: Sequence[QueryWrite]) -> None:
    """Run the hooks before writes by query, all of them before the first write is done."""
    hooks = hooks_of(model).before.get(event, ())
    if hooks and not is_skipped(event):
        for write in writes:
            await run_hooks(hooks, write, model)


async def run_by_query(
    model: type[MappedModel],
    command: Command[R],
    *,
    database: str | None = None,
    kind: Kind | None = None,
    is_begun: bool = False,
) -> R:
    """Run a command that writes by a filter, with the class's hooks before and after it, and tell of it.

    Args:
        model: The model class.
        command: An `Update`, `Delete`, `FindAndUpdate` or another with a filter.
        database: The database, when it is not the model's own.
        kind: What the command means, where its type does not say it: a soft delete is an update.
        is_begun: Whether the hooks before it have run.
    """
    hooks = hooks_of(model)
    if not observers and not hooks:
        return await run(model, command, database=database)
    asked: Any = command
    is_delete = isinstance(asked, Delete) or (kind == "delete")
    event: type[Event] = QueryDelete if is_delete else QueryUpdate
    filter_: Any = asked.filter
    update: Any = getattr(command, "update", None)
    kind = kind or ("delete" if is_delete else "update")
    writes = writes_of(model, kind, command)
    if not is_begun:
        await run_before(model, event, writes)
    if getattr(asked, "upsert", False):
        without_conflicts(update)
    olds = (
        await stored_matches(model, filter_, database, getattr(asked, "collation", None)) if hooks.keeps_history else {}
    )
    trailing = () if is_skipped(event) else hooks.after.get(event, ())
    after: list[Callable[[], Awaitable[None]]] = []
    try:
        answer = await run(model, command, database=database)
    except BaseException as error:
        if hooks.keeps_history and is_partial(asked, error) and not in_transaction():
            after.append(partial(record_changes, model, kind, olds, None, database))
        if observers and (is_unknown(error) or is_partial(asked, error)):
            notice = Written(model, kind, database, filter=filter_, update=update, matched=0, is_certain=False)
            after.append(partial(tell, notice))
        # A transaction is over, with all that it did.
        if trailing and isinstance(asked, BulkWrite) and isinstance(error, BulkError) and not in_transaction():
            done = done_but_for(error, writes, ordered=asked.ordered)
            after.append(partial(_follow, model, trailing, done))
        await call_all(after)
        raise
    made = getattr(answer, "upserted_id", None)
    if hooks.keeps_history:
        after.append(partial(record_changes, model, kind, olds, made, database))
    matched = _written(asked, answer)
    kind = kind if made is None else "create"
    if matched:
        if observers:
            after.append(partial(tell, _notice(model, kind, database, command, answer)))
        if trailing and len(writes) > matched:
            after.append(partial(_follow, model, trailing, writes))
        elif trailing:
            each = matched if len(writes) == 1 else 1
            after += [partial(run_hooks, trailing, replace(write, kind=kind, matched=each), model) for write in writes]
    await call_all(after)
    return answer


async def _follow(model: type[MappedModel], hooks: Sequence[Hook], writes: Sequence[QueryWrite]) -> None:
    """Run the hooks after those writes that found their document; which did is read, since the server did not tell."""
    there = await found_among(model, [write.filter for write in writes])
    await call_all(
        [
            partial(run_hooks, hooks, replace(write, matched=1), model)
            for write, is_there in zip(writes, there, strict=True)
            if is_there
        ]
    )


def _notice(model: type[MappedModel], kind: Kind, database: str | None, command: Any, answer: Any) -> Written:
    """Return the notice of a write by query, with the document as it was or as it is where the answer shows it."""
    update: Any = getattr(command, "update", None)
    if kind == "create" and update.keys() == {"$setOnInsert"}:
        return Written(model, kind, database, (None,), (encode(update["$setOnInsert"], model=model.__name__),))
    found = (answer,) if isinstance(answer, bytes) else ()
    old, new = ((), found) if getattr(command, "return_new", False) else (found, ())
    return Written(model, kind, database, old, new, command.filter, update, _written(command, answer))


def _written(command: Any, answer: Any) -> int:
    """Return how many documents a write by query concerned; an upsert may leave the one that it finds as it is."""
    if isinstance(answer, int):
        return answer
    if answer is None or isinstance(answer, bytes):
        return int(answer is not None)
    if getattr(command, "upsert", False):
        return int(answer.modified or answer.upserted_id is not None)
    return int(answer.matched)


async def _conclude(event: type[Event], written: Sequence[Pair], *, with_hooks: bool = True) -> None:
    """Do what comes after a write of objects; the history is kept and observers are told, whichever of it fails."""
    after: list[Callable[[], Awaitable[None]]] = []
    for model, database, own in grouped(written):
        if hooks_of(model).keeps_history:
            writes = [Wrote(before or None, raw_of(document) or None, _unloaded(document)) for document, before in own]
            after.append(partial(record, model, KINDS[event], writes, database=database))
    await call_all([*after, *(_tellings(notices_of(event, written)) if observers else ())])
    if not with_hooks:
        return
    for trailing in _TRAILING.get(event, (event,)):
        for document, _ in written:
            hooks = hooks_of(type(document)).after.get(trailing)
            if hooks and not is_skipped(trailing):
                await run_hooks(hooks, document)


def _unloaded(document: MappedModel) -> tuple[str, ...]:
    fields = spec_of(type(document)).fields
    return tuple(fields[name].stored for name in document.get_deferred_fields())


def _tellings(notices: Sequence[Written]) -> list[Callable[[], Awaitable[None]]]:
    return [partial(tell, notice) for notice in notices]


async def run_hooks(hooks: Sequence[Hook], subject: Any, model: type[MappedModel] | None = None) -> None:
    """Run hooks in their order, on an object, or on a write by query with its model."""
    for hook in hooks:
        target = hook.target
        if isinstance(target, str):
            answer = getattr(subject, target)() if model is None else getattr(model, target)(subject)
        else:
            answer = target(subject)
        if inspect.isawaitable(answer):
            await answer


def _written_of(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the objects that have a new snapshot, which are those that were written."""
    return [pair for pair in pairs if raw_of(pair[0]) is not pair[1]]


def _says_no(answer: object) -> bool:
    return answer is False


class _Memento:
    """The values of an object before its hooks ran; a value that a hook changed inside is kept as a copy."""

    __slots__ = ("_copies", "_extra", "_given", "_values", "document")

    def __init__(self, document: MappedModel) -> None:
        self.document = document
        self._values = dict(vars(document))
        self._copies = {name: copied(value) for name, value in self._values.items()}
        self._given = set(document.__pydantic_fields_set__)
        self._extra = copied(document.__pydantic_extra__)

    def restore(self) -> None:
        """Put the values back, but for the id: it stays when the outcome of an insert is not known."""
        id_field = self.document.__mongo_id_field__
        kept = {name: value for name, value in vars(self.document).items() if name == id_field}
        values = {
            name: value if value == self._copies[name] else self._copies[name] for name, value in self._values.items()
        }
        object.__setattr__(self.document, "__dict__", {**values, **kept})
        object.__setattr__(self.document, "__pydantic_fields_set__", self._given)
        object.__setattr__(self.document, "__pydantic_extra__", self._extra)
