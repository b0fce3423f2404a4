"""`mongodb-orm check`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, NamedTuple

import typer
from pydantic import ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..codec import codec_of, decode, split
from ..commands import EstimatedCount, Find
from ..exceptions import CorruptDocumentError
from ..executor import run as execute
from ..executor import stream
from ..schema import MappedModel, ModelSpec, spec_of
from .session import FOUND, Session, errors, output, run

_BATCH = 1000


class Misfit(NamedTuple):
    """A stored document that does not fit its model.

    Attributes:
        model: The model's name.
        id: The document's id.
        problems: What does not fit, a line each; values are not shown.
    """

    model: str
    id: Any
    problems: list[str]


def check(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Default: all.", metavar="MODEL")] = None,
    limit: Annotated[
        int, typer.Option("--limit", help="Stop after so many misfits per model.", metavar="N", min=1)
    ] = 100,
    unknown: Annotated[bool, typer.Option("--unknown", help="Report fields that the model does not know.")] = False,
) -> None:
    """Report the documents that no longer fit their model."""
    session: Session = context.obj

    async def work() -> int:
        found = 0
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=errors
        ) as progress:
            for model in await session.models(names):
                task = progress.add_task(spec_of(model).name, total=await execute(model, EstimatedCount()))
                count = 0
                async for number, misfit in misfits(model, unknown=unknown):
                    progress.update(task, completed=number)
                    if misfit is not None:
                        count += 1
                        output.print(f"{misfit.model} {misfit.id!r}: {'; '.join(misfit.problems)}", markup=False)
                    if count == limit:
                        output.print(f"{misfit.model if misfit else ''}: stopped after {limit} misfits.", markup=False)
                        break
                found += count
        return found

    if run(work()):
        raise typer.Exit(FOUND)
    output.print("Every document fits.")


async def misfits(model: type[MappedModel], *, unknown: bool) -> AsyncIterator[tuple[int, Misfit | None]]:
    """Yield how many documents were read, with each that does not fit, and None for every batch."""
    spec, codec, number = spec_of(model), codec_of(model), 0
    async for chunk in stream(model, Find(batch_size=_BATCH)):
        for raw in split(chunk):
            number += 1
            try:
                loaded = codec.load(raw)
            except CorruptDocumentError as error:
                yield number, Misfit(spec.name, error.id, _problems(error))
            else:
                surplus = _surplus(spec_of(type(loaded)), raw) if unknown else []
                if surplus:
                    yield number, Misfit(spec.name, decode(raw).get("_id"), surplus)
        yield number, None


def _problems(error: CorruptDocumentError) -> list[str]:
    if not isinstance(error.__cause__, ValidationError):
        return [error.problem]
    details = error.__cause__.errors(include_url=False, include_input=False, include_context=False)
    return [f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in details]


def _surplus(spec: ModelSpec, raw: bytes) -> list[str]:
    return [f"{name}: unknown field" for name in decode(raw) if name not in spec.names]
