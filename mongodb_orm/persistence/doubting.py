"""Writes of objects that end without an answer: the objects remember, for the error that the next write may meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ..commands import Command
from ..executor import run
from ..schema import MappedModel, database_of, doubt
from .telling import is_unknown

R = TypeVar("R")


async def write(document: MappedModel, command: Command[R]) -> R:
    """Run a command that writes one object."""
    return await write_all(type(document), (document,), command)


async def write_all(model: type[MappedModel], documents: Sequence[MappedModel], command: Command[R]) -> R:
    """Run a command that writes objects of one database."""
    try:
        return await run(model, command, database=database_of(documents[0]))
    except BaseException as error:
        note_doubts(documents, error)
        raise


def note_doubts(documents: Sequence[MappedModel], error: BaseException) -> None:
    """Let objects remember how their write ended, if it is not known whether it was done."""
    if is_unknown(error):
        for document in documents:
            doubt(document)
