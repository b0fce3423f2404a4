"""The commands and the options before them."""

from __future__ import annotations

from typing import Annotated

import typer

from . import checking, health, indexes, inspection, models, server, shell
from .session import Session

app: typer.Typer = typer.Typer(
    name="mongodb-orm",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Look at and take care of a MongoDB database and its models.",
    epilog="Exit codes: 0 all is well, 1 something was found, 2 wrong use, 3 the work could not be done.",
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    context: typer.Context,
    uri: Annotated[
        str | None, typer.Option("--uri", "-u", metavar="URI", help="The server. Default: MONGO_URI.")
    ] = None,
    database: Annotated[
        str | None, typer.Option("--database", "-d", metavar="NAME", help="Default: MONGO_DATABASE.")
    ] = None,
    driver: Annotated[str | None, typer.Option("--driver", metavar="NAME", help="motor or pymongo.")] = None,
    module: Annotated[
        list[str] | None,
        typer.Option(
            "--models",
            "-m",
            help="A module or package with models. May be repeated.",
            metavar="MODULE",
            envvar="MONGODB_ORM_MODELS",
        ),
    ] = None,
) -> None:
    """Keep the options for the command."""
    context.obj = Session(uri, database, driver, module or [])


app.command("models")(models.models)
app.add_typer(indexes.app, name="indexes")
app.command("health")(health.health)
app.command("inspect")(inspection.inspect)
app.command("check")(checking.check)
app.command("shell")(shell.shell)
app.command("server")(server.server)
