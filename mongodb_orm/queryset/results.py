"""What becomes of the documents that a query reads: each kind of result asks for fields and makes results of chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import pydantic

from ..codec import codec_of, decode_all, decode_raw, summary_validator, value_validator
from ..compiler.projections import compile_projection, field_path, row_names
from ..compiler.summaries import JOINED, Summary, compile_summary
from ..exceptions import CorruptDocumentError, InvalidValueError, ValidationError
from ..schema import MappedModel, ModelSpec, Shape, resolve, spec_of, step
from ..types import Document, Sort

Reader = Callable[[bytes], list[Any]]

_CALCULATED = "__calculated_"


class Results(Protocol):
    """A kind of result."""

    @property
    def projection(self) -> Mapping[str, Any] | None:
        """What is asked of the server; None for whole documents."""
        ...

    @property
    def result_type(self) -> Any:
        """The type of one result."""
        ...

    def reader(self) -> Reader:
        """Return the function that makes results of concatenated BSON."""
        ...


@dataclass(frozen=True, slots=True)
class Objects:
    """Whole objects of the model."""

    model: type[MappedModel]
    projection: Mapping[str, Any] | None = None

    @property
    def result_type(self) -> Any:
        """The type of one result."""
        return _one_of(self.model)

    def reader(self) -> Reader:
        """Return the model's own loader."""
        return codec_of(self.model).load_chunk


@dataclass(frozen=True, slots=True)
class PartialObjects:
    """Objects of the model that know some of their fields only."""

    model: type[MappedModel]
    names: frozenset[str]

    @property
    def projection(self) -> Mapping[str, Any]:
        """The fields, the id always among them."""
        fields = spec_of(self.model).fields
        return {fields[name].stored: 1 for name in fields if name in self.names}

    @property
    def result_type(self) -> Any:
        """The type of one result."""
        return _one_of(self.model)

    def reader(self) -> Reader:
        """Return the loader for these fields."""
        return codec_of(self.model).partial(self.names).load_chunk


@dataclass(frozen=True, slots=True)
class Rows:
    """Dicts of projected fields, under the model's names."""

    model: type[MappedModel]
    projection: Mapping[str, Any]

    @property
    def result_type(self) -> Any:
        """The type of one result."""
        return Document

    def reader(self) -> Reader:
        """Return the function that renames."""
        rename = row_names(spec_of(self.model))
        return lambda chunk: [rename(row) for row in decode_all(chunk)]


@dataclass(frozen=True, slots=True)
class RawRows:
    """Dicts as they are stored."""

    projection: Mapping[str, Any] | None = None

    @property
    def result_type(self) -> Any:
        """The type of one result."""
        return Document

    def reader(self) -> Reader:
        """Return the decoder."""
        return decode_raw


@dataclass(frozen=True, slots=True)
class Values:
    """The values of some fields, as Python types: dicts, tuples, or the values alone."""

    model: type[MappedModel]
    names: tuple[str, ...]
    style: Literal["dict", "tuple", "flat"] = "dict"

    @property
    def projection(self) -> Mapping[str, Any]:
        """The fields, and the id only where it is one of them."""
        spec = spec_of(self.model)
        stored = [_before_positions(resolve(spec, field_path(spec, name)).stored) for name in self.names]
        # A path and a path below it cannot be asked for together; the longer one comes with the shorter.
        wanted = {path: 1 for path in stored if not any(path.startswith(f"{other}.") for other in stored)}
        return wanted if "_id" in wanted else {**wanted, "_id": 0}

    @property
    def result_type(self) -> Any:
        """The type of one result."""
        return {"dict": Document, "tuple": tuple[Any, ...], "flat": Any}[self.style]

    def reader(self) -> Reader:
        """Return the function that picks values out of rows."""
        spec = spec_of(self.model)
        names, style = self.names, self.style
        pickers = [_picker(spec, field_path(spec, name)) for name in names]

        def read(chunk: bytes) -> list[Any]:
            rows = decode_all(chunk)
            if style == "flat":
                return [pickers[0](row) for row in rows]
            if style == "tuple":
                return [tuple(pick(row) for pick in pickers) for row in rows]
            return [{name: pick(row) for name, pick in zip(names, pickers, strict=True)} for row in rows]

        return read


@dataclass(frozen=True, slots=True)
class Summaries:
    """Objects of another Pydantic model, made of the fields that it asks for."""

    model: type[MappedModel]
    into: type[pydantic.BaseModel]

    @property
    def compiled(self) -> Summary:
        """The other model, as a projection."""
        return compile_summary(spec_of(self.model), self.into)

    @property
    def projection(self) -> Mapping[str, Any]:
        """The fields of the other model."""
        return self.compiled.projection

    @property
    def result_type(self) -> Any:
        """The type of one result."""
        return self.into

    def reader(self) -> Reader:
        """Return the function that builds the objects."""
        compiled = self.compiled
        validate = _summary_validator(self.into, compiled.models)
        rename = compiled.rename

        def build(row: Document) -> Any:
            try:
                return validate(row if rename is None else rename(row))
            except ValidationError as error:
                raise CorruptDocumentError(
                    f"A stored {self.model.__name__} does not fit {self.into.__name__}: {error}.",
                    model=self.model.__name__,
                    id=row.get("_id"),
                ) from error

        return lambda chunk: [build(row) for row in decode_all(chunk)]


def _one_of(model: type[MappedModel]) -> Any:
    """Return the type of objects of a model: in JSON, those of a subclass keep the fields of their own."""
    family = spec_of(model).family
    is_alone = family is None or len(family.below(model)) < 2
    whole: Any = pydantic.SerializeAsAny
    return model if is_alone else whole[model]


def joins_of(kind: Results | None, sort: Sort = ()) -> list[dict[str, Any]]:
    """Return the stages that join what the results refer to, and calculate what they are sorted by."""
    if not isinstance(kind, Summaries):
        return []
    compiled = kind.compiled
    sorted_by = {path.removeprefix(_CALCULATED) for path, _ in sort if path.startswith(_CALCULATED)}
    calculated = {_CALCULATED + name: compiled.sources[name] for name in compiled.sources if name in sorted_by}
    return [*compiled.joins, *([{"$set": calculated}] if calculated else ())]


def sorted_beside(kind: Results | None) -> dict[str, str]:
    """Return what results can be sorted by beside the model's fields: stored paths by those of a summary."""
    if not isinstance(kind, Summaries):
        return {}
    compiled = kind.compiled
    own = {
        name: source.removeprefix("$") if isinstance(source, str) else _CALCULATED + name
        for name, source in compiled.sources.items()
    }
    return {**{f"{place}.": f"{joined}." for place, joined in compiled.references.items()}, **own}


def is_sorted_by_summary(sort: Sort) -> bool:
    """Return whether an order goes by what only a summary has."""
    return any(path.startswith((JOINED, _CALCULATED)) for path, _ in sort)


def projected(model: type[MappedModel], projection: Any) -> Results:
    """Return the kind of result that a projection asks for: summaries of a Pydantic model, or rows of fields.

    Raises:
        QueryError: When it makes no sense.
    """
    if not (isinstance(projection, type) and issubclass(projection, pydantic.BaseModel)):
        return Rows(model, compile_projection(spec_of(model), projection))
    if projection is model:
        return Objects(model)
    if issubclass(projection, MappedModel):
        raise InvalidValueError(
            f"{projection.__name__} is a document of its own collection, so it is no projection of {model.__name__}.",
            hint="Project into a plain pydantic.BaseModel.",
            model=model.__name__,
            value=projection,
        )
    compile_summary(spec_of(model), projection)
    return Summaries(model, projection)


@lru_cache(maxsize=1024)
def _summary_validator(into: type[pydantic.BaseModel], models: frozenset[type]) -> Callable[[Any], Any]:
    return summary_validator(into, models).validate_python


def _picker(spec: ModelSpec, path: tuple[str, ...]) -> Callable[[Document], Any]:
    target = resolve(spec, path)
    convert = convert_stored(target.shape)
    depth = _lists_on(spec, path)
    parts = target.stored.split(".")

    def pick(row: Document) -> Any:
        return _converted(_dig(row, parts), convert, depth)

    return pick


def convert_stored(shape: Shape) -> Callable[[Any], Any]:
    """Return the function that makes a decoded value what a field of that shape holds."""
    if shape.kind == "any":
        return lambda value: value
    validate = value_validator(shape.hint).validate_python

    def convert(value: Any) -> Any:
        try:
            return validate(value)
        except ValidationError as error:
            raise CorruptDocumentError(f"A stored value does not fit {shape.annotation!r}: {error}.") from error

    return convert


def _converted(value: Any, convert: Callable[[Any], Any], depth: int) -> Any:
    if value is None:
        return None
    if depth and isinstance(value, list):
        return [_converted(item, convert, depth - 1) for item in value]
    return convert(value)


def _dig(value: Any, parts: list[str]) -> Any:
    for position, part in enumerate(parts):
        if isinstance(value, list):
            if not part.isdigit():
                return [_dig(item, parts[position:]) for item in value]
            value = value[int(part)] if int(part) < len(value) else None
            continue
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _before_positions(path: str) -> str:
    """Return a path up to the first position in a list, which MongoDB does not project."""
    parts = path.split(".")
    end = next((index for index, part in enumerate(parts) if part.isdigit()), len(parts))
    return ".".join(parts[:end])


def _lists_on(spec: ModelSpec, path: tuple[str, ...]) -> int:
    """Return how many lists a path goes through, each of which makes a list of the values."""
    shape, count = Shape(spec.model, "model", model=spec.model), 0
    for part in path:
        while shape.kind == "array" and shape.element is not None and not part.isdigit():
            shape, count = shape.element, count + 1
        found = step(shape, part)
        if found is None:
            break
        shape = found[1]
    return count
