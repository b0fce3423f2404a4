"""A query as a frozen value, and the commands that it compiles to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Generic, Self, TypeVar

from ..commands import Aggregate, Count, Find
from ..compiler.filters import NOTHING, compile_filter
from ..compiler.places import near_stages
from ..compiler.scopes import Visibility, visible
from ..compiler.shell import aggregate_text, find_text, hidden
from ..compiler.windows import as_aggregate, find_stages, window_stages
from ..exceptions import InvalidValueError, MongoDBORMError
from ..expressions import EVERYTHING, Condition
from ..schema import MappedModel, spec_of
from ..types import Sort
from .results import Objects, Results, is_sorted_by_summary, joins_of

M = TypeVar("M", bound=MappedModel)

STREAM_BATCH = 1000
"""Documents per batch of a streamed query; larger ones would hold nearly the whole result in memory."""

_FIRST_BATCH = 101  # what the server sends first when nobody says otherwise


@dataclass(frozen=True, slots=True, repr=False)
class QueryState(Generic[M]):
    """What a query says: a model, conditions, an order, a window, the kind of result and options."""

    model: type[M]
    condition: Condition = EVERYTHING
    sort: Sort = ()
    skipped: int = 0
    limited: int = 0
    kind: Results | None = None
    visibility: Visibility = "active"
    is_scoped: bool = True
    is_empty: bool = False
    batch: int = 0
    index_hint: str | None = None
    note: Any = None
    deadline_ms: int | None = None
    rules: Mapping[str, Any] | None = None
    read_from: str | None = None
    database: str | None = None
    disk_use: bool | None = None
    javascript: bool = False

    def but(self, **changes: Any) -> Self:
        """Return the query with some attributes changed; `dataclasses.replace` takes four times as long."""
        query = object.__new__(type(self))
        for name, value in zip(_NAMES, _values_of(self), strict=True):
            _set(query, name, changes.get(name, value))
        return query

    @property
    def results(self) -> Results:
        """The kind of result: whole objects unless something else was asked for."""
        return self.kind or Objects(self.model)

    def filter_document(self) -> dict[str, Any]:
        """Return the query document as it is sent."""
        spec = spec_of(self.model)
        compiled = compile_filter(spec, self.condition, allow_javascript=self.javascript)
        return visible(spec, compiled, self.visibility, is_scoped=self.is_scoped)

    def stages(self) -> list[Mapping[str, Any]]:
        """Return the query as the first stages of a pipeline, under stored names."""
        match = near_stages(dict(NOTHING) if self.is_empty else self.filter_document())
        joins = joins_of(self.kind, self.sort) if is_sorted_by_summary(self.sort) else ()
        return [*match, *window_stages(self.sort, self.skipped, self.limited, joins)]

    def mql(self) -> str:
        """Return the command as one would type it in mongosh.

        Example:
            >>> print(User.filter(age__gte=18).order_by("-id").limit(5).mql())
            db.user.find({age: {$gte: 18}}).sort({_id: -1}).limit(5)
        """
        return self._text(dict)

    def _text(self, shown: Callable[[Mapping[str, Any]], dict[str, Any]]) -> str:
        command = self.read_command()
        if isinstance(command, Aggregate):
            return aggregate_text(spec_of(self.model).collection, [shown(stage) for stage in command.pipeline])
        steps = {
            "sort": dict(command.sort),
            "skip": command.skip,
            "limit": command.limit,
            "hint": command.hint,
            "collation": command.collation,
            "maxTimeMS": command.max_time_ms,
            "comment": command.comment,
            "readPref": command.read_preference,
            "allowDiskUse": command.allow_disk_use,
        }
        given = {name: value for name, value in steps.items() if value}
        return find_text(spec_of(self.model).collection, shown(command.filter), command.projection, given)

    def __str__(self) -> str:
        """Return the command as `mql` does, secrets hidden."""
        return self._text(hidden)

    def __repr__(self) -> str:
        """Return the command, secrets hidden, or what kind of error it makes: a `repr` never fails."""
        try:
            return f"<{type(self).__name__} {self}>"
        except (MongoDBORMError, ValueError, TypeError, OverflowError, RecursionError) as error:
            return f"<{type(self).__name__} of {self.model.__name__}: {type(error).__name__}>"

    def find_command(self, *, batch_size: int = 0) -> Find:
        """Return the command that reads the results."""
        if _FIRST_BATCH < self.limited <= STREAM_BATCH:
            batch_size = self.limited
        return Find(
            filter=dict(NOTHING) if self.is_empty else self.filter_document(),
            projection=None if self.kind is None else self.kind.projection,
            sort=self.sort,
            skip=self.skipped,
            limit=self.limited,
            batch_size=self.batch or batch_size,
            hint=self.index_hint,
            comment=self.note,
            max_time_ms=self.deadline_ms,
            collation=self.rules,
            read_preference=self.read_from,
            allow_disk_use=self.disk_use,
        )

    def read_command(self, *, batch_size: int = 0) -> Find | Aggregate:
        """Return the command that reads the results: a find, unless they refer to other collections."""
        find, joins = self.find_command(batch_size=batch_size), joins_of(self.kind, self.sort)
        return as_aggregate(find, find_stages(find, joins)) if joins else find

    def count_command(self) -> Count:
        """Return the command that counts the results, the window respected."""
        return Count(
            filter=dict(NOTHING) if self.is_empty else self.filter_document(),
            skip=self.skipped,
            limit=self.limited,
            hint=self.index_hint,
            comment=self.note,
            max_time_ms=self.deadline_ms,
            collation=self.rules,
            read_preference=self.read_from,
        )

    def aggregate_command(self, *stages: Mapping[str, Any]) -> Aggregate:
        """Return the command that runs further stages on the results, under stored names."""
        return Aggregate(
            pipeline=[*self.stages(), *stages],
            hint=self.index_hint,
            comment=self.note,
            max_time_ms=self.deadline_ms,
            collation=self.rules,
            read_preference=self.read_from,
            allow_disk_use=self.disk_use,
        )

    def write_options(self) -> dict[str, Any]:
        """Return the options that an update or a delete by query takes over."""
        return {
            "database": self.database,
            "hint": self.index_hint,
            "collation": self.rules,
            "comment": self.note,
            "max_time_ms": self.deadline_ms,
        }

    def narrowed(self, condition: Condition) -> Self:
        """Return the query with one more condition."""
        if self.skipped or self.limited:
            raise InvalidValueError(
                "A query cannot be narrowed after limit, skip or a slice.", hint="Filter first, then slice."
            )
        return self.but(condition=condition if self.condition is EVERYTHING else self.condition & condition)

    def refuse_window(self, verb: str) -> None:
        """Raise when the query has a limit or a skip, which the verb has not.

        Raises:
            InvalidValueError: When it has.
        """
        if self.skipped or self.limited or self.is_empty:
            raise InvalidValueError(
                f"{verb} works on everything that matches, so it takes no limit, skip or slice.",
                model=self.model.__name__,
            )

    def whole_number(self, option: str, count: Any) -> int:
        """Return a count that a caller gave, proved.

        Raises:
            InvalidValueError: When it is no whole number from 0.
        """
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 2**63:
            raise InvalidValueError(
                f"{option} is a whole number from 0, not {count!r}.",
                model=self.model.__name__,
                field=option,
                value=count,
            )
        return count


_NAMES = tuple(field.name for field in fields(QueryState))
_values_of = attrgetter(*_NAMES)
_set = object.__setattr__
