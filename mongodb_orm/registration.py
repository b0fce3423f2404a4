"""Connecting model classes to databases."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, TypeVar

from .connections import DatabaseConfig, connections
from .exceptions import RegistrationError
from .indexes import ensure_indexes
from .schema import MappedModel, is_abstract, remember, spec_of

M = TypeVar("M", bound=MappedModel)


async def register_model(
    model: type[M],
    db_config: DatabaseConfig | None = None,
    client: Any = None,
    *,
    database_name: str | None = None,
    create_indexes: bool | None = None,
) -> type[M]:
    """Connect a model to a database, and create the indexes that it declares.

    Registering again replaces the connection. Nothing is opened before the model is used, unless there are indexes to
    create.

    Args:
        model: The class.
        db_config: Where the database is; default: from `Meta.mongo_uri` or the environment.
        client: A Motor, PyMongo Async or mongomock-motor client of your own, which is never closed for you.
        database_name: The database; default: `Meta.database_name`, then the configuration's.
        create_indexes: Whether declared indexes are created now; default: as `Meta.auto_create_indexes` says.

    Returns:
        The class.

    Raises:
        RegistrationError: When the class is no concrete model.
        ConfigurationError: When the class or the configuration makes no sense.

    Example:
        >>> await register_model(User, db_config=DatabaseConfig(mongo_uri="mongodb://localhost:27017"))
    """
    if not (isinstance(model, type) and issubclass(model, MappedModel)):
        raise RegistrationError(f"{model!r} is not a model class.", hint="Derive it from mongodb_orm.BaseModel.")
    if is_abstract(model):
        raise RegistrationError(
            f"{model.__name__} is abstract.", hint="Register the classes that derive from it.", model=model.__name__
        )
    spec = spec_of(model)
    indexes = spec.indexes
    if client is None and db_config is None and spec.settings.mongo_uri:
        db_config = DatabaseConfig(mongo_uri=spec.settings.mongo_uri)
    connections.bind(model, config=db_config, client=client, database_name=database_name or spec.settings.database_name)
    remember(model)
    if indexes and (spec.settings.auto_create_indexes if create_indexes is None else create_indexes):
        await ensure_indexes(model)
    return model


async def register_models(
    *models: type[MappedModel],
    db_config: DatabaseConfig | None = None,
    client: Any = None,
    database_name: str | None = None,
    create_indexes: bool | None = None,
) -> list[type[MappedModel]]:
    """Connect several models to one database; a list of models is taken too.

    Returns:
        The classes.
    """
    flat: list[Any] = []
    for entry in models:
        flat += entry if isinstance(entry, list | tuple) else [entry]
    options: dict[str, Any] = {"database_name": database_name, "create_indexes": create_indexes}
    return [await register_model(model, db_config, client, **options) for model in flat]


async def register_all_models(
    module: str | ModuleType,
    db_config: DatabaseConfig | None = None,
    client: Any = None,
    *,
    database_name: str | None = None,
    create_indexes: bool | None = None,
) -> list[type[MappedModel]]:
    """Connect every concrete model of a module, or of a package and all of its submodules.

    Models that the module defines are registered; of those that it only imports, the ones that are not registered
    yet. Abstract bases are passed over.

    Args:
        module: A module, or its name; `__name__` for the calling module.
        db_config: Where the database is; default: from the environment.
        client: A client of your own, which is never closed for you.
        database_name: The database, when it is not the configuration's.
        create_indexes: Whether declared indexes are created now; default: as each model says.

    Returns:
        The classes, in the order in which they were defined.

    Raises:
        RegistrationError: When the module cannot be imported or has no model.

    Example:
        >>> await register_all_models(__name__)
    """
    found = list(dict.fromkeys(_models_of(module)))
    if not found:
        name = module if isinstance(module, str) else module.__name__
        raise RegistrationError(
            f"{name} has no model.", hint="Name the module or package whose classes derive from BaseModel.", module=name
        )
    return await register_models(
        *found, db_config=db_config, client=client, database_name=database_name, create_indexes=create_indexes
    )


def _models_of(module: str | ModuleType) -> Iterable[type[MappedModel]]:
    for loaded in _modules(module):
        for value in list(vars(loaded).values()):
            if not (isinstance(value, type) and issubclass(value, MappedModel)) or is_abstract(value):
                continue
            defined_here = value.__module__ == loaded.__name__
            if defined_here or not connections.is_bound(value):
                yield value


def _modules(module: str | ModuleType) -> Iterable[ModuleType]:
    root = module if isinstance(module, ModuleType) else _imported(module)
    yield root
    for info in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{root.__name__}.", onerror=_refuse):
        if not info.name.rpartition(".")[2].startswith("__"):
            yield _imported(info.name)


def _imported(name: str) -> ModuleType:
    if not isinstance(name, str) or not name:
        raise RegistrationError(f"{name!r} is no module.", hint="Pass a module or its name, such as __name__.")
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RegistrationError(
            f"The module {name!r} cannot be imported: {error}.", hint="Is its folder on sys.path?", module=name
        ) from error


def _refuse(name: str) -> None:
    raise RegistrationError(f"The package {name!r} cannot be imported.", module=name) from sys.exc_info()[1]
