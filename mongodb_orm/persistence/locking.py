"""Stale objects: found, merged, tried again."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ParamSpec, TypeVar, overload

from ..codec import codec_for, decode, encode
from ..commands import FindOne
from ..exceptions import ConfigurationError, MongoDBORMError, StaleDocumentError
from ..executor import run
from ..schema import MappedModel, ModelSpec, database_of, is_doubtful, set_snapshot, spec_of
from ..tracking import Changes, applied, diff, overlap
from .changing import adopt, compare, loaded_snapshot, missing

P = ParamSpec("P")
T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.5


def version_filter(spec: ModelSpec, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the condition that a document still has the version that was loaded; nothing without versions."""
    if spec.versioning is None:
        return {}
    name = spec.fields[spec.versioning.field].stored
    return {name: stored.get(name)}


def next_version(spec: ModelSpec, stored: Mapping[str, Any]) -> dict[str, int]:
    """Return the version's field, under its Python name, with its next value; nothing without versions."""
    if spec.versioning is None:
        return {}
    return {spec.versioning.field: int(stored.get(spec.fields[spec.versioning.field].stored) or 1) + 1}


async def reason_of_miss(document: MappedModel, *, is_conditional: bool = False) -> MongoDBORMError:
    """Return why an update of an object found no document: it is gone, or somebody else changed it."""
    spec, loaded = spec_of(type(document)), decode(loaded_snapshot(document))
    raw = await run(type(document), FindOne(filter={"_id": loaded["_id"]}), database=database_of(document))
    if raw is None:
        return missing(document, "is no longer stored")
    facts: dict[str, Any] = {"model": spec.name, "id": vars(document).get(spec.id_field)}
    if spec.versioning is not None:
        name = spec.fields[spec.versioning.field].stored
        expected, found = loaded.get(name), decode(raw).get(name)
        if expected != found:
            return _stale(
                document,
                f"{document!r} was saved by somebody else: version {expected} was loaded, {found} is stored.",
                hint="Read it again and repeat the change, or save(merge=True).",
                expected=expected,
                found=found,
                **facts,
            )
    if is_conditional:
        problem = f"{document!r} does not fulfil if_match any more."
        return _stale(document, problem, hint="Read it again and decide anew.", **facts)
    return missing(document, "is no longer stored")


async def reason_of_bulk_miss(document: MappedModel) -> MongoDBORMError:
    """Return why a bulk write did not find an object's document as it was.

    A bulk write tells only how many it found. When somebody saved the document twice since, or once after this write
    did, the two cannot be told apart, and the error says so.
    """
    reason = await reason_of_miss(document)
    if isinstance(reason, StaleDocumentError) and (reason.found or 0) > (reason.expected or 1) + 1:
        reason.is_outcome_unknown = True
    return reason


async def merge_stored(document: MappedModel) -> None:
    """Bring what others changed into an object, where they changed something else than it did.

    Raises:
        StaleDocumentError: When both changed the same; `paths` names it.
        DocumentNotFoundError: When the document is gone.
    """
    spec, loaded = spec_of(type(document)), decode(loaded_snapshot(document))
    raw = await run(type(document), FindOne(filter={"_id": loaded["_id"]}), database=database_of(document))
    if raw is None:
        raise missing(document, "is no longer stored")
    stored = decode(raw)
    if deferred := document.get_deferred_fields():  # what the object does not know is not its to merge
        unknown = {spec.fields[name].stored for name in deferred}
        stored = {name: value for name, value in stored.items() if name not in unknown}
    ours, theirs = compare(document).changes, diff(loaded, stored, spec.known)
    both = _conflicts(spec, ours, theirs)
    if both:
        raise _stale(
            document,
            f"{document!r} was saved by somebody else, who changed {', '.join(both)} too.",
            hint="Read it again and decide what should hold.",
            model=spec.name,
            id=vars(document).get(spec.id_field),
            paths=tuple(both),
        )
    merged = applied(stored, ours)
    codec = codec_for(document)
    adopt(document, codec.load(encode(merged, model=spec.name)))
    set_snapshot(document, encode(stored, model=spec.name) if deferred else raw)


def _stale(document: MappedModel, problem: str, *, hint: str, **facts: Any) -> StaleDocumentError:
    """Return the error for an object that is stale, perhaps by a write of its own that ended without an answer."""
    if not is_doubtful(document):
        return StaleDocumentError(problem, hint=hint, **facts)
    return StaleDocumentError(
        f"{problem.rstrip('.')}, perhaps because its own last write ended without an answer.",
        hint="Read it again, and look whether that write is done before you repeat it.",
        may_be_own=True,
        **facts,
    )


def _conflicts(spec: ModelSpec, ours: Changes, theirs: Changes) -> list[str]:
    managed = {spec.fields["updated_at"].stored}
    if spec.versioning is not None:
        managed.add(spec.fields[spec.versioning.field].stored)
    own = [path for path in ours.paths() if path not in managed]
    foreign = [path for path in theirs.paths() if path not in managed]
    return sorted({path for path in own for other in foreign if overlap(path, other)})


@overload
def retry_on_conflict(function: Function, /) -> Function: ...


@overload
def retry_on_conflict(*, attempts: int = 5) -> Callable[[Function], Function]: ...


def retry_on_conflict(function: Any = None, /, *, attempts: int = 5) -> Any:
    """Let an async function run again when it meets a `StaleDocumentError`.

    The function has to load what it changes, so that it sees what the other one did. Where the error may come of an
    own write whose outcome is not known (`may_be_own`), it does not run again, so that nothing is done twice.

    Args:
        function: The function, for `@retry_on_conflict` without parentheses.
        attempts: How many times it runs at most.

    Raises:
        ConfigurationError: When `attempts` is below 1.
        StaleDocumentError: By the function, when the last attempt met one too.

    Example:
        >>> @retry_on_conflict
        ... async def deposit(account_id: int, amount: int) -> None:
        ...     account = await Account.filter(id=account_id).one()
        ...     account.balance += amount
        ...     await account.save()
    """
    if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
        raise ConfigurationError(f"attempts is a whole number from 1, not {attempts!r}.")

    def decorate(inner: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @functools.wraps(inner)
        async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            pause = _FIRST_PAUSE
            for _ in range(attempts - 1):
                try:
                    return await inner(*args, **kwargs)
                except StaleDocumentError as error:
                    if error.may_be_own:
                        raise
                    await asyncio.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - a pause is no secret
                    pause = min(pause * 2, _LONGEST_PAUSE)
            return await inner(*args, **kwargs)

        return wrapper

    return decorate if function is None else decorate(function)
