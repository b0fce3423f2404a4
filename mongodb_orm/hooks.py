"""What a model says should happen around its writes and reads: the declarations, none of which runs here.

Events of one object: `Validate`, `Create`, `Update`, `Save` (either of the two), `Delete`, `Restore`, `Load`. Events
of a write by query: `QueryUpdate`, `QueryDelete`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

from .exceptions import ConfigurationError

F = TypeVar("F")
When = Literal["before", "after"]


class Event:
    """Something that happens to documents, around which hooks run."""

    is_by_query: ClassVar[bool] = False


class Validate(Event):
    """An object is checked before it is written: on create, on save and in bulk."""


class Save(Event):
    """An object is inserted or updated."""


class Create(Event):
    """A new object is inserted."""


class Update(Event):
    """A stored object is saved."""


class Delete(Event):
    """An object is deleted, softly or for good."""


class Restore(Event):
    """A softly deleted object is brought back."""


class Load(Event):
    """An object was made of a stored document."""


class QueryUpdate(Event):
    """Documents are updated by a query, without being loaded."""

    is_by_query = True


class QueryDelete(Event):
    """Documents are deleted by a query, without being loaded."""

    is_by_query = True


@dataclass(frozen=True, slots=True)
class Hook:
    """One declared hook.

    Attributes:
        when: Whether it runs before or after the event.
        event: The event.
        order: Hooks with a lower number run first; equal ones as they were declared, those of base classes first.
        target: The name of the method, or a function that takes the object (or the `QueryWrite`).
    """

    when: When
    event: type[Event]
    order: int
    target: str | Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class AsyncValidator:
    """A method that checks fields and may ask the database."""

    fields: tuple[str, ...]
    target: str


@dataclass(slots=True)
class Hooks:
    """All hooks of a class, in the order in which they run; false when there are none.

    Attributes:
        before: The hooks that run before each event.
        after: The hooks that run after each event.
        validators: The methods that check fields.
        rules: The ready checks, each with the class that declares it.
        keeps_history: Whether every write is recorded.
    """

    before: dict[type[Event], tuple[Hook, ...]] = field(default_factory=dict)
    after: dict[type[Event], tuple[Hook, ...]] = field(default_factory=dict)
    validators: tuple[AsyncValidator, ...] = ()
    rules: tuple[tuple[type, Any], ...] = ()
    keeps_history: bool = False

    def __bool__(self) -> bool:
        return bool(self.before or self.after or self.validators or self.rules or self.keeps_history)


_MARK = "__mongodb_orm_hooks__"
_VALIDATED = "__mongodb_orm_validates__"
_outside: dict[type, list[Hook]] = {}
_skipped: ContextVar[tuple[type[Event], ...]] = ContextVar("mongodb_orm_skipped_hooks", default=())


def before(*events: type[Event], order: int = 0) -> Callable[[F], F]:
    """Make a method run before events; what it changes is part of what is saved, and an error stops the write.

    Args:
        events: `Validate`, `Save`, `Create`, `Update`, `Delete`, `Restore`; on class methods `QueryUpdate`,
            `QueryDelete`.
        order: Hooks with a lower number run first.

    Raises:
        ConfigurationError: When the event has nothing before it, or is no event.

    Example:
        >>> class User(BaseModel):
        ...     email: str
        ...     @before(Save)
        ...     def lower(self) -> None:
        ...         self.email = self.email.lower()
    """
    return _marking("before", events, order)


def after(*events: type[Event], order: int = 0) -> Callable[[F], F]:
    """Make a method run after events, when something was written (or read, for `Load`).

    Args:
        events: As in `before`, and `Load`.
        order: Hooks with a lower number run first.

    Raises:
        ConfigurationError: When something is no event.
    """
    return _marking("after", events, order)


def on(
    model: type,
    *,
    before: type[Event] | tuple[type[Event], ...] = (),
    after: type[Event] | tuple[type[Event], ...] = (),
    order: int = 0,
) -> Callable[[F], F]:
    """Make a function outside of the class run around events of a model and of its subclasses.

    Args:
        model: The model class.
        before: Events before which it runs.
        after: Events after which it runs.
        order: Hooks with a lower number run first.

    Returns:
        A decorator for functions that take the object, or the `QueryWrite` of a write by query.

    Raises:
        ConfigurationError: When no event is given.

    Example:
        >>> @on(User, after=Create)
        ... async def greet(user: User) -> None: ...
    """
    befores = before if isinstance(before, tuple) else (before,)
    afters = after if isinstance(after, tuple) else (after,)
    if not befores and not afters:
        raise ConfigurationError("on() needs an event.", hint="Write on(User, before=Save) or on(User, after=Create).")
    if not isinstance(model, type):
        raise ConfigurationError(f"on() needs a model class, not {model!r}.")
    if befores:
        _check("before", befores, order)
    if afters:
        _check("after", afters, order)

    def register(function: F) -> F:
        target: Any = function
        if Load in afters:
            _refuse_async(target)
        declared = [Hook("before", event, order, target) for event in befores]
        declared += [Hook("after", event, order, target) for event in afters]
        _outside.setdefault(model, []).extend(declared)
        _forget(model)
        return function

    return register


def async_validator(*fields: str) -> Callable[[F], F]:
    """Make an async method check fields whenever they changed: on create, on save and in bulk.

    The method takes the value, once for each of the fields that changed. A `ValueError`, an `AssertionError` or a
    `PydanticCustomError` that it raises becomes an entry of Pydantic's `ValidationError`, at the field. All validators
    run, so that the error tells everything at once; what they return does not matter.

    Args:
        fields: The fields to watch.

    Raises:
        ConfigurationError: When no field is given.

    Example:
        >>> @async_validator("email")
        ... async def not_blocked(self, email: str) -> None:
        ...     if await Blocked.exists(email=email):
        ...         raise ValueError("the address is blocked")
    """
    if not fields or not all(isinstance(name, str) for name in fields):
        raise ConfigurationError("async_validator needs the names of fields.")

    def mark(function: F) -> F:
        setattr(_function(function), _VALIDATED, fields)
        return function

    return mark


@contextmanager
def skip_hooks(*events: type[Event]) -> Iterator[None]:
    """Leave hooks out within a block, in this task alone; validators stay.

    Args:
        events: The events whose hooks are left out; none for all.

    Raises:
        ConfigurationError: When something is no event.

    Example:
        >>> with skip_hooks(Save):
        ...     await user.save()
    """
    if events:
        _check("after", events)
    token = _skipped.set((*_skipped.get(), *(events or (Event,))))
    try:
        yield
    finally:
        _skipped.reset(token)


def is_skipped(event: type[Event]) -> bool:
    """Return whether hooks of an event are left out at present."""
    skipped = _skipped.get()
    return bool(skipped) and (Event in skipped or event in skipped)


def hooks_of(model: type) -> Hooks:
    """Return the hooks of a class, its bases' included; collected once.

    Raises:
        ConfigurationError: When a hook of a write by query is no class method, or one for `Load` is async.
    """
    found: Hooks | None = model.__dict__.get("__mongo_hooks__")
    if found is None:
        found = _collect(model)
        model.__mongo_hooks__ = found  # type: ignore[attr-defined]
    return found


def call_hooks(hooks: tuple[Hook, ...], subject: Any) -> None:
    """Call hooks that are plain functions, in their order."""
    for hook in hooks:
        if isinstance(hook.target, str):
            getattr(subject, hook.target)()
        else:
            hook.target(subject)


def _collect(model: type) -> Hooks:
    methods: dict[str, list[Hook]] = {}
    validated: dict[str, AsyncValidator] = {}
    outside: list[Hook] = []
    rules: list[tuple[type, Any]] = []
    for base in reversed(model.__mro__):
        for name, member in vars(base).items():
            marks = getattr(_function(member), _MARK, None)
            if marks:
                _check_kind(model, name, member, marks)
                methods[name] = [Hook(when, event, order, name) for when, event, order in marks]
            fields = getattr(_function(member), _VALIDATED, None)
            if fields:
                validated[name] = AsyncValidator(fields, name)
        outside += _outside.get(base, [])
        rules += [(base, rule) for rule in vars(vars(base).get("Meta", object)).get("validators", ())]
    kept = tuple(check for check in validated.values() if getattr(model, check.target, None) is not None)
    keeps_history = getattr(model, "__mongo_history__", False)
    hooks = Hooks(validators=kept, rules=tuple(dict.fromkeys(rules)), keeps_history=keeps_history)
    declared = [hook for name, marked in methods.items() if getattr(model, name, None) is not None for hook in marked]
    for hook in sorted([*declared, *outside], key=lambda hook: hook.order):
        table = hooks.before if hook.when == "before" else hooks.after
        table[hook.event] = (*table.get(hook.event, ()), hook)
    return hooks


def _check_kind(model: type, name: str, member: Any, marks: list[tuple[When, type[Event], int]]) -> None:
    for _, event, _ in marks:
        if isinstance(member, staticmethod) or event.is_by_query != isinstance(member, classmethod):
            raise ConfigurationError(
                f"{model.__name__}.{name} is a hook for {event.__name__}, so it must "
                f"be {'a class method' if event.is_by_query else 'a plain method'}.",
                hint="A write by query has no object, and every other event has one.",
                model=model.__name__,
            )
        if event is Load:
            _refuse_async(_function(member))


def _marking(when: When, events: tuple[type[Event], ...], order: int) -> Callable[[F], F]:
    _check(when, events, order)

    def mark(function: F) -> F:
        target = _function(function)
        setattr(target, _MARK, [*getattr(target, _MARK, ()), *((when, event, order) for event in events)])
        return function

    return mark


def _check(when: When, events: tuple[Any, ...], order: Any = 0) -> None:
    if isinstance(order, bool) or not isinstance(order, int):
        raise ConfigurationError(f"The order of a hook is a whole number, not {order!r}.")
    for event in events or (None,):
        if not (isinstance(event, type) and issubclass(event, Event) and event is not Event):
            raise ConfigurationError(
                f"{event!r} is no event.",
                hint="Events are: Validate, Save, Create, Update, Delete, Restore, Load, QueryUpdate, QueryDelete.",
            )
        if event is Load and when == "before":
            raise ConfigurationError("There is no object before it is loaded.", hint="Use after(Load).")


def _refuse_async(function: Any) -> None:
    if inspect.iscoroutinefunction(function):
        raise ConfigurationError(
            f"{getattr(function, '__name__', function)!r} is async; a hook for Load is a plain function.",
            hint="Objects are made while a batch is decoded, where nothing can be awaited.",
        )


def _function(member: Any) -> Any:
    return member.__func__ if isinstance(member, classmethod | staticmethod) else member


def _forget(model: type) -> None:
    if "__mongo_hooks__" in model.__dict__:
        model.__mongo_hooks__ = None  # type: ignore[attr-defined]
    children: list[type] = type.__subclasses__(model)
    for child in children:
        _forget(child)
