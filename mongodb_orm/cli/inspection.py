"""`mongodb-orm inspect`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..codec import decode_all
from ..commands import Aggregate
from ..executor import stream
from ..model import BaseModel
from ..registration import register_model
from .inspecting import propose_model
from .session import FOUND, Session, errors, run


def inspect(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="The collection's name.", metavar="COLLECTION")],
    sample: Annotated[int, typer.Option("--sample", help="How many documents to look at.", metavar="N", min=1)] = 1000,
    name: Annotated[str | None, typer.Option("--name", help="The class's name.", metavar="NAME")] = None,
) -> None:
    """Propose a model class for a collection, as Python source."""
    session: Session = context.obj
    documents = run(_sampled(session, collection, sample))
    if not documents:
        errors.print(f"{collection!r} is empty, or there is no such collection.", markup=False)
        raise typer.Exit(FOUND)
    typer.echo(propose_model(collection, documents, name=name), nl=False)


async def _sampled(session: Session, collection: str, size: int) -> list[Any]:
    class Sampled(BaseModel):
        class Meta:
            collection_name = collection

    await register_model(Sampled, session.config())
    chunks = stream(Sampled, Aggregate(pipeline=[{"$sample": {"size": size}}]))
    return [document async for chunk in chunks for document in decode_all(chunk)]
