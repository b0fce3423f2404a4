"""One server for all workers of pytest-xdist, started when the first of them asks for it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable

from ..exceptions import EmbeddedServerError

_SECONDS = 120.0


class ServerOffice:
    """Gives the address of one server to every worker that asks; it lives in the process that controls the workers.

    Attributes:
        address: Host and port where workers ask.
    """

    def __init__(self, start: Callable[[], str]) -> None:
        """Open the office.

        Args:
            start: Returns the server's URI; called at the first question.
        """
        self._start = start
        self._answer: dict[str, str] | None = None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        threading.Thread(target=self._serve, name="mongodb_orm server office", daemon=True).start()

    def close(self) -> None:
        """Answer no further questions."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                asker, _ = self._socket.accept()
            except OSError:  # closed
                return
            with asker:
                asker.sendall(json.dumps(self._found()).encode())

    def _found(self) -> dict[str, str]:
        if self._answer is None:
            try:
                self._answer = {"uri": self._start()}
            except EmbeddedServerError as error:
                self._answer = {"problem": error.problem, "hint": error.hint}
        return self._answer


def ask_for_server(address: tuple[str, int]) -> str:
    """Return the URI of the server that the workers share.

    Raises:
        EmbeddedServerError: When it could not be started.
    """
    with socket.create_connection(address, timeout=_SECONDS) as office:
        chunks = []
        while chunk := office.recv(4096):
            chunks.append(chunk)
    answer = json.loads(b"".join(chunks))
    if "uri" not in answer:
        raise EmbeddedServerError(answer["problem"], hint=answer["hint"])
    return str(answer["uri"])
