"""How a pipeline is run: the options beside its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, TypedDict

from ..commands import Aggregate
from ..exceptions import InvalidValueError
from ..types import Pipeline


class AggregateOptions(TypedDict, total=False):
    """The options of `aggregate` and `pipeline`, for type checkers; their meaning is that of `AggregationOptions`."""

    raw: bool
    scoped_lookups: bool
    allow_disk_use: bool | None
    max_time: float | None
    batch_size: int
    hint: str | None
    comment: Any
    collation: str | Mapping[str, Any] | None
    let: Mapping[str, Any] | None
    read_preference: str | None
    allow_javascript: bool
    allow_writes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationOptions:
    """The options of an aggregation, proved.

    Attributes:
        is_raw: Whether names are left as they are, and results as they come.
        scoped_lookups: Whether registered models in `$lookup`, `$graphLookup` and `$unionWith` are seen through their
            default scopes and without softly deleted documents.
        allow_disk_use: Whether the server may use temporary files.
        max_time_ms: Milliseconds after which the server gives up.
        batch_size: Documents per trip; 0 leaves it to us.
        hint: The name of an index to use.
        comment: Shows in the server's log and profiler.
        collation: The rules of a language, for comparing strings.
        let: Variables of the pipeline, `$$name`.
        read_preference: Which members of a replica set may answer.
        database: Another database of the same server.
        allow_javascript: Whether `$where`, `$function` and `$accumulator` may pass.
        allow_writes: Whether `$out` and `$merge` may pass.
    """

    is_raw: bool = False
    scoped_lookups: bool = False
    allow_disk_use: bool | None = None
    max_time_ms: int | None = None
    batch_size: int = 0
    hint: str | None = None
    comment: Any = None
    collation: Mapping[str, Any] | None = None
    let: Mapping[str, Any] | None = None
    read_preference: str | None = None
    database: str | None = None
    allow_javascript: bool = False
    allow_writes: bool = False

    def command(self, pipeline: Pipeline, batch_size: int) -> Aggregate:
        """Return the command that runs a compiled pipeline."""
        return Aggregate(
            pipeline=pipeline,
            batch_size=self.batch_size or batch_size,
            allow_disk_use=self.allow_disk_use,
            max_time_ms=self.max_time_ms,
            hint=self.hint,
            comment=self.comment,
            collation=self.collation,
            let=self.let,
            read_preference=self.read_preference,
        )

    def command_options(self) -> dict[str, Any]:
        """Return the options that change what the server does, under MongoDB's names."""
        options = {
            "allowDiskUse": self.allow_disk_use,
            "hint": self.hint,
            "collation": self.collation,
            "let": self.let,
        }
        return {name: value for name, value in options.items() if value is not None}

    def shell_options(self) -> dict[str, Any]:
        """Return all options as one writes them in mongosh."""
        options = {"maxTimeMS": self.max_time_ms, "batchSize": self.batch_size or None, "comment": self.comment}
        return {**self.command_options(), **{name: value for name, value in options.items() if value is not None}}


DEFAULTS = AggregationOptions()


def options_from(base: AggregationOptions = DEFAULTS, /, **given: Any) -> AggregationOptions:
    """Return options as `aggregate` takes them, proved, over those of `base`.

    Raises:
        InvalidValueError: When one makes no sense.
    """
    for name, value in given.items():
        if name not in _PROBLEMS:
            near = get_close_matches(name, _PROBLEMS, n=1)
            raise InvalidValueError(
                f"An aggregation has no option {name!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else f"It has: {', '.join(_PROBLEMS)}.",
                field=name,
            )
        is_right, problem = _PROBLEMS[name]
        if value is not None and not is_right(value):
            raise InvalidValueError(f"{name} is {problem}, not {value!r}.", field=name, value=value)
    changes = dict(given)
    if "raw" in changes:
        changes["is_raw"] = changes.pop("raw")
    if "max_time" in changes:
        seconds = changes.pop("max_time")
        changes["max_time_ms"] = None if seconds is None else max(1, int(seconds * 1000))
    if isinstance(changes.get("collation"), str):
        changes["collation"] = {"locale": changes["collation"]}
    return replace(base, **changes)


READ_PREFERENCES = ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")

_Check = tuple[Callable[[Any], bool], str]
_FLAG: _Check = (lambda value: isinstance(value, bool), "True or False")

_PROBLEMS: dict[str, _Check] = {
    "raw": _FLAG,
    "scoped_lookups": _FLAG,
    "allow_disk_use": _FLAG,
    "allow_javascript": _FLAG,
    "allow_writes": _FLAG,
    "max_time": (
        lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**31 / 1000,
        "a number of seconds above 0",
    ),
    "batch_size": (
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31,
        "a whole number from 0",
    ),
    "hint": (lambda value: isinstance(value, str) and bool(value), "the name of an index"),
    "comment": (lambda value: True, "anything"),
    "collation": (
        lambda value: bool(value) and (isinstance(value, str) or (isinstance(value, Mapping) and "locale" in value)),
        "the name of a language, or MongoDB's collation document",
    ),
    "let": (
        lambda value: isinstance(value, Mapping) and all(isinstance(name, str) and name for name in value),
        "a mapping of names to values",
    ),
    "read_preference": (lambda value: value in READ_PREFERENCES, f"one of {', '.join(READ_PREFERENCES)}"),
}
