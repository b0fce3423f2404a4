"""`mongodb-orm indexes plan` and `apply`."""

from __future__ import annotations

from typing import Annotated

import typer

from ..indexes import Drop, IndexChanges, IndexManager, IndexPlan
from .session import FOUND, Session, output, run

app: typer.Typer = typer.Typer(
    no_args_is_help=True, help="Compare the declared indexes with the server's, and build them."
)

Names = Annotated[list[str] | None, typer.Argument(help="Names of models. Default: all.", metavar="MODEL")]


@app.command()
def plan(context: typer.Context, names: Names = None) -> None:
    """Show what differs; exit code 1 when something does."""
    session: Session = context.obj

    async def work() -> list[IndexPlan]:
        return [await IndexManager(model).plan() for model in await session.models(names)]

    plans = run(work())
    for each in plans:
        output.print(str(each), markup=False)
    if any(plans):
        raise typer.Exit(FOUND)


@app.command()
def apply(
    context: typer.Context,
    names: Names = None,
    hide: Annotated[bool, typer.Option("--hide", help="Hide indexes that are not declared.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Drop them, and rebuild what is declared differently.")] = False,
) -> None:
    """Build what is missing. Nothing is dropped unless --drop says so."""
    session: Session = context.obj

    async def work() -> list[IndexChanges]:
        how: Drop = True if drop else "hide" if hide else False
        return [await IndexManager(model).apply(drop=how) for model in await session.models(names)]

    for changes in run(work()):
        output.print(str(changes), markup=False)
