"""Writes by query, as the hooks around them see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..codec import decode, decode_all, encode
from ..commands import BulkWrite, Find
from ..compiler.updates import Computed, compile_values
from ..exceptions import BulkError, InvalidValueError, UnknownFieldError
from ..executor import stream
from ..schema import MappedModel, spec_of
from ..tracking import overlap
from ..types import Filter
from .notices import Kind

T = TypeVar("T")

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class QueryWrite:
    """A write by query, as hooks for `QueryUpdate` and `QueryDelete` see it; names and values are the stored ones.

    `bulk_update` is several writes, one for each document.

    Attributes:
        model: The model class.
        kind: What is done; a soft delete is a `delete`.
        filter: Which documents are written.
        update: What is done to them: a mapping of operators, or a list of stages for updates that calculate; None where
            documents are removed. A hook before the write may add to it.
        matched: How many were written; None before the write.
    """

    model: type[MappedModel]
    kind: Kind
    filter: Any
    update: Any = None
    matched: int | None = None

    def set_(self, /, **values: Any) -> None:
        """Let the update give fields these values, whatever it has done to them, and whatever form it has.

        Args:
            values: New values by field, validated like the fields.

        Raises:
            InvalidValueError: When documents are removed, not updated, or the write is done.
            UnknownFieldError: When the model has no such field.
            ValidationError: When a value does not fit.

        Example:
            >>> @before(QueryUpdate)
            ... @classmethod
            ... def unreview(cls, write: QueryWrite) -> None:
            ...     write.set_(reviewed=False)
        """
        spec = spec_of(self.model)
        if self.update is None or self.matched is not None:
            reason = "removes documents" if self.update is None else "is done"
            raise InvalidValueError(f"The write of {spec.name} {reason}, so nothing can be set.", model=spec.name)
        for name in values:
            if name not in spec.fields:
                raise UnknownFieldError(spec.name, name, list(spec.fields))
        stored = compile_values(spec, values).get("$set", {})
        for name, value in stored.items():
            if isinstance(value, Computed):
                raise InvalidValueError(f"{spec.name}.{name}: a hook sets values, no calculations.", model=spec.name)
        if isinstance(self.update, list):
            self.update.append({"$set": {name: {"$literal": value} for name, value in stored.items()}})
            return
        for name in stored:
            _forget(self.update, name)
        is_new = "_id" in self.update.get("$setOnInsert", {})  # the document that an upsert makes where there is none
        self.update.setdefault("$setOnInsert" if is_new else "$set", {}).update(stored)


def writes_of(model: type[MappedModel], kind: Kind, command: Any) -> list[QueryWrite]:
    """Return the writes that a command does: one, or several that each have a filter and an update of their own."""
    parts: Sequence[Any] = command.operations if isinstance(command, BulkWrite) else (command,)
    return [QueryWrite(model, kind, part.filter, getattr(part, "update", None)) for part in parts]


def without_conflicts(update: dict[str, Any]) -> None:
    """Take from the document that an upsert makes what hooks said by other operators, which would be said twice."""
    made = update["$setOnInsert"]
    said = [path for operator, fields in update.items() if operator != "$setOnInsert" for path in fields]
    for name in [name for name in made if any(overlap(name, path) for path in said)]:
        del made[name]


def done_but_for(error: BulkError, writes: Sequence[T], *, ordered: bool) -> list[T]:
    """Return those writes of a bulk write that the server tried and did not refuse."""
    refused = {failure.index for failure in error.failures}
    tried = writes[: min(refused)] if ordered else writes
    return [write for position, write in enumerate(tried) if position not in refused]


async def found_among(model: type[MappedModel], filters: Sequence[Filter]) -> list[bool]:
    """Return of each filter by an id whether there is its document: a bulk write tells only how many it found."""
    found: set[Any] = set()
    for start in range(0, len(filters), _AT_ONCE):
        command = Find(filter={"$or": filters[start : start + _AT_ONCE]}, projection={"_id": 1})
        async for batch in stream(model, command):
            found |= {_key(row["_id"]) for row in decode_all(batch)}
    return [_key(decode(encode({"id": filter_["_id"]}, model=""))["id"]) in found for filter_ in filters]


def _key(id_: Any) -> Any:
    return repr(id_) if isinstance(id_, dict | list) else id_


def _forget(update: dict[str, Any], name: str) -> None:
    """Take from an update what it does to a field, or inside it."""
    for operator, fields in list(update.items()):
        for path, operand in list(fields.items()):
            if overlap(path, name) or (operator == "$rename" and overlap(str(operand), name)):
                del fields[path]
        if not fields:
            del update[operator]
