"""A Pydantic model that knows its mapping and its state, and nothing of any database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import pydantic
from pydantic import ConfigDict, Field, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import core_schema

from ..exceptions import ConfigurationError, UnloadedFieldError
from ..expressions import FieldAccess
from ..timestamps import current_datetime
from ..types import teach_pydantic_object_ids
from .deletion import SoftDeletion
from .kinds import Family, join_family
from .mementos import is_open, touch
from .normalizing import with_utc_datetimes
from .settings import settings_of
from .signing import Signing
from .spec import ModelSpec
from .versioning import Versioning

C = TypeVar("C", bound="MappedModel")

_DELETED = b""

teach_pydantic_object_ids()


class MappedModel(pydantic.BaseModel):
    """The ground of every document class: fields, mapping and the state of an object.

    The state is the BSON that was last read from or written to the database, the database's name where it is not the
    model's own, and whether a write of it ended without an answer. It lives in slots, outside Pydantic's own
    bookkeeping, so that it costs nothing in validation, equality and dumps.
    """

    __slots__ = ("_mongo_database", "_mongo_doubt", "_mongo_snapshot")

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        arbitrary_types_allowed=True,
        json_schema_serialization_defaults_required=True,  # in OpenAPI a document that is shown has an id
    )

    f: ClassVar[FieldAccess] = FieldAccess()
    """Field paths for expressions: `User.f.age >= 18`."""

    __mongo_id_field__: ClassVar[str] = "id"
    __mongo_deletion__: ClassVar[SoftDeletion | None] = None
    __mongo_versioning__: ClassVar[Versioning | None] = None
    __mongo_signing__: ClassVar[Signing | None] = None
    __mongo_spec__: ClassVar[ModelSpec | None] = None
    __mongo_codec__: ClassVar[Any] = None
    __mongo_hooks__: ClassVar[Any] = None
    __mongo_family__: ClassVar[Family | None] = None
    __mongo_kind__: ClassVar[str | None] = None
    __mongo_kind_field__: ClassVar[str] = ""

    if TYPE_CHECKING:
        id: Any = None
    else:
        id: int = Field(default=None)
    created_at: datetime = Field(default_factory=current_datetime)
    updated_at: datetime = Field(default_factory=current_datetime)

    def __init__(self, /, **data: Any) -> None:
        """Validate `data` into a new object.

        A result of `aggregate` carries `_id` beside the id, so `_id` is taken for the id where the id is missing.

        Raises:
            ValidationError: When the data does not fit.
        """
        id_field = self.__mongo_id_field__
        if "_id" in data:
            stored = data.pop("_id")
            data.setdefault(id_field, stored)
        if id_field in data and data[id_field] is None:
            del data[id_field]
        super().__init__(**data)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        settings = settings_of(cls)
        cls.__mongo_spec__ = None
        cls.__mongo_codec__ = None
        cls.__mongo_id_field__ = settings.id_field
        changed = _complete_id_field(cls, settings.id_field)
        changed = join_family(cls, settings) or changed
        if not settings.strict_mode and cls.model_config.get("extra") != "allow":
            cls.model_config["extra"] = "allow"
            changed = True
        if changed:
            cls.model_rebuild(force=True, raise_errors=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        schema: core_schema.CoreSchema = with_utc_datetimes(handler(source))
        return schema

    if not TYPE_CHECKING:  # a checker would take every misspelt attribute for a field

        def __getattr__(self, name: str) -> Any:
            if name in type(self).__pydantic_fields__:
                raise UnloadedFieldError(
                    f"{type(self).__name__}.{name} was not loaded.",
                    hint="Ask for it in only(), or call refresh_from_db().",
                    model=type(self).__name__,
                    field=name,
                )
            return super().__getattr__(name)

        def __setattr__(self, name: str, value: Any) -> None:
            if is_open.count:
                touch(self)
            super().__setattr__(name, value)

    def get_deferred_fields(self) -> frozenset[str]:
        """Return the fields that were not loaded, because the query left them out."""
        return frozenset(type(self).__pydantic_fields__.keys() - vars(self).keys())

    def __repr__(self) -> str:
        id_field = self.__mongo_id_field__
        return f"<{type(self).__name__}({id_field}={self.__dict__.get(id_field)!r})>"

    def __str__(self) -> str:
        return repr(self)

    def __copy__(self) -> Self:
        return carry_state(self, super().__copy__())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return carry_state(self, super().__deepcopy__(memo))

    def __getstate__(self) -> dict[Any, Any]:
        state: dict[Any, Any] = super().__getstate__()
        return {**state, **{slot: getattr(self, slot) for slot in STATE_SLOTS if hasattr(self, slot)}}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        kept = {slot: state.pop(slot) for slot in STATE_SLOTS if slot in state}
        super().__setstate__(state)
        for slot, value in kept.items():
            object.__setattr__(self, slot, value)


STATE_SLOTS = ("_mongo_snapshot", "_mongo_database", "_mongo_doubt")
"""What an object carries beside its fields."""

# The slots themselves: through the object an empty one would ask `__getattr__`, ours and Pydantic's.
_snapshot_slot: Any = MappedModel.__dict__["_mongo_snapshot"]
_database_slot: Any = MappedModel.__dict__["_mongo_database"]
_doubt_slot: Any = MappedModel.__dict__["_mongo_doubt"]

set_snapshot = _snapshot_slot.__set__
"""Remember the BSON of an object as the database has it."""


def raw_of(document: MappedModel) -> bytes | None:
    """Return the BSON as the database has it, empty for an object that was removed, None for a new one."""
    try:
        raw: bytes | None = _snapshot_slot.__get__(document)
    except AttributeError:
        return None
    return raw


def snapshot_of(document: MappedModel) -> bytes | None:
    """Return the BSON as the database has it, or None for an object that is not stored."""
    return raw_of(document) or None


def is_new(document: MappedModel) -> bool:
    """Return whether the object was never stored."""
    return raw_of(document) is None


def is_deleted(document: MappedModel) -> bool:
    """Return whether the object was removed through this instance."""
    return raw_of(document) == _DELETED


def mark_deleted(document: MappedModel) -> None:
    """Remember that the object was removed, so that a save does not bring it back unnoticed."""
    set_snapshot(document, _DELETED)


def carry_state(source: MappedModel, copy: C) -> C:
    """Give a copy the state of its source: it stands for the same stored document."""
    raw, database = raw_of(source), database_of(source)
    if raw is not None:
        set_snapshot(copy, raw)
    if database is not None:
        _database_slot.__set__(copy, database)
    if is_doubtful(source):
        doubt(copy)
    return copy


def doubt(document: MappedModel) -> None:
    """Remember that a write of an object ended without an answer, until it is read or written again."""
    _doubt_slot.__set__(document, raw_of(document))


def is_doubtful(document: MappedModel) -> bool:
    """Return whether nobody knows if the last write of an object is stored."""
    try:
        raw: bytes | None = _doubt_slot.__get__(document)
    except AttributeError:
        return False
    return raw is raw_of(document)


def database_of(document: MappedModel) -> str | None:
    """Return the name of the database that an object was read from, None for its model's own."""
    try:
        database: str | None = _database_slot.__get__(document)
    except AttributeError:
        return None
    return database


def set_database(document: MappedModel, database: str) -> None:
    """Remember that an object lives in another database than its model's own."""
    _database_slot.__set__(document, database)


def spec_of(model: type[pydantic.BaseModel]) -> ModelSpec:
    """Return the mapping of a model class, built on first use.

    Raises:
        ConfigurationError: When the class cannot be mapped.
    """
    spec: ModelSpec | None = model.__dict__.get("__mongo_spec__")
    if spec is None:
        if not (isinstance(model, type) and issubclass(model, MappedModel)):
            raise ConfigurationError(
                f"{model!r} is not a document model.", hint="Derive it from mongodb_orm.BaseModel."
            )
        if not model.__pydantic_complete__:
            model.model_rebuild()
        settings = settings_of(model)
        spec = ModelSpec(model, settings, _deletion_of(model), model.__mongo_versioning__, model.__mongo_signing__)
        model.__mongo_spec__ = spec
    return spec


def is_abstract(model: type[MappedModel]) -> bool:
    """Return whether a class is only a base: said in `Meta`, or generic and without its parameters."""
    generic: Mapping[str, Any] = model.__pydantic_generic_metadata__
    return settings_of(model).abstract or bool(generic["parameters"])


def _deletion_of(model: type[MappedModel]) -> SoftDeletion | None:
    deletion = model.__mongo_deletion__
    if deletion is not None and not {deletion.flag, deletion.moment} <= model.__pydantic_fields__.keys():
        raise ConfigurationError(
            f"{model.__name__} deletes softly but lacks {deletion.flag!r} or {deletion.moment!r}.",
            model=model.__name__,
        )
    return deletion


def _complete_id_field(cls: type[MappedModel], id_field: str) -> bool:
    """Make the id optional before it is known, and let `Meta.id_field` replace the field `id`."""
    fields = cls.__pydantic_fields__
    changed = False
    inherited = fields.get("id")
    if id_field != "id" and inherited is not None and inherited.annotation is int and inherited.default is None:
        del fields["id"]
        changed = True
    if id_field not in fields:
        fields[id_field] = FieldInfo.from_annotated_attribute(int, None)
        changed = True
    elif fields[id_field].is_required():
        fields[id_field].default = None
        changed = True
    return changed
