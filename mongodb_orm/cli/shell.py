"""`mongodb-orm shell`."""

from __future__ import annotations

import ast
import asyncio
import inspect
import rlcompleter
import types
from code import InteractiveConsole
from typing import Any

import typer

from .. import expressions
from ..connections import close_all_connections, health_check
from ..connections.attempts import transaction
from ..exceptions import MongoDBORMError, NotSupportedError
from ..extras import load_extra
from ..schema import MappedModel, spec_of
from .session import Session, run

try:
    import readline
except ImportError:  # Windows, and Pythons that were built without it: no history, no completion
    readline = None  # type: ignore[assignment]

_SHORTHANDS: dict[str, Any] = {
    "F": expressions.F,
    "Q": expressions.Q,
    "field": expressions.field,
    "health_check": health_check,
    "transaction": transaction,
    "updates": expressions.updates,
}


def shell(context: typer.Context) -> None:
    """Open a shell with the models and top-level await."""
    session: Session = context.obj

    async def registered() -> list[type[MappedModel]]:
        return await session.models() if session.modules else []

    models = run(registered())
    names = {spec_of(model).name: model for model in models}
    namespace: dict[str, Any] = {**_SHORTHANDS, **names}
    banner = (
        f"Models: {', '.join(names) or 'none; name them with --models'}. Also: {', '.join(_SHORTHANDS)}.\n"
        "Top-level await works."
    )
    start = _ipython()
    if start is None:
        AsyncConsole(namespace).interact(banner, exitmsg="")
    else:
        typer.echo(banner)
        start(argv=["--no-banner"], user_ns=namespace)


def _ipython() -> Any:
    try:
        return load_extra("IPython", "start_ipython", feature="The better shell", package="ipython")
    except NotSupportedError:
        return None


class AsyncConsole(InteractiveConsole):
    """Python's own console, with top-level await on one event loop."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        super().__init__(namespace)
        self._namespace = namespace
        self._runner = asyncio.Runner()
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        if readline is not None:
            readline.set_completer(rlcompleter.Completer(namespace).complete)
            readline.parse_and_bind("tab: complete")

    def interact(self, banner: str | None = None, exitmsg: str | None = None) -> None:
        """Read and run lines until the end of the input, then close every connection."""
        with self._runner:
            try:
                super().interact(banner, exitmsg)
            finally:
                self._runner.run(close_all_connections())

    def runcode(self, code: types.CodeType) -> None:
        """Run one piece of code, waiting for it when it awaits."""
        try:
            result = types.FunctionType(code, self._namespace)()
            if inspect.iscoroutine(result):
                self._runner.run(result)
        except SystemExit:
            raise
        except MongoDBORMError as error:
            self.write(f"{type(error).__name__}: {error}\n")
        except BaseException:  # noqa: BLE001 - a shell shows whatever was raised, and goes on
            self.showtraceback()
