"""What an annotation looks like from a query: a scalar, an array, a mapping, a nested model or anything."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Mapping, MutableSequence, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import pydantic
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

Kind = Literal["scalar", "array", "mapping", "model", "union", "record", "any"]

_ARRAYS = (list, tuple, set, frozenset, deque, Sequence, MutableSequence, Set)


@dataclass(frozen=True, slots=True)
class Shape:
    """An annotation, seen from outside.

    Attributes:
        annotation: The type, without `Annotated` and without None.
        kind: How paths and lookups go on from here.
        element: The shape of an array's elements or of a mapping's values.
        model: The nested model.
        members: The parts of a union.
        optional: Whether None is allowed.
        fields: The stored name and the shape of each member of a record, a document that a pipeline made; and of each
            field and position of a named tuple.
        is_open: Whether a record may have further members.
        written: The annotation as it was written, where Pydantic knows the type only by what `Annotated` says of it.
    """

    annotation: Any
    kind: Kind
    element: Shape | None = None
    model: type[pydantic.BaseModel] | None = None
    members: tuple[Shape, ...] = ()
    optional: bool = False
    fields: Mapping[str, tuple[str, Shape]] = field(default_factory=dict, hash=False)
    is_open: bool = False
    written: Any = None

    @property
    def hint(self) -> Any:
        """The annotation, with all that Pydantic needs to know of the type."""
        return self.annotation if self.written is None else self.written


ANY = Shape(Any, "any")


def shape_of(annotation: Any) -> Shape:
    """Return the shape of an annotation."""
    try:
        return _cached(annotation)
    except TypeError:  # an unhashable annotation, such as Literal[[]] or Annotated metadata
        return _build(annotation)


@lru_cache(maxsize=4096)
def _cached(annotation: Any) -> Shape:
    return _build(annotation)


def _build(annotation: Any) -> Shape:
    if annotation is Any:  # which is a class since Python 3.11
        return ANY
    origin = get_origin(annotation)
    if origin is Annotated:
        return _annotated(annotation)
    if isinstance(annotation, TypeAliasType):
        return shape_of(annotation.__value__)
    if origin is Union or origin is types.UnionType:
        return _union(annotation)
    if isinstance(annotation, TypeVar):
        return shape_of(annotation.__bound__) if annotation.__bound__ else ANY
    plain = origin or annotation
    if not isinstance(plain, type):
        return Shape(annotation, "scalar")
    if issubclass(plain, pydantic.RootModel):  # which is stored as what it holds
        return replace(shape_of(plain.__pydantic_fields__["root"].annotation), annotation=annotation)
    if issubclass(plain, pydantic.BaseModel):
        return Shape(annotation, "model", model=plain)
    if issubclass(plain, str | bytes):
        return Shape(annotation, "scalar")
    if issubclass(plain, tuple) and hasattr(plain, "_fields"):
        return _named_tuple(annotation, plain)
    if plain in _ARRAYS or issubclass(plain, list | tuple | set | frozenset | deque):
        return Shape(annotation, "array", element=_element(annotation, plain))
    if plain is Mapping or issubclass(plain, Mapping):
        values = get_args(annotation)[1:2]
        return Shape(annotation, "mapping", element=shape_of(values[0]) if values else ANY)
    if plain is object or hasattr(plain, "__dataclass_fields__"):
        return Shape(annotation, "any")
    return Shape(annotation, "scalar")


def shape_of_field(info: FieldInfo) -> Shape:
    """Return the shape of a field; what stood around its annotation is put back where it says how to read it."""
    if any(hasattr(mark, "__get_pydantic_core_schema__") for mark in info.metadata):
        return shape_of(Annotated[(info.annotation, *info.metadata)])
    return shape_of(info.annotation)


def is_set(shape: Shape) -> bool:
    """Return whether what is stored as an array is a set, which has nothing twice."""
    plain = get_origin(shape.annotation) or shape.annotation
    return isinstance(plain, type) and issubclass(plain, Set)


def markers_of(info: FieldInfo) -> list[Any]:
    """Return what the annotation of a field carries: `Annotated[int, mark] | None` as `Annotated[int | None, mark]`."""
    members = get_args(info.annotation) if get_origin(info.annotation) in (Union, types.UnionType) else ()
    inside = [mark for member in members if get_origin(member) is Annotated for mark in get_args(member)[1:]]
    return [*info.metadata, *inside]


def _annotated(annotation: Any) -> Shape:
    inner, *marks = get_args(annotation)
    shape = shape_of(inner)
    tells = any(hasattr(mark, "__get_pydantic_core_schema__") for mark in marks)
    if shape.kind != "scalar" or not tells or _is_known(shape.annotation):
        return shape
    return replace(shape, written=annotation)


def _is_known(annotation: Any) -> bool:
    """Return whether Pydantic knows a type by itself."""
    try:
        pydantic.TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        return False
    return True


def _named_tuple(annotation: Any, plain: type) -> Shape:
    """Return the shape of a named tuple, which is stored as a list: its fields are positions."""
    hints = get_type_hints(plain)
    fields: dict[str, tuple[str, Shape]] = {}
    for index, name in enumerate(plain._fields):  # type: ignore[attr-defined]
        fields[name] = fields[str(index)] = str(index), shape_of(hints.get(name, Any))
    return Shape(annotation, "array", element=ANY, fields=fields)


def _union(annotation: Any) -> Shape:
    members = [member for member in get_args(annotation) if member is not type(None)]
    optional = len(members) < len(get_args(annotation))
    if len(members) == 1:
        return replace(shape_of(members[0]), optional=optional)
    return Shape(Union[tuple(members)], "union", members=tuple(map(shape_of, members)), optional=optional)


def _element(annotation: Any, plain: type) -> Shape:
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    if not arguments:
        return ANY
    if len(arguments) == 1 or plain is not tuple:
        return shape_of(arguments[0])
    return shape_of(Union[tuple(arguments)])
