"""Accumulators: what is calculated of the documents of a group, or of a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .nodes import as_condition


@dataclass(frozen=True, slots=True)
class Accumulator:
    """A figure of many documents; made by `count()`, `sum_("price")` and their like.

    Attributes:
        operator: MongoDB's name of it.
        operand: What it works on, under the model's names.
        window: Which documents around each one count, in `set_window`.
    """

    operator: str
    operand: Any
    window: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return it as MongoDB writes it, under the model's names."""
        made: dict[str, Any] = {self.operator: self.operand}
        return {**made, "window": dict(self.window)} if self.window else made

    def over(
        self,
        *,
        documents: tuple[int | str, int | str] | None = None,
        range: tuple[Any, Any] | None = None,  # noqa: A002
        unit: str | None = None,
    ) -> Accumulator:
        """Return the accumulator over a window around each document, for `set_window`.

        Args:
            documents: From and to which document, counted from the current one: a number, `"current"` or
                `"unbounded"`. `("unbounded", "current")` makes a running total, `(-6, 0)` takes seven.
            range: From and to which value of the sort field, counted from the current one.
            unit: The unit of `range` when that field is a date: `"day"`, `"hour"`, ....

        Raises:
            ValueError: Unless exactly one of documents and range is given.
        """
        if (documents is None) == (range is None):
            raise ValueError("A window is over documents or over a range.")
        bounds = {"documents": list(documents)} if documents is not None else {"range": list(range or ())}
        return Accumulator(self.operator, self.operand, {**bounds, **({"unit": unit} if unit else {})})


def value_of(value: Any) -> Any:
    """Return what an accumulator is given as an expression: a plain string is the name of a field."""
    if isinstance(value, str) and not value.startswith("$"):
        return f"${value}"
    return value


def _where(value: Any, where: Any, otherwise: Any) -> Any:
    if where is None:
        return value
    is_expression = isinstance(where, Mapping) and any(str(key).startswith("$") for key in where)
    return {"$cond": [where if is_expression else as_condition(where), value, otherwise]}


def count(where: Any = None) -> Accumulator:
    """Count the documents, or those that fulfil a condition.

    Args:
        where: `User.f.age >= 18`, `Q(city="Oslo")`, a combination of them, or an expression as MongoDB writes it.

    Example:
        >>> User.pipeline().group(by="city", n=count(), adults=count(User.f.age >= 18))
    """
    return Accumulator("$sum", _where(1, where, 0))


def sum_(value: Any, *, where: Any = None) -> Accumulator:
    """Add up a field or an expression, of the documents that fulfil a condition when one is given."""
    return Accumulator("$sum", _where(value_of(value), where, 0))


def avg(value: Any, *, where: Any = None) -> Accumulator:
    """Take the average of a field or an expression; None when there are no numbers."""
    return Accumulator("$avg", _where(value_of(value), where, None))


def min_(value: Any, *, where: Any = None) -> Accumulator:
    """Take the least value; null and missing ones do not count."""
    return Accumulator("$min", _where(value_of(value), where, None))


def max_(value: Any, *, where: Any = None) -> Accumulator:
    """Take the greatest value; null and missing ones do not count."""
    return Accumulator("$max", _where(value_of(value), where, None))


def first(value: Any) -> Accumulator:
    """Take the value of the first document; sort before."""
    return Accumulator("$first", value_of(value))


def last(value: Any) -> Accumulator:
    """Take the value of the last document; sort before."""
    return Accumulator("$last", value_of(value))


def push(value: Any) -> Accumulator:
    """Collect the values into a list, in the order of the documents; `"$$ROOT"` collects the documents."""
    return Accumulator("$push", value_of(value))


def add_to_set(value: Any) -> Accumulator:
    """Collect the distinct values into a list, in no particular order."""
    return Accumulator("$addToSet", value_of(value))


def merge_objects(value: Any) -> Accumulator:
    """Merge embedded documents into one; later ones win."""
    return Accumulator("$mergeObjects", value_of(value))


def std_dev(value: Any) -> Accumulator:
    """Take the standard deviation of the whole population."""
    return Accumulator("$stdDevPop", value_of(value))


def std_dev_sample(value: Any) -> Accumulator:
    """Take the standard deviation that a sample suggests; None for a single value."""
    return Accumulator("$stdDevSamp", value_of(value))


def first_n(value: Any, n: int) -> Accumulator:
    """Take the values of the first `n` documents."""
    return Accumulator("$firstN", {"input": value_of(value), "n": n})


def last_n(value: Any, n: int) -> Accumulator:
    """Take the values of the last `n` documents."""
    return Accumulator("$lastN", {"input": value_of(value), "n": n})


def min_n(value: Any, n: int) -> Accumulator:
    """Take the `n` least values."""
    return Accumulator("$minN", {"input": value_of(value), "n": n})


def max_n(value: Any, n: int) -> Accumulator:
    """Take the `n` greatest values."""
    return Accumulator("$maxN", {"input": value_of(value), "n": n})


def top(value: Any, sort_by: Any) -> Accumulator:
    """Take the value of the document that comes first in an order.

    Example:
        >>> User.pipeline().group(by="city", youngest=top("username", sort_by="age"))
    """
    return Accumulator("$top", {"sortBy": sort_by, "output": value_of(value)})


def bottom(value: Any, sort_by: Any) -> Accumulator:
    """Take the value of the document that comes last in an order."""
    return Accumulator("$bottom", {"sortBy": sort_by, "output": value_of(value)})


def top_n(value: Any, n: int, sort_by: Any) -> Accumulator:
    """Take the values of the `n` documents that come first in an order."""
    return Accumulator("$topN", {"n": n, "sortBy": sort_by, "output": value_of(value)})


def bottom_n(value: Any, n: int, sort_by: Any) -> Accumulator:
    """Take the values of the `n` documents that come last in an order."""
    return Accumulator("$bottomN", {"n": n, "sortBy": sort_by, "output": value_of(value)})


def rank() -> Accumulator:
    """Give each document its place in the order, equal ones the same and gaps after them; for `set_window`."""
    return Accumulator("$rank", {})


def dense_rank() -> Accumulator:
    """Give each document its place in the order, equal ones the same and no gaps; for `set_window`."""
    return Accumulator("$denseRank", {})


def document_number() -> Accumulator:
    """Number the documents in their order; for `set_window`."""
    return Accumulator("$documentNumber", {})


def shift(value: Any, by: int, *, default: Any = None) -> Accumulator:
    """Take the value of a neighbour in the order: `by=-1` the one before, `by=1` the one after; for `set_window`."""
    return Accumulator("$shift", {"output": value_of(value), "by": by, "default": default})


def derivative(value: Any, *, unit: str | None = None) -> Accumulator:
    """Take the change per unit of the sort field, from the window's first document to its last; for `set_window`."""
    return Accumulator("$derivative", {"input": value_of(value), **({"unit": unit} if unit else {})})


def integral(value: Any, *, unit: str | None = None) -> Accumulator:
    """Take the area below the curve over the sort field; for `set_window`."""
    return Accumulator("$integral", {"input": value_of(value), **({"unit": unit} if unit else {})})


def exp_moving_avg(value: Any, *, n: int | None = None, alpha: float | None = None) -> Accumulator:
    """Take the exponential moving average over `n` documents, or with a decay `alpha`; for `set_window`."""
    if (n is None) == (alpha is None):
        raise ValueError("exp_moving_avg takes n or alpha.")
    weight = {"N": n} if n is not None else {"alpha": alpha}
    return Accumulator("$expMovingAvg", {"input": value_of(value), **weight})


def covariance(left: Any, right: Any, *, sample: bool = False) -> Accumulator:
    """Take the covariance of two values, of the population or as a sample suggests; for `set_window`."""
    return Accumulator("$covarianceSamp" if sample else "$covariancePop", [value_of(left), value_of(right)])


def locf(value: Any) -> Accumulator:
    """Carry the last value forward over null and missing ones; for `set_window`."""
    return Accumulator("$locf", value_of(value))


def linear_fill(value: Any) -> Accumulator:
    """Fill null and missing values by the line between their neighbours; for `set_window`."""
    return Accumulator("$linearFill", value_of(value))
