"""Search criteria: what a search may ask for, as a Pydantic model whose empty fields ask for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pydantic
from pydantic import ConfigDict
from pydantic.fields import FieldInfo

from ..compiler.filters import compile_filter, compile_filter_on, merge
from ..compiler.keywords import is_lookup, split_keyword
from ..compiler.names import Scope
from ..exceptions import InvalidValueError, QueryError, UnknownFieldError, UnknownLookupError
from ..expressions import (
    EVERYTHING,
    And,
    Calculated,
    Combinable,
    Compare,
    Condition,
    Expression,
    FieldPath,
    Keywords,
    Or,
    Raw,
    path_text,
)
from ..schema import ANY, MappedModel, markers_of, spec_of

_LISTS = (list, tuple, set, frozenset)
_COMPARISONS = ("eq", "ne", "gt", "gte", "lt", "lte")

_searched: ContextVar[type[MappedModel] | None] = ContextVar("mongodb_orm_searched", default=None)
"""The model that is being searched, while criteria make their own filter."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Says which field of the model a criterion is about, and how it is compared.

    Attributes:
        field: The model's field, dotted for nested ones, or `Model.f.name`; or a calculation, which is compared by
            `eq`, `ne`, `gt`, `gte`, `lt` or `lte`.
        op: The name of a lookup, as in `Model.filter`; besides `not_null`, whose value True means neither null nor
            missing.

    Example:
        >>> types: Annotated[list[InfractionType] | None, Lookup("type", "in")] = None
        >>> expires_before: Annotated[
        ...     datetime | None, Lookup(Infraction.f.created_at + field(Infraction.f.duration), "lt")
        ... ] = None
    """

    field: str | Any
    op: str = "eq"


class _Joinable(Combinable):
    """What can be joined with other criteria and with conditions."""

    __slots__ = ()

    def __and__(self, other: CriteriaLike) -> Combination:
        return Combination("and", (self, other))

    def __or__(self, other: CriteriaLike) -> Combination:
        return Combination("or", (self, other))

    def __rand__(self, other: CriteriaLike) -> Combination:
        return Combination("and", (other, self))

    def __ror__(self, other: CriteriaLike) -> Combination:
        return Combination("or", (other, self))


class Criteria(_Joinable, pydantic.BaseModel):
    """The ground of search criteria: each field that is not None is one condition, and all of them hold.

    A field is about the model's field of its name, and means equality, or membership where its value is a list; its
    name may end in a lookup (`created_at__gte`), and a `Lookup` in its annotation says both. An empty list in an `in`
    adds no condition. Unknown fields are refused.

    Example:
        >>> class UserCriteria(Criteria):
        ...     city: str | None = None
        ...     created_at__gte: datetime | None = None
        ...     states: Annotated[list[State] | None, Lookup("state", "in")] = None
        >>> await users.find(UserCriteria(city="Oslo") & UserCriteria(states=[State.NEW]))
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        validate_assignment=True,
        validate_by_name=True,
        validate_by_alias=True,
        arbitrary_types_allowed=True,
    )

    def to_filter(self) -> dict[str, Any]:
        """Return the criteria as a query document under the model's names; override it for what fields cannot say.

        In a class that overrides it, a field that the model has not is the class's own affair.

        Example:
            >>> def to_filter(self) -> dict[str, Any]:
            ...     return {**super().to_filter(), "$or": [{"name": self.text}, {"email": self.text}]}
        """
        conditions = self._conditions(None)
        plain = And(tuple(one for one in conditions if not isinstance(one, Calculated)))
        made = compile_filter_on(Scope(ANY, name=type(self).__name__), plain)
        calculated = And(tuple(one for one in conditions if isinstance(one, Calculated)))
        return merge([made, self._calculation(calculated)]) if calculated.parts else made

    def _conditions(self, model: type[MappedModel] | None) -> list[Condition]:
        conditions: list[Condition] = []
        for name, info in type(self).__pydantic_fields__.items():
            value = getattr(self, name)
            if value is None or (model is None and _is_own_affair(name, info)):
                continue
            mark = _mark_of(info)
            operator = mark.op if mark is not None else _operator_of(model, name, value)
            if not value and isinstance(value, _LISTS) and operator == "in":
                continue
            if mark is not None:
                conditions.append(self._compared(name, mark, value, model))
            elif operator == "in" and not name.endswith("__in"):
                conditions.append(Keywords(((f"{name}__in", value),)))
            else:
                conditions.append(Keywords(((name, value),)))
        return conditions

    def _calculation(self, calculated: Condition) -> dict[str, Any]:
        model = _searched.get()
        if model is None:  # whose fields say whether a number is a duration
            raise QueryError(
                f"A calculation in {type(self).__name__} has a meaning only for a model.",
                hint="Pass the criteria to a repository.",
            )
        return compile_filter(spec_of(model), calculated).filter

    def _compared(self, name: str, mark: Lookup, value: Any, model: type[MappedModel] | None) -> Condition:
        if not isinstance(mark.field, Expression) or isinstance(mark.field, FieldPath):
            return Compare(_path(path_text(mark.field), model), mark.op, value)
        if mark.op not in _COMPARISONS:
            raise UnknownLookupError(type(self).__name__, name, mark.op, _COMPARISONS)
        return Calculated(mark.op, mark.field, value)


@dataclass(frozen=True, slots=True)
class Combination(_Joinable):
    """Criteria joined by `&` or `|`."""

    operator: Literal["and", "or"]
    parts: tuple[Any, ...]


CriteriaLike = Criteria | Combination | Condition
"""What a repository searches by: criteria, joined ones, or a condition such as `Q(city="Oslo")`."""


def condition_of(criteria: CriteriaLike | None, model: type[MappedModel]) -> Condition:
    """Return the condition that criteria mean for a model.

    Raises:
        QueryError: When they name what the model has not.
        InvalidValueError: When they are no criteria.
    """
    if criteria is None:
        return EVERYTHING
    if isinstance(criteria, Condition):
        return criteria
    if isinstance(criteria, Combination):
        parts = tuple(condition_of(part, model) for part in criteria.parts)
        return And(parts) if criteria.operator == "and" else Or(parts)
    if not isinstance(criteria, Criteria):
        raise InvalidValueError(
            f"A repository searches by criteria, not by a {type(criteria).__name__}.",
            hint='Derive a class from Criteria, or write a condition such as Q(city="Oslo") or Q({"city": "Oslo"}).',
            model=model.__name__,
        )
    if type(criteria).to_filter is Criteria.to_filter:
        return And(tuple(criteria._conditions(model)))
    token = _searched.set(model)
    try:
        made: Any = criteria.to_filter()
    finally:
        _searched.reset(token)
    if isinstance(made, Condition):
        return made
    if not isinstance(made, Mapping):
        raise InvalidValueError(
            f"{type(criteria).__name__}.to_filter returned a {type(made).__name__}.",
            hint="Return a query document, as a dict.",
            model=model.__name__,
        )
    return Raw(made)


def _mark_of(info: FieldInfo) -> Lookup | None:
    return next((item for item in markers_of(info) if isinstance(item, Lookup)), None)


def _is_own_affair(name: str, info: FieldInfo) -> bool:
    """Return whether a field of criteria that make their own filter is none of the model's."""
    model = _searched.get()
    if model is None or _mark_of(info) is not None:
        return False
    try:
        split_keyword(spec_of(model), name)
    except (UnknownFieldError, UnknownLookupError):
        return True
    return False


def _operator_of(model: type[MappedModel] | None, name: str, value: Any) -> str:
    """Return the lookup that a criterion's name means: what it ends in, else equality, or membership of a list."""
    field, _, last = name.rpartition("__")
    if model is not None:
        lookup = split_keyword(spec_of(model), name)[1]
    else:
        lookup = last if field and is_lookup(last) else "eq"
    is_plain = lookup == "eq" and last not in ("eq", "exact")
    return "in" if is_plain and isinstance(value, _LISTS) else lookup


def _path(field: str, model: type[MappedModel] | None) -> tuple[str, ...]:
    if model is not None and field in spec_of(model).fields:
        return (field,)
    return tuple(field.replace("__", ".").split("."))
