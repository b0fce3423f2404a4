"""`mongodb-orm models`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from ..schema import MappedModel, spec_of
from .session import Session, output, run


def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models: collection, id, fields, indexes."""
    session: Session = context.obj
    described = [_described(model) for model in run(session.models())]
    if as_json:
        typer.echo(json.dumps(described, indent=2))
        return
    table = Table("Model", "Collection", "Id", "Fields", "Indexes", "Deletes")
    for row in described:
        table.add_row(
            row["model"], row["collection"], row["id"], ", ".join(row["fields"]), str(row["indexes"]), row["deletes"]
        )
    output.print(table)


def _described(model: type[MappedModel]) -> dict[str, Any]:
    spec = spec_of(model)
    return {
        "model": spec.name,
        "module": model.__module__,
        "collection": spec.collection,
        "id": getattr(spec.id_shape.annotation, "__name__", str(spec.id_shape.annotation)),
        "fields": list(spec.fields),
        "indexes": len(spec.indexes),
        "deletes": "softly" if spec.deletion else "for good",
    }
