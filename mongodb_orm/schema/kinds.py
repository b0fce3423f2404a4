"""Classes that share one collection: each is a kind, named by a field of the stored document."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from ..exceptions import ConfigurationError
from .settings import ModelConfig


@dataclass(slots=True)
class Family:
    """The classes of one collection.

    Attributes:
        root: The class on top, which sees every document.
        discriminator: The name of the field that holds the kind.
        members: The concrete classes by their kind.
    """

    root: type
    discriminator: str
    members: dict[str, type] = field(default_factory=dict)

    def below(self, model: type) -> Mapping[str, type]:
        """Return the kinds that a class sees: its own and those of its subclasses."""
        return {kind: member for kind, member in self.members.items() if issubclass(member, model)}


def family_of(model: Any) -> Family | None:
    """Return the family of a class, or None for a class with a collection of its own."""
    family: Family | None = model.__mongo_family__
    return family


def join_family(cls: Any, settings: ModelConfig) -> bool:
    """Make a concrete class with a discriminator a kind of its family, the first one its root.

    Returns:
        Whether its fields changed.

    Raises:
        ConfigurationError: When the field cannot hold a kind, or the kind is taken.
    """
    if not settings.discriminator or settings.abstract or cls.__pydantic_generic_metadata__["parameters"]:
        return False
    family = family_of(cls)
    if family is None:
        family = cls.__mongo_family__ = Family(cls, settings.discriminator)
    elif settings.id_field != family.root.__mongo_id_field__:  # type: ignore[attr-defined]
        raise ConfigurationError(
            f"{cls.__name__} shares the collection of {family.root.__name__}, so it has the same id.",
            model=cls.__name__,
            setting="id_field",
        )
    kind = _kind_of(cls, family.discriminator)
    rival = family.members.get(kind)
    if rival is not None and _address(rival) != _address(cls):  # the same address is a module that is run again
        raise ConfigurationError(
            f"{cls.__name__} and {rival.__name__} are both of kind {kind!r}.",
            hint=f"Give one of them another default: {family.discriminator}: str = ...",
            model=cls.__name__,
        )
    family.members[kind] = cls
    cls.__mongo_kind__, cls.__mongo_kind_field__ = kind, family.discriminator
    for member in {family.root, *family.members.values()}:  # what was built without the new kind
        member.__mongo_spec__ = member.__mongo_codec__ = None  # type: ignore[attr-defined]
    fields: dict[str, FieldInfo] = cls.__pydantic_fields__
    info = copy(fields[family.discriminator]) if family.discriminator in fields else FieldInfo(annotation=str)
    info.annotation, info.default, info.default_factory = Literal[kind], kind, None  # type: ignore[assignment]
    fields[family.discriminator] = info
    return True


def _kind_of(cls: Any, name: str) -> str:
    """Return the kind that the class gives as its field's default, or the class's name."""
    info = cls.__pydantic_fields__.get(name)
    if info is None:
        return str(cls.__name__)
    choices = get_args(info.annotation) if get_origin(info.annotation) is Literal else ()
    default = choices[0] if info.is_required() and len(choices) == 1 else info.default
    if info.annotation is not str and not (choices and all(isinstance(choice, str) for choice in choices)):
        raise ConfigurationError(
            f"{cls.__name__}.{name} is the discriminator, so it is a str.", model=cls.__name__, setting="discriminator"
        )
    inherited = {base.__dict__.get("__mongo_kind__") for base in cls.__mro__[1:]}
    is_own = isinstance(default, str) and default and default not in inherited
    return default if is_own else str(cls.__name__)


def _address(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__
