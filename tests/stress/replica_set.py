"""Three members of a replica set, of the embedded binary, and what can happen to the primary."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from mongodb_orm.connections.embedded import find_mongod

NAME = "stress"
_ELECTION_MS = 2000
_PATIENCE = 90.0


class ReplicaSet:
    """Three `mongod` on free ports of 127.0.0.1, with their data in a folder that is removed in the end."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="mongodb_orm-stress-"))
        self._binary = find_mongod()
        self._ports = _free_ports(3)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def uri(self) -> str:
        """The connection string for clients."""
        return f"mongodb://{','.join(f'127.0.0.1:{port}' for port in self._ports)}/?replicaSet={NAME}"

    async def start(self) -> None:
        """Start the members, and wait for a primary."""
        for port in self._ports:
            self._launch(port)
            await asyncio.to_thread(_command, port, {"ping": 1}, _PATIENCE)
        members = [{"_id": index, "host": f"127.0.0.1:{port}"} for index, port in enumerate(self._ports)]
        # A new primary waits for the answers of frozen members before it takes writes, by default 10 seconds.
        settings = {
            "electionTimeoutMillis": _ELECTION_MS,
            "heartbeatIntervalMillis": 500,
            "heartbeatTimeoutSecs": 2,
            "catchUpTimeoutMillis": 1000,
        }
        config = {"_id": NAME, "members": members, "settings": settings}
        await asyncio.to_thread(_command, self._ports[0], {"replSetInitiate": config}, _PATIENCE)
        await self.primary()

    async def primary(self) -> int:
        """Return the port of the primary; wait until there is one that all members know."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                for port in self._ports:
                    status = await self._status(port)
                    healthy = [member for member in status.get("members", ()) if member["stateStr"] == "PRIMARY"]
                    if len(healthy) == 1 and healthy[0].get("self"):
                        return port
                await asyncio.sleep(0.1)

    async def term(self) -> int:
        """Return the number of the present term: each election begins one."""
        return int((await self._status(await self.primary()))["term"])

    async def kill(self, port: int) -> None:
        """Let a member crash."""
        self._processes[port].send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._processes[port].wait)

    async def restart(self, port: int) -> None:
        """Start a member that crashed."""
        self._launch(port)

    async def depose(self, port: int) -> None:
        """Let the primary step down; it closes connections, the one that asks included."""
        with contextlib.suppress(PyMongoError):
            await asyncio.to_thread(_command, port, {"replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 1}, 5.0)

    def freeze(self, port: int) -> None:
        """Let a member hang without an answer."""
        self._processes[port].send_signal(signal.SIGSTOP)

    def thaw(self, port: int) -> None:
        """Let a frozen member go on."""
        self._processes[port].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End every member, and remove the data."""
        for process in self._processes.values():
            process.send_signal(signal.SIGKILL)
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _status(self, port: int) -> dict[str, Any]:
        try:
            return await asyncio.to_thread(_command, port, {"replSetGetStatus": 1}, 1.0)
        except PyMongoError:
            return {}

    def _launch(self, port: int) -> None:
        folder = self._folder / str(port)
        folder.mkdir(exist_ok=True)
        command = [
            str(self._binary), "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1",
            "--replSet", NAME, "--logpath", str(folder / "mongod.log"), "--logappend", "--nounixsocket",
            "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64",
            "--setParameter", "diagnosticDataCollectionEnabled=false",
        ]  # fmt: skip
        self._processes[port] = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
        )


def _command(port: int, command: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Run an admin command on one member; wait for the member as long as `seconds`."""
    with pymongo.MongoClient[dict[str, Any]](
        "127.0.0.1",
        port,
        directConnection=True,
        serverSelectionTimeoutMS=int(seconds * 1000),
        connectTimeoutMS=1000,
        socketTimeoutMS=int(seconds * 1000),
    ) as client:
        return client.admin.command(command)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
