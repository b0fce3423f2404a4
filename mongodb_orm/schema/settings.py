"""What a model says in `class Meta`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Literal, get_args

from ..exceptions import ConfigurationError
from ..expressions import Condition
from ..validators import Exists, Unique
from .naming import collection_name

LoadValidation = Literal["full", "standard", "types"]

_OWN_ONLY = frozenset({"collection_name", "abstract"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The settings of a model, as `class Meta` gives them; a subclass inherits all but the first two.

    Attributes:
        collection_name: The collection; default: the class name in snake case.
        abstract: Whether the class is only a base, with no collection.
        auto_create_indexes: Whether registration creates the indexes that `indexes` and marks on fields declare.
        indexes: Index declarations: a field name, a list of pairs, a mapping of fields to directions, or an
            `IndexSpec`.
        strict_mode: Whether unknown fields are refused; False keeps and stores them.
        use_auto_id: Whether ids are generated.
        id_field: The name of the id.
        id_factory: A callable without arguments that makes an id.
        mongo_uri: The server, when it is not the one given at registration.
        database_name: The database, when it is not the configuration's.
        validation_on_load: What is checked when a stored document is read: `"standard"` checks all but formats
            that were proved on writing and are expensive to prove again (`EmailStr`), `"full"` checks everything,
            `"types"` only types: neither constraints nor validators.
        default_scope: A condition that every query of the model obeys, or a function that returns one; `unscoped()`
            leaves it out.
        validators: Checks that ask the database: `unique(...)`, `exists(...)`; those of base classes hold too.
        scopes: Conditions by name, or functions that return one, for `scope(name)`; those of base classes included.
        protected: Fields that `patch()` and the routes of `crud_router` never set, those of base classes included; the
            id, timestamps and marks of soft deletion are always among them.
        discriminator: The field that names a document's class: the subclasses share this class's collection then, and
            reading gives objects of the class that a document names.
    """

    collection_name: str = ""
    abstract: bool = False
    auto_create_indexes: bool = True
    indexes: Sequence[Any] = ()
    strict_mode: bool = True
    use_auto_id: bool = True
    id_field: str = "id"
    id_factory: Any = None
    mongo_uri: str | None = None
    database_name: str | None = None
    validation_on_load: LoadValidation = "standard"
    validators: Sequence[Any] = ()
    default_scope: Any = None
    scopes: Mapping[str, Any] = field(default_factory=dict)
    discriminator: str = ""
    protected: Sequence[str] = ()


_NAMES = tuple(setting.name for setting in fields(ModelConfig))


def settings_of(model: type) -> ModelConfig:
    """Return the settings of a class: its own `Meta` over those of its bases.

    Raises:
        ConfigurationError: When a name or value makes no sense.
    """
    values: dict[str, Any] = {"scopes": {}}
    shared: str | None = None  # the collection of a family
    declaring: type | None = None  # the class that declares its discriminator
    inherited = {base.__dict__["Meta"] for base in model.__mro__[1:] if "Meta" in base.__dict__}
    for base in reversed(model.__mro__):
        meta = base.__dict__.get("Meta", object)
        own: dict[str, Any] = {
            name: value.__func__ if isinstance(value, staticmethod) else value
            for layer in reversed(meta.__mro__[:-1])
            for name, value in vars(layer).items()
            if not name.startswith("__") and not (name in _OWN_ONLY and layer in inherited - {meta})
        }
        _check(base, own)
        _check_family(base, own, shared, values)
        own["scopes"] = {**values["scopes"], **own.get("scopes", {})}
        values.update(own if base is model else {k: v for k, v in own.items() if k not in _OWN_ONLY})
        if declaring is None and "discriminator" in values:
            declaring = base
        if shared is None and declaring is not None and issubclass(base, declaring) and not own.get("abstract"):
            shared = str(own.get("collection_name") or collection_name(base.__name__))
    values["collection_name"] = shared or values.get("collection_name") or collection_name(model.__name__)
    return ModelConfig(**values)


def _check_family(model: type, own: Mapping[str, Any], shared: str | None, values: Mapping[str, Any]) -> None:
    """Refuse what only the class on top of a family can say.

    Raises:
        ConfigurationError: When a subclass says something else.
    """
    if shared is None:
        return
    for name, said in (("collection_name", shared), ("discriminator", values["discriminator"])):
        if own.get(name, said) != said:
            raise ConfigurationError(
                f"{model.__name__}.Meta.{name} is {own[name]!r}, but its parent has a discriminator and says {said!r}.",
                hint="Classes of one family share the collection; leave it out.",
                model=model.__name__,
                setting=name,
            )


def _check(model: type, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name not in _NAMES:
            near = get_close_matches(name, _NAMES, n=1)
            raise ConfigurationError(
                f"{model.__name__}.Meta has no setting {name!r}.",
                hint=f"Did you mean {near[0]!r}?" if near else f"Settings are: {', '.join(_NAMES)}.",
                model=model.__name__,
                setting=name,
            )
        problem = _problem(name, value)
        if problem:
            raise ConfigurationError(
                f"{model.__name__}.Meta.{name} {problem}.", model=model.__name__, setting=name, value=value
            )


def _problem(name: str, value: Any) -> str:
    if name == "discriminator" and not (isinstance(value, str) and value.isidentifier() and value[0] != "_"):
        return "must be a name without an underscore in front"
    if name in ("collection_name", "id_field") and (not isinstance(value, str) or not value):
        return "must be a non-empty string"
    if name == "collection_name" and (value.startswith("system.") or "$" in value or "\0" in value):
        return "must not contain $ or NUL, nor start with 'system.'"
    if name in ("abstract", "auto_create_indexes", "strict_mode", "use_auto_id") and not isinstance(value, bool):
        return "must be True or False"
    if name == "indexes" and (isinstance(value, str | Mapping) or not isinstance(value, Sequence)):
        return "must be a list of index declarations"
    if name == "protected" and not (
        isinstance(value, list | tuple | set | frozenset) and all(isinstance(field, str) for field in value)
    ):
        return "must be a list of field names"
    if name == "validators" and not (
        isinstance(value, list | tuple) and all(isinstance(v, Unique | Exists) for v in value)
    ):
        return "must be a list of unique(...) and exists(...)"
    if name == "default_scope" and not (value is None or callable(value) or _is_condition(value)):
        return "must be a condition, or a function that returns one"
    if name == "scopes" and not (
        isinstance(value, Mapping) and all(callable(scope) or _is_condition(scope) for scope in value.values())
    ):
        return "must be a mapping of names to conditions, or to functions that return one"
    if name == "id_factory" and value is not None and not callable(value):
        return "must be callable"
    if name == "validation_on_load" and value not in get_args(LoadValidation):
        return f"must be one of {', '.join(get_args(LoadValidation))}"
    return ""


def _is_condition(value: Any) -> bool:
    return isinstance(value, Condition | Mapping)
