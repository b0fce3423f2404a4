"""How a model says which indexes it wants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Annotated, Any, get_args, get_origin

from typing_extensions import TypeAliasType

from ..exceptions import ConfigurationError

DIRECTIONS: tuple[Any, ...] = (1, -1, "text", "2dsphere", "2d", "hashed")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSpec:
    """One index, under the model's field names.

    Attributes:
        keys: Pairs of field path and direction (1, -1, `"text"`, `"2dsphere"`, `"2d"`, `"hashed"`). The path `"$**"`,
            or `"settings.$**"`, is a wildcard.
        unique: Whether two documents may not share the key.
        sparse: Whether documents without the field are left out.
        partial_filter_expression: Only documents that match it are indexed.
        expire_after_seconds: Documents are removed that long after the date in the field; a timedelta is taken too.
        text_weights: How much each field counts in a text index.
        default_language: The language of a text index; MongoDB's default is English.
        language_override: The field that names a document's own language, in a text index.
        wildcard_projection: Which fields a `"$**"` index takes in (1) or leaves out (0).
        collation: How text is compared, such as `{"locale": "de", "strength": 2}`.
        hidden: Whether queries may not use it.
        ignore_deleted: Whether documents that were deleted softly are left out. None: a unique index of a model that
            deletes softly leaves them out, any other index does not.
        name: The index's name; made from the keys otherwise, as MongoDB does.
        options: Any further option of `createIndexes`, under MongoDB's name.
    """

    keys: tuple[tuple[str, Any], ...]
    unique: bool = False
    sparse: bool = False
    partial_filter_expression: Mapping[str, Any] | None = None
    expire_after_seconds: int | None = None
    text_weights: Mapping[str, int] | None = None
    default_language: str | None = None
    language_override: str | None = None
    wildcard_projection: Mapping[str, Any] | None = None
    collation: Mapping[str, Any] | None = None
    hidden: bool = False
    ignore_deleted: bool | None = None
    name: str | None = None
    options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.keys:
            raise ConfigurationError("An index needs at least one field.")
        for field, direction in self.keys:
            if not isinstance(field, str) or not field:
                raise ConfigurationError(f"An index field is a non-empty name, not {field!r}.")
            if isinstance(direction, bool) or direction not in DIRECTIONS:
                raise ConfigurationError(
                    f"{direction!r} is no direction of an index.",
                    hint=f"Use one of {', '.join(map(repr, DIRECTIONS))}.",
                    field=field,
                )
        partial: Any = self.partial_filter_expression
        if partial is not None and not isinstance(partial, Mapping):
            raise ConfigurationError(f"partial_filter_expression is a filter, a mapping, not {partial!r}.")
        if self.name == "":
            raise ConfigurationError("The name of an index has at least one letter.")
        seconds: Any = self.expire_after_seconds
        if isinstance(seconds, timedelta):
            seconds = int(seconds.total_seconds())
            object.__setattr__(self, "expire_after_seconds", seconds)
        if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0):
            raise ConfigurationError(f"expire_after_seconds is a whole number from 0, not {seconds!r}.")

    @property
    def is_text(self) -> bool:
        """Whether it is a text index, of which a collection has one at most."""
        return any(kind == "text" for _, kind in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """Ask for an index on a field, in its annotation; what it says is what `IndexSpec` says.

    In a nested model the index is on the dotted path. Fields that are marked with `index_type="text"` make one text
    index together, because a collection has one at most.

    Attributes:
        unique: Whether two documents may not share the value.
        direction: 1 ascending, -1 descending.
        index_type: `"text"`, `"2dsphere"`, `"2d"` or `"hashed"` instead of a direction.
        sparse: Whether documents without the field are left out.
        partial_filter_expression: Only documents that match it are indexed.
        expire_after_seconds: Documents are removed that long after the date in the field.
        weight: How much the field counts in a text index.
        default_language: The language of a text index.
        language_override: The field that names a document's own language, in a text index.
        collation: How text is compared.
        hidden: Whether queries may not use it.
        ignore_deleted: Whether documents that were deleted softly are left out; by default a unique index does.
        name: The index's name.
        options: Any further option of `createIndexes`, under MongoDB's name.

    Example:
        >>> class User(BaseModel):
        ...     email: Annotated[EmailStr, Indexed(unique=True)]
    """

    unique: bool = False
    direction: int = 1
    index_type: str | None = None
    sparse: bool = False
    partial_filter_expression: Mapping[str, Any] | None = None
    expire_after_seconds: int | timedelta | None = None
    weight: int | None = None
    default_language: str | None = None
    language_override: str | None = None
    collation: Mapping[str, Any] | None = None
    hidden: bool = False
    ignore_deleted: bool | None = None
    name: str | None = None
    options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.weight is not None and self.index_type != "text":
            raise ConfigurationError("A weight belongs to a text index.", hint='Add index_type="text".')

    def __hash__(self) -> int:  # the mappings have none, and typing puts annotations into sets
        return hash(repr(self))

    def on(self, path: str) -> IndexSpec:
        """Return the index that the mark asks for on a field."""
        shared = {name: getattr(self, name) for name in _MARKED}
        weights = None if self.weight is None else {path: self.weight}
        return IndexSpec(keys=((path, self.index_type or self.direction),), text_weights=weights, **shared)


_MARKED = frozenset(field.name for field in fields(Indexed)) & frozenset(field.name for field in fields(IndexSpec))


def index_from(declaration: Any) -> IndexSpec:
    """Return the index that an entry of `Meta.indexes` declares.

    Args:
        declaration: `"email"`, `"-created_at"`, `("email", 1)`, `[("a", 1), ("b", -1)]`, `{"a": 1, "b": -1}`, a
            mapping of `IndexSpec`'s arguments with `"fields"` or `"keys"`, or an `IndexSpec`.

    Raises:
        ConfigurationError: When it is none of these.
    """
    if isinstance(declaration, IndexSpec):
        return declaration
    if isinstance(declaration, Mapping) and ("fields" in declaration or "keys" in declaration):
        given = dict(declaration)
        keys = given.pop("fields", None) or given.pop("keys", None)
        options = {**(given.pop("options", None) or {})}
        known = {name: given.pop(name) for name in list(given) if name in IndexSpec.__slots__}
        return IndexSpec(keys=keys_from(keys), options={**options, **given} or None, **known)
    return IndexSpec(keys=keys_from(declaration))


def keys_from(declaration: Any) -> tuple[tuple[str, Any], ...]:
    """Return pairs of field and direction from any of the usual ways to write them."""
    if isinstance(declaration, str):
        return ((declaration[1:], -1),) if declaration.startswith("-") else ((declaration, 1),)
    if isinstance(declaration, Mapping):
        return tuple(declaration.items())
    if isinstance(declaration, Sequence):
        if len(declaration) == 2 and isinstance(declaration[0], str) and declaration[1] in DIRECTIONS:
            return ((declaration[0], declaration[1]),)
        return tuple(
            pair
            for entry in declaration
            for pair in ([entry] if isinstance(entry, tuple) and len(entry) == 2 else keys_from(entry))
        )
    raise ConfigurationError(
        f"{declaration!r} declares no index.",
        hint='Write a field name, [("a", 1), ("b", -1)], {"a": 1, "b": -1} or an IndexSpec.',
    )


def marks_of(annotation: Any, metadata: Sequence[Any] = ()) -> tuple[Indexed, ...]:
    """Return the marks of a field: those of its own annotation, and those inside `| None`, lists and aliases."""
    found = [mark for mark in metadata if isinstance(mark, Indexed)]
    if any(mark is Indexed for mark in metadata):
        raise ConfigurationError("Indexed is written with parentheses: Annotated[str, Indexed()].")
    if isinstance(annotation, TypeAliasType):
        found += marks_of(annotation.__value__)
    elif get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        found += marks_of(inner, marks)
    else:
        for argument in get_args(annotation):
            if not isinstance(argument, str | int | bytes):  # the arguments of Literal
                found += marks_of(argument)
    return tuple(found)


def joined(marked: Sequence[IndexSpec]) -> list[IndexSpec]:
    """Return the indexes that marks ask for, those on text joined into one.

    Raises:
        ConfigurationError: When marks on text contradict each other.
    """
    text = [index for index in marked if index.is_text]
    if len(text) < 2:
        return list(marked)
    options: dict[str, Any] = {}
    weights: dict[str, int] = {}
    for index in text:
        weights.update(index.text_weights or {})
        for name in _MARKED:
            value = getattr(index, name)
            if value in (None, False):
                continue
            if options.setdefault(name, value) != value:
                raise ConfigurationError(
                    f"The marks of the text index contradict each other: {name} is {options[name]!r} and {value!r}.",
                    hint="A collection has one text index; say it once.",
                )
    one = IndexSpec(keys=tuple(key for index in text for key in index.keys), text_weights=weights or None, **options)
    return [index for index in marked if not index.is_text] + [one]
