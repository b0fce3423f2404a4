"""Calculations with fields, and conditions on their results, which the server evaluates by `$expr`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .nodes import Condition


class Expression:
    """Something that the server calculates for each document; operators make further ones, comparisons conditions.

    Example:
        >>> User.filter(expr(User.f.price * User.f.quantity > 100))
    """

    __slots__ = ()

    def __add__(self, other: Any) -> Expression:
        return Operation("add", (self, other))

    def __radd__(self, other: Any) -> Expression:
        return Operation("add", (other, self))

    def __sub__(self, other: Any) -> Expression:
        return Operation("subtract", (self, other))

    def __rsub__(self, other: Any) -> Expression:
        return Operation("subtract", (other, self))

    def __mul__(self, other: Any) -> Expression:
        return Operation("multiply", (self, other))

    def __rmul__(self, other: Any) -> Expression:
        return Operation("multiply", (other, self))

    def __truediv__(self, other: Any) -> Expression:
        return Operation("divide", (self, other))

    def __rtruediv__(self, other: Any) -> Expression:
        return Operation("divide", (other, self))

    def __mod__(self, other: Any) -> Expression:
        return Operation("mod", (self, other))

    def __rmod__(self, other: Any) -> Expression:
        return Operation("mod", (other, self))

    def __pow__(self, other: Any) -> Expression:
        return Operation("pow", (self, other))

    def __neg__(self) -> Expression:
        return Operation("negate", (self,))

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return Operation("abs", (self,))

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return Calculated("eq", self, other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return Calculated("ne", self, other)

    def __gt__(self, other: Any) -> Condition:
        return Calculated("gt", self, other)

    def __ge__(self, other: Any) -> Condition:
        return Calculated("gte", self, other)

    def __lt__(self, other: Any) -> Condition:
        return Calculated("lt", self, other)

    def __le__(self, other: Any) -> Condition:
        return Calculated("lte", self, other)


@dataclass(frozen=True, slots=True, eq=False)
class Operation(Expression):
    """An operator and what it works on: expressions and plain values."""

    operator: str
    operands: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Calculated(Condition):
    """Two expressions compared, or an expression and a plain value."""

    operator: str
    left: Any
    right: Any
