"""Conditions as frozen values: what the caller means, before anybody knows stored names or a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

Path = tuple[str, ...]


class Combinable:
    """Something that is no condition by itself, and says how it is joined with one."""

    __slots__ = ()


class Condition:
    """Something that a document fulfils or not; combined with `&`, `|` and `~`.

    Example:
        >>> Q(city="Oslo") | ~Q(age__lt=18)
    """

    __slots__ = ()

    def __and__(self, other: Condition | Mapping[str, Any]) -> Condition:
        if isinstance(other, Combinable):
            return NotImplemented
        return _joined(And, self, as_condition(other))

    def __or__(self, other: Condition | Mapping[str, Any]) -> Condition:
        if isinstance(other, Combinable):
            return NotImplemented
        return _joined(Or, self, as_condition(other))

    def __rand__(self, other: Mapping[str, Any]) -> Condition:
        return as_condition(other) & self

    def __ror__(self, other: Mapping[str, Any]) -> Condition:
        return as_condition(other) | self

    def __invert__(self) -> Condition:
        if _is_empty(self):
            return self
        return self.part if isinstance(self, Not) else Not(self)

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "A condition has no truth value: it is decided by the server. Combine conditions with & | ~, each in "
            "parentheses, instead of `and`, `or`, `not`, and write a range as two conditions."
        )


@dataclass(frozen=True, slots=True, eq=True)
class Compare(Condition):
    """One field compared with one value by a named lookup."""

    path: Path
    lookup: str
    value: Any

    def __post_init__(self) -> None:
        if hasattr(self.value, "__next__"):
            object.__setattr__(self, "value", _kept(self.value))


@dataclass(frozen=True, slots=True)
class Keywords(Condition):
    """Keyword lookups as written (`age__gte=18`), all of which must hold; the compiler takes the names apart."""

    lookups: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Raw(Condition):
    """A query document written on purpose, under the model's names."""

    filter: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class And(Condition):
    """Every part holds; no parts: everything."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or(Condition):
    """At least one part holds; no parts: nothing."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The part does not hold."""

    part: Condition


EVERYTHING = And(())


def _is_empty(condition: Condition) -> bool:
    return isinstance(condition, And) and not condition.parts


def _joined(kind: type[And] | type[Or], left: Condition, right: Condition) -> Condition:
    """Return two conditions as one: an empty one says nothing, and those of the same kind stay one level deep."""
    if _is_empty(left):
        return right
    if _is_empty(right):
        return left
    return kind((*_parts(kind, left), *_parts(kind, right)))


def _parts(kind: type[And] | type[Or], condition: Condition) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, kind) else (condition,)


def as_condition(value: Any) -> Condition:
    """Return `value` as a condition: itself, or a raw query document.

    Raises:
        TypeError: When it is neither.
    """
    if isinstance(value, Condition):
        return value
    if isinstance(value, Mapping):
        return Raw(value)
    raise TypeError(
        f"A condition is a Q object, an expression such as User.f.age >= 18, or a mapping; not {type(value).__name__}. "
        "One document is read by its id with get_by_id()."
    )


def join(*conditions: Any, **lookups: Any) -> Condition:
    """Return one condition that holds when all of the given ones do."""
    parts = [as_condition(condition) for condition in conditions]
    if lookups:
        parts.append(Keywords(tuple((name, _kept(value)) for name, value in lookups.items())))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _kept(value: Any) -> Any:
    """Return what an iterator yields, since a query is compiled as often as it is used; other values as they are."""
    return tuple(value) if hasattr(value, "__next__") else value


class Q:
    """Build a condition from keyword lookups and other conditions, all of which must hold.

    An empty `Q()` says nothing: `&`, `|` and `~` pass over it, so it is what a loop begins with.

    Example:
        >>> User.filter(Q(city="Oslo") | Q(city="Rome"))
    """

    def __new__(cls, /, *conditions: Any, **lookups: Any) -> Condition:  # type: ignore[misc]
        """Return the condition; `Q` itself has no instances.

        Args:
            conditions: Conditions or raw query documents.
            lookups: Keyword lookups, as in `Model.filter`; here no name is an option, so `Q(limit=5)` is a field.
        """
        return join(*conditions, **lookups)
