"""`mongodb-orm server`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from ..connections import start_embedded, stop_embedded
from ..exceptions import MongoDBORMError
from .session import FAILED, errors


def server(
    path: Annotated[Path | None, typer.Option("--path", help="Keep the data in this folder.")] = None,
) -> None:
    """Run the embedded mongod until Ctrl-C, and print its URI."""
    try:
        started = start_embedded("embedded://" if path is None else f"embedded://{path.resolve()}")
    except MongoDBORMError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(FAILED) from error
    typer.echo(started.uri)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(0.5) and started.is_running:
        pass
    stop_embedded()
