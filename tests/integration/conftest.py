"""Servers that fail: one of its own that a test stops, and failures of the common one."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from mongodb_orm.connections.embedded import find_mongod


class Standalone:
    """A `mongod` that can be killed and started again; its URI stays the same."""

    def __init__(self, path: Path, *options: str, **client_options: object) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # A standalone acknowledges before the journal has a write, unless asked.
        self.uri = f"mongodb://127.0.0.1:{self.port}/?journal=true"
        self._command = [find_mongod(), "--dbpath", path, "--port", str(self.port), "--bind_ip", "127.0.0.1", *options]
        self._client_options = client_options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen([*self._command, "--nounixsocket"], stdout=subprocess.DEVNULL)
        with pymongo.MongoClient(self.uri, serverSelectionTimeoutMS=30_000, **self._client_options) as client:
            client.admin.command("ping")

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[Callable[..., Standalone]]:
    """Return a function that starts a server with further options of `mongod` and of the client that waits for it."""
    servers: list[Standalone] = []

    def start(*options: str, **client_options: object) -> Standalone:
        path = tmp_path / f"data{len(servers)}"
        path.mkdir()
        servers.append(Standalone(path, *options, **client_options))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def fail(admin: Any) -> Iterator[Callable[..., None]]:
    """Let the server fail the next commands of a kind."""

    def set_(*commands: str, times: int = 1, code: int = 0, labels: tuple[str, ...] = (), close: bool = False) -> None:
        data: dict[str, Any] = {"failCommands": list(commands)}
        data |= {"closeConnection": True} if close else {"errorCode": code, "errorLabels": list(labels)}
        admin.admin.command({"configureFailPoint": "failCommand", "mode": {"times": times}, "data": data})

    yield set_
    admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    # A commit that only seemed to fail leaves its transaction open, whose locks would be waited for.
    admin.admin.command({"killAllSessions": []})
