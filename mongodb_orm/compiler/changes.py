"""Everything that one update says, put together: operators or a pipeline, and filters of array elements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..codec import encode
from ..exceptions import InvalidValueError
from ..expressions import ArrayFilter, FieldUpdate
from ..schema import ModelSpec
from ..tracking import overlap
from .pipelines import compile_pipeline
from .signatures import changed_by
from .updates import (
    Computed,
    Operators,
    compile_change,
    compile_element,
    compile_operators,
    compile_values,
    refuse_conflicts,
)

UpdateLike = FieldUpdate | ArrayFilter | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
"""What may be written as a change: typed values, MongoDB's operators or plain field values, or a pipeline."""

_STAGES = frozenset({"$set", "$addFields", "$unset", "$project", "$replaceRoot", "$replaceWith"})
_SETTING = ("$set", "$addFields")


@dataclass(frozen=True, slots=True)
class CompiledUpdate:
    """An update under stored names; false when it changes nothing.

    Attributes:
        update: Operators, or the stages of a pipeline.
        array_filters: What the elements fulfil that `$[name]` in a path stands for.
    """

    update: Operators | list[dict[str, Any]]
    array_filters: list[dict[str, Any]] | None = None

    def __bool__(self) -> bool:
        return bool(self.update)

    @property
    def paths(self) -> list[str] | None:
        """The stored paths that change; None when a pipeline may change any."""
        if isinstance(self.update, list):
            return None
        renamed = [path for path in self.update.get("$rename", {}).values() if isinstance(path, str)]
        return [path for fields in self.update.values() for path in fields] + renamed

    def setting(self, values: Mapping[str, Any]) -> CompiledUpdate:
        """Return the update that sets these stored fields too, where it does not say anything of them itself."""
        if isinstance(self.update, list):
            said = {name for stage in self.update for key in _SETTING for name in stage.get(key, ())}
            more = {name: {"$literal": value} for name, value in values.items() if name not in said}
            return CompiledUpdate([*self.update, {"$set": more}] if more else self.update, self.array_filters)
        taken = self.paths or []
        more = {name: value for name, value in values.items() if not any(overlap(name, path) for path in taken)}
        joined = {**self.update.get("$set", {}), **more}
        return CompiledUpdate({**self.update, "$set": joined} if joined else self.update, self.array_filters)


def compile_update(
    spec: ModelSpec,
    changes: Iterable[UpdateLike],
    values: Mapping[str, Any],
    *,
    allow_javascript: bool = False,
    is_upsert: bool = False,
) -> CompiledUpdate:
    """Put the changes of one update together.

    Args:
        spec: The model's mapping.
        changes: Updates written on purpose.
        values: Field values and keyword operators; never taken for operators of MongoDB's.
        allow_javascript: Whether server-side JavaScript may pass.
        is_upsert: Whether a document is made where there is none.

    Raises:
        InvalidValueError: When changes contradict one another, a pipeline stands beside others, or a value is for the
            document that only an upsert makes.
        UnsafeQueryError: When it runs JavaScript that nobody asked for.
        UnencodableValueError: When BSON cannot hold a value; it names the field.
    """
    given = [change for change in changes if change is not None]
    pipelines = [change for change in given if isinstance(change, Sequence) and not isinstance(change, str | bytes)]
    if pipelines:
        if len(given) > 1 or values:
            raise InvalidValueError(
                "A pipeline is a whole update; nothing stands beside it.",
                hint='Write the other changes as stages: {"$set": {...}}.',
                model=spec.name,
            )
        return CompiledUpdate(_pipeline(spec, pipelines[0], allow_javascript))
    update: Operators = {}
    for change in given:
        if not isinstance(change, ArrayFilter):
            _join(spec, update, _compile_one(spec, change, allow_javascript))
    _join(spec, update, compile_values(spec, values))
    refuse_conflicts(spec, update)
    if not is_upsert and (idle := update.get("$setOnInsert")):
        raise InvalidValueError(
            f"set_on_insert of {', '.join(idle)} does nothing: this update makes no document.",
            hint=f"Use {spec.name}.upsert(), or set the field.",
            model=spec.name,
            field=next(iter(idle)),
        )
    filters = [change for change in given if isinstance(change, ArrayFilter)]
    if any(isinstance(value, Computed) for value in update.get("$set", {}).values()):
        return CompiledUpdate(_computed(spec, update))
    for fields in update.values():
        encode(fields, model=spec.name)  # the driver's error would name no field
    return CompiledUpdate(update, _array_filters(spec, update, filters))


def stamped(spec: ModelSpec, compiled: CompiledUpdate, moment: datetime) -> CompiledUpdate:
    """Return the update that moves `updated_at` and the version too, and names who acts, unless it does so itself.

    An update by query checks no version, but an object that was loaded before it must not be saved over it.
    """
    managed = {"updated_at": moment, **changed_by(spec)}
    compiled = compiled.setting({spec.fields[name].stored: value for name, value in managed.items()})
    if spec.versioning is None:
        return compiled
    version = spec.fields[spec.versioning.field].stored
    if isinstance(compiled.update, list):
        said = {name for stage in compiled.update for key in _SETTING for name in stage.get(key, ())}
        following = [] if version in said else [{"$set": {version: next_version_of(version)}}]
        return CompiledUpdate([*compiled.update, *following], compiled.array_filters)
    if version in (compiled.paths or ()):
        return compiled
    counted = {**compiled.update.get("$inc", {}), version: 1}
    return CompiledUpdate({**compiled.update, "$inc": counted}, compiled.array_filters)


def next_version_of(version: str) -> dict[str, Any]:
    """Return the aggregation expression of the version after the one in a stored field."""
    return {"$add": [{"$ifNull": [f"${version}", 1]}, 1]}


def _compile_one(spec: ModelSpec, change: Any, allow_javascript: bool) -> Operators:
    if isinstance(change, FieldUpdate):
        return compile_change(spec, change)
    if not isinstance(change, Mapping):
        raise InvalidValueError(
            "An update is a change such as updates.inc(Model.f.age), or a mapping of operators or of field values.",
            model=spec.name,
            value=change,
        )
    if any(str(key).startswith("$") for key in change):
        return compile_operators(spec, change, allow_javascript=allow_javascript)
    return compile_values(spec, change)


def _join(spec: ModelSpec, update: Operators, more: Operators) -> None:
    for operator, fields in more.items():
        joined = update.setdefault(operator, {})
        if twice := sorted(joined.keys() & fields.keys()):
            raise InvalidValueError(f"{', '.join(twice)} is updated twice.", model=spec.name, field=twice[0])
        joined.update(fields)


def _pipeline(spec: ModelSpec, stages: Any, allow_javascript: bool) -> list[dict[str, Any]]:
    for stage in stages:
        unfit = [name for name in stage if name not in _STAGES] if isinstance(stage, Mapping) else []
        if unfit:
            raise InvalidValueError(
                f"{unfit[0]!r} is no stage of an update.",
                hint=f"Updates take {', '.join(sorted(_STAGES))}.",
                model=spec.name,
                value=unfit[0],
            )
    compiled = compile_pipeline(spec, stages, allow_javascript=allow_javascript).stages
    for stage in compiled:
        if any("_id" in stage.get(name, ()) for name in _SETTING):
            raise InvalidValueError(
                f"{spec.name}.{spec.id_field}: the id of a stored document cannot change.",
                hint="Create a new document instead.",
                model=spec.name,
                field=spec.id_field,
            )
    return compiled


def _computed(spec: ModelSpec, update: Operators) -> list[dict[str, Any]]:
    """Return the pipeline that sets fields to what the server calculates, all from the document as it was.

    Raises:
        InvalidValueError: When other operators stand beside, or a path goes into a list.
    """
    wrong = [operator for operator in update if operator not in ("$set", "$unset")]
    wrong += [path for fields in update.values() for path in fields if any(map(_is_place, path.split(".")))]
    if wrong:
        raise InvalidValueError(
            f"{wrong[0]} cannot stand beside a value that is calculated from fields.",
            hint="Set and unset whole fields with it, or write a pipeline.",
            model=spec.name,
            field=wrong[0],
        )
    values = {
        path: value.expression if isinstance(value, Computed) else {"$literal": value}
        for path, value in update["$set"].items()
    }
    removed: list[dict[str, Any]] = [{"$unset": list(update["$unset"])}] if "$unset" in update else []
    return [{"$set": values}, *removed]


def _is_place(part: str) -> bool:
    return part.isdigit() or part.startswith("$")


def _array_filters(spec: ModelSpec, update: Operators, filters: Sequence[ArrayFilter]) -> list[dict[str, Any]] | None:
    """Compile each filter against the elements of the list in whose path its name stands.

    Raises:
        InvalidValueError: When a name is used without a filter, or the other way round.
    """
    places: dict[str, tuple[str, ...]] = {}
    for path in (path for fields in update.values() for path in fields):
        parts = path.split(".")
        for position, part in enumerate(parts):
            if part.startswith("$[") and part != "$[]":
                places.setdefault(part[2:-1], tuple(p for p in parts[:position] if not p.startswith("$")))
    by_name = {filter_.name: filter_ for filter_ in filters}
    for name in by_name:
        if not (name.isascii() and name.isalnum() and name[0].islower()):
            raise InvalidValueError(
                f"{name!r} names no element; MongoDB takes letters and digits, a small letter first.",
                model=spec.name,
                value=name,
            )
    if len(by_name) < len(filters) or by_name.keys() != places.keys():
        wrong = sorted(by_name.keys() ^ places.keys()) or [filters[0].name]
        raise InvalidValueError(
            f"$[{wrong[0]}] needs one updates.where({wrong[0]!r}, ...), and each where() its $[name] in a path.",
            model=spec.name,
            value=wrong[0],
        )
    return [_array_filter(spec, places[name], filter_) for name, filter_ in by_name.items()] or None


def _array_filter(spec: ModelSpec, path: tuple[str, ...], filter_: ArrayFilter) -> dict[str, Any]:
    element = compile_element(spec, path, filter_.condition)
    if not element:
        raise InvalidValueError(
            f"updates.where({filter_.name!r}) has no condition.", hint="For every element write $[].", model=spec.name
        )
    if any(key.startswith("$") and key not in _LOGICAL for key in element):
        return {filter_.name: element}
    return _named(filter_.name, element)


_LOGICAL = ("$and", "$or", "$nor")


def _named(name: str, condition: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key if key in _LOGICAL else f"{name}.{key}": [_named(name, part) for part in value]
        if key in _LOGICAL
        else value
        for key, value in condition.items()
    }
