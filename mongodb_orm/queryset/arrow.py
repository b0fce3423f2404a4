"""Results as Arrow tables, built from BSON by PyMongoArrow without a Python object for each value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import pyarrow as pa
from bson import ObjectId
from pymongoarrow.context import PyMongoArrowContext
from pymongoarrow.schema import Schema
from pymongoarrow.types import BinaryType, Decimal128Type, ObjectIdType

from ..codec import WIRE_OPTIONS
from ..exceptions import CorruptDocumentError, NotSupportedError
from ..executor import stream
from ..schema import Shape, fields_of, resolve, spec_of
from .results import Objects, PartialObjects, Values
from .state import QueryState

_MOMENT = pa.timestamp("ms", "UTC")
_UUID_SUBTYPE = 4

Convert = Callable[[Any], Any]


class _Column(NamedTuple):
    """A column: its name, the stored field, the type that BSON is read into, and how that becomes what is wanted."""

    name: str
    stored: str
    kind: Any
    convert: Convert | None


async def arrow_table(query: QueryState[Any]) -> Any:
    """Return the results of a query as a `pyarrow.Table`.

    Raises:
        NotSupportedError: When a field has no type of Arrow's.
        CorruptDocumentError: When a stored value does not have its field's type.
    """
    columns = _columns(query)
    model = query.model.__name__
    schema = Schema({column.stored: column.kind for column in columns})
    context = PyMongoArrowContext(schema, codec_options=WIRE_OPTIONS)
    try:
        async for chunk in stream(query.model, query.find_command(batch_size=query.batch), database=query.database):
            context.process_bson_stream(chunk)
        table = context.finish()
    except (TypeError, pa.ArrowException) as error:
        raise CorruptDocumentError(
            f"A stored {model} does not fit the columns of a table: {error}.",
            hint="Leave the field out with defer(), or repair the documents.",
            model=model,
        ) from error
    arrays = [
        table.column(column.stored) if column.convert is None else column.convert(table.column(column.stored))
        for column in columns
    ]
    return pa.table(arrays, names=[column.name for column in columns])


def _columns(query: QueryState[Any]) -> list[_Column]:
    spec = spec_of(query.model)
    kind = query.results
    if isinstance(kind, Objects):
        names = list(spec.fields)
    elif isinstance(kind, PartialObjects):
        names = [name for name in spec.fields if name in kind.names]
    elif isinstance(kind, Values):
        names = list(kind.names)
    else:
        raise NotSupportedError(
            f"A table is made of fields, not of {type(kind).__name__}.",
            hint="Use only(), defer() or values() before.",
            feature="tables of projections",
        )
    columns = []
    for name in names:
        target = resolve(spec, (name,))
        arrow_kind, convert = _kind_of(target.shape, f"{spec.name}.{name}")
        columns.append(_Column(name, target.stored, arrow_kind, convert))
    return columns


def _kind_of(shape: Shape, field: str) -> tuple[Any, Convert | None]:
    annotation = shape.annotation
    if isinstance(annotation, type):
        for python_type, kind, convert in _CONVERTED:
            if issubclass(annotation, python_type) and not (python_type is date and issubclass(annotation, datetime)):
                return kind, convert
    return _plain_kind(shape, field), None


def _plain_kind(shape: Shape, field: str) -> Any:
    """Return the type of a value that needs no conversion, at any depth."""
    annotation = shape.annotation
    if shape.kind == "array" and shape.element is not None:
        return pa.list_(_plain_kind(shape.element, field))
    if shape.kind == "model" and shape.model is not None:
        members = fields_of(shape.model).values()
        return pa.struct([(each.stored, _plain_kind(each.shape, f"{field}.{each.name}")) for each in members])
    if isinstance(annotation, type):
        if issubclass(annotation, Enum):
            annotation = type(next(iter(annotation)).value)
        for python_type, kind in _PLAIN:
            if issubclass(annotation, python_type):
                return kind
    raise NotSupportedError(
        f"{field} has no type that a table could have.",
        hint="Leave the field out with defer(), or name others in only().",
        feature=f"tables with {annotation!r}",
    )


def _each(make: Callable[[Any], Any], kind: Any = None) -> Convert:
    def convert(column: Any) -> Any:
        return pa.array([None if value is None else make(value) for value in column.to_pylist()], type=kind)

    return convert


_PLAIN: tuple[tuple[type, Any], ...] = (
    (bool, pa.bool_()),
    (int, pa.int64()),
    (float, pa.float64()),
    (str, pa.string()),
    (datetime, _MOMENT),
)
_CONVERTED: tuple[tuple[type, Any, Convert], ...] = (
    (timedelta, pa.int64(), lambda column: column.cast(pa.duration("us"))),
    (date, _MOMENT, lambda column: column.cast(pa.date32())),
    (Decimal, Decimal128Type(), _each(lambda value: value.to_decimal())),
    (ObjectId, ObjectIdType(), _each(str, pa.string())),
    (UUID, BinaryType(_UUID_SUBTYPE), _each(lambda value: str(UUID(bytes=bytes(value))), pa.string())),
)
