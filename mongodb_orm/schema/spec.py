"""A model's mapping as data: fields and their stored names, id, deletion, indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import pydantic

from ..exceptions import ConfigurationError, UnknownFieldError
from ..ids import FactoryId, IdStrategy, strategy_for
from ..tracking import Known
from .deletion import SoftDeletion
from .indexes import Indexed, IndexSpec, index_from, joined, marks_of
from .kinds import Family, family_of
from .settings import ModelConfig, settings_of
from .shapes import ANY, Shape, shape_of_field
from .signing import Signing
from .versioning import Versioning


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a model.

    Attributes:
        name: Its name in Python.
        stored: Its name in the database.
        shape: What its annotation looks like.
        marks: The indexes that its annotation asks for.
    """

    name: str
    stored: str
    shape: Shape
    marks: tuple[Indexed, ...] = ()


Fields = Mapping[str, FieldSpec]

_FIELDS: WeakKeyDictionary[type[pydantic.BaseModel], Fields] = WeakKeyDictionary()


def fields_of(model: type[pydantic.BaseModel]) -> Fields:
    """Return the fields of any Pydantic model, nested ones included, by Python name."""
    found = _FIELDS.get(model)
    if found is None:
        if not model.__pydantic_complete__:
            model.model_rebuild()
        id_field = getattr(model, "__mongo_id_field__", None)
        kind_field = getattr(model, "__mongo_kind_field__", None)  # any kind may be asked for
        found = {
            name: FieldSpec(
                name,
                "_id" if name == id_field else stored_name(name, info),
                Shape(str, "scalar") if name == kind_field else shape_of_field(info),
                marks_of(info.annotation, info.metadata),
            )
            for name, info in model.__pydantic_fields__.items()
        }
        _FIELDS[model] = found
    return found


def stored_name(name: str, info: Any) -> str:
    """Return the name under which a field is stored: its alias for serialization, else its own name."""
    alias = info.serialization_alias or info.alias
    return alias if isinstance(alias, str) else name


def accepts_extra(model: type[pydantic.BaseModel]) -> bool:
    """Return whether a model keeps fields that it does not declare."""
    return model.model_config.get("extra") == "allow"


def known_names(model: type[pydantic.BaseModel], *, seen: frozenset[type] = frozenset()) -> Known | None:
    """Return the tree of stored names that a model knows; None where it keeps whatever comes."""
    if model in seen or accepts_extra(model):
        return None
    seen = seen | {model}
    return {
        field.stored: known_names(field.shape.model, seen=seen) if field.shape.model else None
        for field in fields_of(model).values()
    }


class ModelSpec:
    """What is known of a model class; built once per class, by `spec_of`.

    Attributes:
        model: The class.
        name: The class's name.
        settings: Its `class Meta`.
        collection: Its collection.
        id_field: The Python name of `_id`.
        id_strategy: Where ids come from.
        fields: The fields by Python name.
        names: Python names by stored name.
        family: The classes that share its collection, or None.
        kind: What it is called in documents of that collection.
        kinds: The kinds of documents that it sees; empty when it sees all.
        deletion: How deleting marks, or None when it removes.
        versioning: How stale saves are found, or None when they are not looked for.
        signing: How documents name who wrote them, or None when they do not.
        keywords: The keyword lookups that were taken apart before.
        paths: The paths that were resolved before.
        sightings: The shapes of queries that this process has seen.
    """

    def __init__(
        self,
        model: type[pydantic.BaseModel],
        settings: ModelConfig,
        deletion: SoftDeletion | None,
        versioning: Versioning | None,
        signing: Signing | None,
    ) -> None:
        self.model = model
        self.name: str = model.__name__
        self.settings = settings
        self.collection: str = settings.collection_name
        self.id_field: str = settings.id_field
        self.fields: Fields = fields_of(model)
        self.names: dict[str, str] = {field.stored: field.name for field in self.fields.values()}
        if len(self.names) < len(self.fields):
            raise ConfigurationError(
                f"Two fields of {self.name} have the same alias, so they would overwrite each other.",
                model=self.name,
            )
        self.id_shape: Shape = self.fields[self.id_field].shape
        self.id_strategy: IdStrategy = (
            FactoryId(settings.id_factory)
            if settings.id_factory is not None
            else strategy_for(self.id_shape.annotation, auto=settings.use_auto_id)
        )
        self.deletion = deletion
        self.versioning = versioning
        self.signing = signing
        self.family: Family | None = family_of(model)
        self.kind: str | None = getattr(model, "__mongo_kind__", None)
        self.kinds: tuple[str, ...] = (
            () if self.family is None or self.family.root is model else tuple(self.family.below(model))
        )
        self.accepts_extra: bool = accepts_extra(model)
        self.keywords: dict[str, Any] = {}
        self.paths: dict[tuple[str, ...], Resolved] = {}
        self.sightings: dict[Any, Any] = {}

    @cached_property
    def documents(self) -> Shape:
        """The shape of whole stored documents; a pipeline's results have this very object while they are whole."""
        return Shape(self.model, "model", model=self.model)

    @cached_property
    def indexes(self) -> tuple[IndexSpec, ...]:
        """The declared indexes: those that fields ask for, then those of `Meta.indexes`."""
        marked = joined(list(_marked(self.model, (), frozenset())))
        return (*marked, *map(index_from, self.settings.indexes))

    @cached_property
    def protected(self) -> frozenset[str]:
        """The fields that what a client sends must not set.

        Raises:
            ConfigurationError: When `Meta.protected` names none.
        """
        names = {self.id_field, "created_at", "updated_at", *_declared_protected(self.model)}
        if self.versioning is not None:
            names.add(self.versioning.field)
        if unknown := sorted(names - self.fields.keys()):
            raise ConfigurationError(
                f"{self.name}.Meta.protected names {unknown[0]!r}, which is no field.",
                model=self.name,
                setting="protected",
            )
        if self.deletion is not None:
            names |= {self.deletion.flag, self.deletion.moment}
        if self.signing is not None:
            names |= {self.signing.creator, self.signing.updater}
        if self.family is not None:
            names.add(self.family.discriminator)
        return frozenset(names)

    @cached_property
    def known(self) -> Known:
        """The tree of stored names, for finding changes."""
        names = known_names(self.model)
        if names is not None:
            return names
        return {
            field.stored: known_names(field.shape.model) if field.shape.model else None
            for field in self.fields.values()
        }

    @cached_property
    def nested_datetimes(self) -> tuple[str, ...]:
        """The fields with nested models that hold datetimes."""
        return tuple(
            field.name
            for field in self.fields.values()
            if field.shape.kind != "scalar" and _holds_datetimes(field.shape, frozenset())
        )

    def __repr__(self) -> str:
        return f"<ModelSpec {self.name} in {self.collection!r}>"


def _declared_protected(model: type[pydantic.BaseModel]) -> Iterator[str]:
    """Yield what a class and its bases protect: a subclass cannot take it back unnoticed."""
    for base in model.__mro__:
        for layer in getattr(base.__dict__.get("Meta"), "__mro__", ()):
            yield from vars(layer).get("protected", ())


def _marked(model: type[pydantic.BaseModel], path: tuple[str, ...], above: frozenset[type]) -> Iterator[IndexSpec]:
    """Yield the indexes that the fields of a model and of the models inside it ask for.

    A document class that is embedded keeps its indexes for its own collection, and below a mapping no path is known.
    """
    for field in fields_of(model).values():
        here = (*path, field.name)
        for mark in field.marks:
            if here == (getattr(model, "__mongo_id_field__", None),):
                raise ConfigurationError(
                    f"{model.__name__}.{field.name} is the id, which has its index anyway.", model=model.__name__
                )
            yield mark.on(".".join(here))
        for inner in _embedded(field.shape):
            if inner not in above and inner is not model:
                yield from _marked(inner, here, above | {model})


def _embedded(shape: Shape) -> Iterator[type[pydantic.BaseModel]]:
    if shape.kind == "model" and shape.model is not None:
        if not hasattr(shape.model, "__mongo_id_field__") or settings_of(shape.model).abstract:
            yield shape.model
    elif shape.kind == "array" and shape.element is not None:
        yield from _embedded(shape.element)
    for member in shape.members:
        yield from _embedded(member)


def _holds_datetimes(shape: Shape, seen: frozenset[type]) -> bool:
    if shape.kind == "model" and shape.model is not None:
        if shape.model in seen:
            return False
        seen = seen | {shape.model}
        return any(_holds_datetimes(field.shape, seen) for field in fields_of(shape.model).values())
    if shape.element is not None:
        return _holds_datetimes(shape.element, seen)
    if shape.members:
        return any(_holds_datetimes(member, seen) for member in shape.members)
    return shape.kind == "any" or shape.annotation is datetime


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a path leads.

    Attributes:
        stored: The dotted stored path.
        shape: The shape found there.
        steps: For each step, the stored name and the shape that it is taken from.
    """

    stored: str
    shape: Shape
    steps: tuple[tuple[str, Shape], ...] = ()


def step(shape: Shape, part: str) -> tuple[str, Shape] | None:
    """Go from a shape to one of its members.

    Returns:
        The member's stored name and its shape, or None when there is no such member.
    """
    if shape.kind == "model" and shape.model is not None:
        field = fields_of(shape.model).get(part)
        if field is None:
            field = next((f for f in fields_of(shape.model).values() if f.stored == part), None)
        if field is not None:
            return field.stored, field.shape
        return (part, ANY) if accepts_extra(shape.model) and _is_name(part) else None
    if shape.kind == "array" and shape.element is not None:
        if part in shape.fields:
            return shape.fields[part]
        if part.isdigit() or _is_position(part):
            return part, shape.element
        if shape.fields:
            return None
        return step(shape.element, part)
    if shape.kind == "mapping":
        return (part, shape.element or ANY) if _is_name(part) or _is_position(part) else None
    if shape.kind == "any":
        return (part, ANY) if _is_name(part) or _is_position(part) else None
    if shape.kind == "record":
        stored = next((member for member in shape.fields.values() if member[0] == part), None)
        return shape.fields.get(part) or stored or ((part, ANY) if shape.is_open and _is_name(part) else None)
    for member in shape.members:
        found = step(member, part)
        if found is not None:
            return found
    return None


def _is_name(part: str) -> bool:
    """Return whether a part of a path can be a field's name: one that begins with $ would be an operator."""
    return part != "" and part[0] != "$" and "\0" not in part


def _is_position(part: str) -> bool:
    return part == "$" or (part.startswith("$[") and part.endswith("]"))


_KEPT_PATHS = 10_000
"""How many paths of a model are remembered: a dict field has as many as its keys, which may come from outside."""


def resolve(spec: ModelSpec, path: tuple[str, ...]) -> Resolved:
    """Translate a path of Python names.

    Raises:
        UnknownFieldError: When a step leads nowhere.
    """
    known = spec.paths.get(path)
    if known is not None:
        return known
    resolved = resolve_from(spec.name, Shape(spec.model, "model", model=spec.model), path)
    if len(spec.paths) < _KEPT_PATHS:
        spec.paths[path] = resolved
    return resolved


def resolve_from(name: str, shape: Shape, path: tuple[str, ...]) -> Resolved:
    """Translate a path of Python names that begins at a shape, which messages call `name`.

    Raises:
        UnknownFieldError: When a step leads nowhere.
    """
    steps: list[tuple[str, Shape]] = []
    for position, part in enumerate(path):
        found = step(shape, part)
        if found is None:
            raise UnknownFieldError(
                ".".join((name, *path[:position])), ".".join(path) if not position else part, member_names(shape)
            )
        steps.append((found[0], shape))
        shape = found[1]
    return Resolved(".".join(stored for stored, _ in steps), shape, tuple(steps))


def member_names(shape: Shape) -> list[str]:
    """Return the names that may follow a shape in a path, for suggestions."""
    if shape.kind == "record" or shape.fields:
        return [name for name in shape.fields if not name.isdigit()]
    if shape.model is not None:
        return list(fields_of(shape.model))
    if shape.element is not None:
        return member_names(shape.element)
    return [name for member in shape.members for name in member_names(member)]
