"""The stages of a builder that make one document of many: groups, buckets, counts, windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from ..compiler.inference import shape_of_expression
from ..exceptions import InvalidValueError
from ..expressions import Accumulator, Condition, Expression, FieldPath, value_of
from .shaping import Shaping


@dataclass(frozen=True, slots=True, repr=False)
class Grouping(Shaping):
    """The part of a builder that groups."""

    def group(self, *output: Mapping[str, Any], by: Any = None, **accumulators: Any) -> Self:
        """Make one row of each group of documents, with what they have in common and what is accumulated.

        A row has the fields of `by` under their own names (of a path the last one), and the accumulators; there is no
        `_id`.

        Args:
            output: Mappings of names to accumulators, for names that are no keywords.
            by: A field, a list of fields, or a mapping of new names to fields and expressions; None puts all documents
                into one group, and gives no row when there are none.
            accumulators: `count()`, `sum_("price")`, `max_(User.f.age)`, ..., or MongoDB's mapping.

        Raises:
            UnknownFieldError: When a field does not exist.

        Example:
            >>> rows = await User.pipeline().group(by="city", n=count(), oldest=max_("age")).sort("-n")
            >>> rows = await Order.pipeline().group(by={"year": {"$year": "$created_at"}}, total=sum_("amount"))
        """
        keys = self._keys(by)
        figures = {str(name): value for mapping in output for name, value in mapping.items()} | accumulators
        self._refuse_clash(keys, figures)
        if not keys and not figures:
            raise InvalidValueError("A group of all documents needs an accumulator.", model=self.model.__name__)
        names = list(keys)
        if len(names) == 1:
            key: Any = keys[names[0]]
            places = {names[0]: "$_id"}
        else:
            key = {name: self._present(value) for name, value in keys.items()} or None
            places = {name: f"$_id.{name}" for name in names}
        return self.then(
            {"$group": {"_id": key, **figures}},
            {"$project": {"_id": 0, **places, **{name: f"${name}" for name in figures}}},
            label="group()",
        )

    def bucket(
        self, by: Any, boundaries: Sequence[Any], *, default: Any = None, name: str | None = None, **accumulators: Any
    ) -> Self:
        """Make one row of each range of values: the range's lower bound under the field's name, and accumulators.

        Args:
            by: A field or an expression.
            boundaries: The bounds, ascending: each range has its lower bound and not its upper one.
            default: The name of the row for what is in no range; without one such documents are an error.
            name: What the lower bound is called, when it is not the field's name.
            accumulators: As in `group`; the number of documents, as `count`, when there are none.
        """
        if not isinstance(boundaries, list | tuple) or len(boundaries) < 2:
            raise InvalidValueError(
                f"boundaries are a list of at least two values, not {boundaries!r}.", model=self.model.__name__
            )
        body: dict[str, Any] = {"boundaries": list(boundaries)}
        if default is not None:
            body["default"] = default
        return self._ranges("$bucket", by, body, name, accumulators)

    def bucket_auto(
        self, by: Any, buckets: int, *, granularity: str | None = None, name: str | None = None, **accumulators: Any
    ) -> Self:
        """Make so many ranges with about as many documents each: `{"min": ..., "max": ...}` under the field's name.

        Args:
            by: A field or an expression.
            buckets: How many ranges.
            granularity: A series of preferred numbers for the bounds, such as `"R5"` or `"1-2-5"`.
            name: What the range is called, when it is not the field's name.
            accumulators: As in `bucket`.
        """
        body: dict[str, Any] = {"buckets": self.number("buckets", buckets, least=1)}
        if granularity is not None:
            body["granularity"] = granularity
        return self._ranges("$bucketAuto", by, body, name, accumulators)

    def count(self, name: str = "count") -> Self:
        """Make one row with the number of documents; none when there are none."""
        self.refuse_names([name])
        return self.then({"$count": name})

    def sort_by_count(self, by: Any, *, name: str | None = None) -> Self:
        """Make one row of each distinct value with its `count`, the most frequent first."""
        key = self._single_key(by, name)
        return self.then({"$sortByCount": key[1]}, {"$project": {"_id": 0, key[0]: "$_id", "count": "$count"}})

    def facet(self, **branches: Any) -> Self:
        """Run several pipelines on the same documents; one row has the list of each one's results.

        Args:
            branches: Builders of the same model, or functions that are given the builder at this point.

        Example:
            >>> (row,) = await User.pipeline().facet(
            ...     oldest=User.pipeline().sort("-age").limit(3), cities=lambda users: users.sort_by_count("city")
            ... )
        """
        if not branches:
            raise InvalidValueError("A facet has at least one branch.", model=self.model.__name__)
        return self.then({"$facet": {name: self._branch(branch) for name, branch in branches.items()}})

    def set_window(
        self, *output: Mapping[str, Any], partition_by: Any = None, sort_by: Any = None, **fields: Any
    ) -> Self:
        """Add fields that are calculated of the documents around each one, and keep every document.

        Args:
            output: Mappings of names to accumulators, for names that are no keywords.
            partition_by: A field or an expression: windows end where it changes.
            sort_by: The order of the documents in a window.
            fields: `rank()`, `shift("price", by=-1)`, or an accumulator `.over(documents=("unbounded", "current"))`.

        Example:
            >>> Sale.pipeline().set_window(
            ...     partition_by="shop", sort_by="day", total=sum_("amount").over(documents=("unbounded", "current"))
            ... )
        """
        figures = {str(name): value for mapping in output for name, value in mapping.items()} | fields
        self._refuse_clash({}, figures, with_dots=True)
        body: dict[str, Any] = {}
        if partition_by is not None:
            body["partitionBy"] = value_of(partition_by)
        if sort_by is not None:
            body["sortBy"] = sort_by
        return self.then({"$setWindowFields": {**body, "output": figures}})

    def densify(
        self,
        field: Any,
        *,
        step: float,
        unit: str | None = None,
        bounds: Any = "full",
        partition_by: Sequence[Any] = (),
    ) -> Self:
        """Add documents where a field leaves gaps; they have that field and those of `partition_by` only.

        Args:
            field: A number or a date.
            step: The distance between two values.
            unit: The unit of `step` for dates: `"day"`, `"hour"`, ....
            bounds: From where to where: `"full"`, `"partition"`, or a pair of values.
            partition_by: Fields: each combination of their values is filled for itself.
        """
        if isinstance(step, bool) or not isinstance(step, int | float) or step <= 0:
            raise InvalidValueError(f"step is a number above 0, not {step!r}.", model=self.model.__name__, field="step")
        span: dict[str, Any] = {"step": step, "bounds": list(bounds) if isinstance(bounds, tuple) else bounds}
        if unit is not None:
            span["unit"] = unit
        body: dict[str, Any] = {"field": _name(field), "range": span}
        if partition_by:
            body["partitionByFields"] = _names(partition_by)
        return self.then({"$densify": body})

    def fill(
        self, *output: Mapping[str, Any], partition_by: Sequence[Any] = (), sort_by: Any = None, **fields: Any
    ) -> Self:
        """Give null and missing fields a value.

        Args:
            output: Mappings of names to values, for names that are no keywords.
            partition_by: Fields: each combination of their values is filled for itself.
            sort_by: The order of the documents, for the methods.
            fields: `"locf"` carries the last value forward, `"linear"` draws a line; anything else is the value
                itself, and `{"value": "linear"}` that word.
        """
        figures = {str(name): value for mapping in output for name, value in mapping.items()} | fields
        if not figures:
            raise InvalidValueError("fill takes at least one field.", model=self.model.__name__)
        body: dict[str, Any] = {"output": {name: _filling(value) for name, value in figures.items()}}
        if partition_by:
            body["partitionByFields"] = _names(partition_by)
        if sort_by is not None:
            body["sortBy"] = sort_by
        return self.then({"$fill": body})

    def _ranges(self, stage: str, by: Any, body: dict[str, Any], name: str | None, figures: dict[str, Any]) -> Self:
        key, value = self._single_key(by, name)
        self._refuse_clash({key: value}, figures)
        names = list(figures) or ["count"]
        output = {"output": figures} if figures else {}
        return self.then(
            {stage: {"groupBy": value, **body, **output}},
            {"$project": {"_id": 0, key: "$_id", **{figure: f"${figure}" for figure in names}}},
            label="bucket()",
        )

    def _keys(self, by: Any) -> dict[str, Any]:
        if by is None:
            return {}
        if isinstance(by, Mapping) and not any(str(name).startswith("$") for name in by):
            return {str(name): value_of(value) for name, value in by.items()}
        parts = by if isinstance(by, list | tuple) else [by]
        keys: dict[str, Any] = {}
        for part in parts:
            name, value = self._single_key(part, None)
            if name in keys:
                raise InvalidValueError(
                    f"Two fields of the group are called {name!r}.",
                    hint='Name them: by={"home_city": "home.city", "work_city": "work.city"}.',
                    model=self.model.__name__,
                    field=name,
                )
            keys[name] = value
        return keys

    def _single_key(self, by: Any, name: str | None) -> tuple[str, Any]:
        if isinstance(by, FieldPath | str):
            value = value_of(by)
            text = (value if isinstance(value, str) else str(value)).lstrip("$")
            is_field = self.scope().is_own(text)
            return name or (text if is_field else text.replace("__", ".").rpartition(".")[2]), value
        if not isinstance(by, Mapping | Expression | Condition):
            raise InvalidValueError(f"{by!r} is no field and no expression.", model=self.model.__name__, value=by)
        return name or "key", by

    def _present(self, value: Any) -> Any:
        """Return a part of a compound key so that null and missing fall together, as they do for a single key."""
        shape = shape_of_expression(replace(self.scope(), is_strict=False), value)
        is_sure = shape is not None and shape.kind == "scalar" and not shape.optional
        return value if is_sure else {"$ifNull": [value, None]}

    def _branch(self, branch: Any) -> Any:
        if isinstance(branch, Shaping):
            return branch.pipeline
        if callable(branch):
            start = replace(self, lead=None)
            made = branch(start)
            if isinstance(made, Shaping) and made.pipeline[: len(self.pipeline)] == self.pipeline:
                return made.pipeline[len(self.pipeline) :]
        if isinstance(branch, list | tuple):
            return branch
        raise InvalidValueError(
            f"{branch!r} is no branch of a facet.",
            hint="Give a builder, a function that returns one, or a list of stages.",
            model=self.model.__name__,
        )

    def _refuse_clash(self, keys: Mapping[str, Any], figures: Mapping[str, Any], *, with_dots: bool = False) -> None:
        self.refuse_names([*keys, *figures], with_dots=with_dots)
        for name, value in figures.items():
            if name in keys or name == "_id":
                raise InvalidValueError(f"{name!r} is the name of what is grouped by.", field=name)
            if not isinstance(value, Accumulator | Mapping):
                raise InvalidValueError(
                    f"{name}={value!r} is no accumulator.",
                    hint='Use count(), sum_("price"), ... or a mapping as MongoDB writes it.',
                    model=self.model.__name__,
                    field=name,
                    value=value,
                )


def _name(field: Any) -> str:
    return str(field)


def _names(fields: Any) -> list[str]:
    return [str(field) for field in ([fields] if isinstance(fields, str | FieldPath) else fields)]


def _filling(value: Any) -> Any:
    if isinstance(value, Mapping) and value.keys() <= {"value", "method"}:
        return value
    return {"method": value} if isinstance(value, str) and value in ("linear", "locf") else {"value": value}
