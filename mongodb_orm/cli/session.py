"""What every command needs: the database and the models that were asked for, errors as exit codes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console

from ..connections import DatabaseConfig, close_all_connections
from ..exceptions import MongoDBORMError
from ..registration import register_all_models
from ..schema import MappedModel, spec_of

R = TypeVar("R")

FOUND = 1
"""The exit code of a command that found something: a difference, a misfit, a database that is down."""

FAILED = 3
"""The exit code of a command that could not do its work; 2 is a wrong use."""

output: Console = Console(highlight=False, soft_wrap=True)
errors: Console = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Session:
    """The options before the command.

    Attributes:
        uri: The server; None for `MONGO_URI`.
        database: The database; None for `MONGO_DATABASE`.
        driver: `"motor"` or `"pymongo"`; None for the default.
        modules: The modules and packages whose models are used.
    """

    uri: str | None = None
    database: str | None = None
    driver: str | None = None
    modules: list[str] = field(default_factory=list)

    def config(self) -> DatabaseConfig:
        """Return the configuration; what was not given comes from the environment."""
        given = {"mongo_uri": self.uri, "database_name": self.database, "driver": self.driver}
        return DatabaseConfig(**{name: value for name, value in given.items() if value is not None})

    async def models(self, names: list[str] | None = None) -> list[type[MappedModel]]:
        """Register and return the models, all or those named; indexes are not created.

        Raises:
            BadParameter: When no module was given, or a model is in none of them.
        """
        if not self.modules:
            raise typer.BadParameter("Say where the models are: mongodb-orm --models shop.models ...")
        folder = str(Path.cwd())
        if folder not in sys.path:
            sys.path.insert(0, folder)
        found: dict[type[MappedModel], None] = {}
        for module in self.modules:
            for model in await register_all_models(module, db_config=self.config(), create_indexes=False):
                found[model] = None
        if not names:
            return list(found)
        by_name = {spec_of(model).name: model for model in found}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise typer.BadParameter(f"There is no model {unknown[0]!r}. There are: {', '.join(sorted(by_name))}.")
        return [by_name[name] for name in names]


def run(work: Coroutine[Any, Any, R]) -> R:
    """Run a command's work, close what it opened, and turn the package's errors into an exit code."""

    async def whole() -> R:
        try:
            return await work
        finally:
            await close_all_connections()

    try:
        return asyncio.run(whole())
    except MongoDBORMError as error:
        errors.print(f"[red]{type(error).__name__}[/]: ", end="")
        errors.print(str(error), markup=False)
        raise typer.Exit(FAILED) from error
