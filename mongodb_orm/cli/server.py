"""`mongodb-orm server`."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from ..connections import start_embedded, stop_embedded
from ..exceptions import MongoDBORMError
from .session import FAILED, errors


def server(
    path: Annotated[Path | None, typer.Option("--path", help="Keep the data in this folder.", metavar="FOLDER")] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Default: any free port.", metavar="PORT", min=1, max=65535)
    ] = None,
) -> None:
    """Run the embedded mongod until Ctrl-C, and print its URI."""
    try:
        folder = "" if path is None else quote(str(path.resolve()))
        started = start_embedded(f"embedded://{folder}" + (f"?port={port}" if port else ""))
    except MongoDBORMError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(FAILED) from error
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    typer.echo(started.uri)
    while not ended.wait(0.5):
        if not started.is_running:
            errors.print("mongod ended by itself.")
            raise typer.Exit(FAILED)
    stop_embedded()
