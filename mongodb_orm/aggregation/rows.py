"""What becomes of the results of a pipeline: dicts under the model's names, objects, or plain rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pydantic

from ..codec import codec_of, decode_all, decode_raw, summary_validator, value_validator
from ..compiler.rows import Renamer, row_renamer
from ..exceptions import CorruptDocumentError, InvalidValueError, ValidationError
from ..schema import MappedModel, Shape, set_database, shape_of, spec_of

Reader = Callable[[bytes], list[Any]]


def row_reader(
    model: type[MappedModel],
    shape: Shape | None,
    result_type: Any,
    *,
    is_raw: bool,
    is_beside: bool,
    database: str | None,
) -> Reader:
    """Return the function that makes results of concatenated BSON.

    Args:
        model: The model of the pipeline.
        shape: The shape of its results.
        result_type: What they are made of, None for dicts.
        is_raw: Whether dicts are left as they come.
        is_beside: Whether dicts keep the stored names, beside the model's.
        database: The database that was read, when it is not the model's own.
    """
    if result_type is None:
        return decode_raw if is_raw else _rows(row_renamer(shape, is_beside=is_beside))
    if _is_document(result_type) and shape is spec_of(result_type).documents:
        return _objects(result_type, database)
    if is_raw:
        raise InvalidValueError("Raw results are dicts.", hint="Leave out raw or into.", model=model.__name__)
    rename = row_renamer(shape, is_beside=False)
    validate = _validator(result_type)

    def build(row: Any) -> Any:
        try:
            return validate(row if rename is None else rename(row))
        except ValidationError as error:
            raise CorruptDocumentError(
                f"A result of the pipeline on {model.__name__} does not fit {_name(result_type)}: {error}.",
                hint="Compare the model with the rows that the pipeline gives without into.",
                model=model.__name__,
            ) from error

    return lambda chunk: [build(row) for row in decode_all(chunk)]


def _rows(rename: Renamer | None) -> Reader:
    return decode_all if rename is None else lambda chunk: [rename(row) for row in decode_all(chunk)]


def _objects(document: type[MappedModel], database: str | None) -> Reader:
    load = codec_of(document).load_chunk
    if database is None:
        return load

    def load_elsewhere(chunk: bytes) -> list[Any]:
        loaded = load(chunk)
        for one in loaded:
            set_database(one, database)
        return loaded

    return load_elsewhere


def _is_document(result_type: Any) -> bool:
    return isinstance(result_type, type) and issubclass(result_type, MappedModel)


def _validator(result_type: Any) -> Callable[[Any], Any]:
    try:
        return _cached_validator(result_type)
    except TypeError:  # a type that cannot be hashed
        return value_validator(result_type).validate_python


@lru_cache(maxsize=1024)
def _cached_validator(result_type: Any) -> Callable[[Any], Any]:
    if isinstance(result_type, type) and issubclass(result_type, pydantic.BaseModel):
        return summary_validator(result_type, frozenset(_models_in(result_type))).validate_python
    return value_validator(result_type).validate_python


def _models_in(model: type[pydantic.BaseModel], seen: set[type] | None = None) -> set[type]:
    """Return a model and the models inside it: the rows have the names of fields, not their aliases."""
    seen = set() if seen is None else seen
    if model not in seen:
        seen.add(model)
        if not model.__pydantic_complete__:
            model.model_rebuild()
        for field in model.__pydantic_fields__.values():
            for inner in _nested(shape_of(field.annotation)):
                _models_in(inner, seen)
    return seen


def _nested(shape: Shape) -> list[type[pydantic.BaseModel]]:
    if shape.model is not None:
        return [shape.model]
    parts = [*shape.members, *([shape.element] if shape.element is not None else [])]
    return [model for part in parts for model in _nested(part)]


def _name(result_type: Any) -> str:
    return str(getattr(result_type, "__name__", result_type))
