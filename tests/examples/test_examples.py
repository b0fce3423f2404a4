"""The examples run as they are, as programs and behind a real HTTP server."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

ROOT = Path(__file__).parents[2]


def environment(uri: str, database: str) -> dict[str, str]:
    return {**os.environ, "MONGO_URI": uri, "MONGO_DATABASE": database, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def database(request: pytest.FixtureRequest, admin: Any) -> Iterator[str]:
    name = f"example_{request.node.name}"[:60]
    yield name
    admin.drop_database(name)


@contextmanager
def served(app: str, environ: dict[str, str], *options: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning", *options]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{url}/health", timeout=5)
                break
            except httpx.TransportError:
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.1)
        yield url
        process.terminate()
        assert process.wait(20) in (0, -15), process.communicate()[1]
    finally:
        process.kill()
        if process.stderr is not None:
            process.stderr.close()
        process.wait()


def test_the_fastapi_application(server_uri: str, database: str) -> None:
    with (
        served("examples.fastapi_app.main:app", environment(server_uri, database)) as url,
        httpx.Client(base_url=url) as client,
    ):
        assert client.get("/health").json()["status"] == "ok"
        assert client.get("/ready").status_code == 200
        ann = client.post("/users/", json={"username": "ann", "email": "ann@example.com"}).json()
        assert ann["id"] == 1
        assert client.post("/users/", json={"username": "ann", "email": "x@example.com"}).status_code == 409
        for number in range(5):
            made = client.post("/posts/", json={"title": f"Post {number} on coffee", "author_id": ann["id"]})
            assert made.status_code == 201
        page = client.get(f"/users/{ann['id']}/posts", params={"size": 2}).json()
        assert (page["total"], [post["title"] for post in page["items"]]) == (
            5,
            ["Post 4 on coffee", "Post 3 on coffee"],
        )
        assert len(client.get("/search", params={"words": "coffee"}).json()) == 5
        first = client.get("/feed", params={"size": 3}).json()
        rest = client.get("/feed", params={"size": 3, "token": first["next_token"]}).json()
        assert len({post["id"] for post in first["items"] + rest["items"]}) == 5
        assert client.delete("/posts/1").status_code == 204
        assert client.get("/posts/1").status_code == 404
        assert client.get("/cities").json() == [{"city": "Oslo", "users": 1}]
        assert client.get("/feed", params={"token": "forged"}).status_code == 422
        schema = client.get("/openapi.json").text
        assert '"_id"' not in schema
        loaded = re.findall(r'(?:src|href)="([^"]+)"', client.get("/docs").text)
        assert loaded
        for address in loaded:
            assert not address.startswith("http"), "the page of the example is complete without a CDN"
            assert client.get(address).status_code == 200


def test_the_services_behind_a_server(server_uri: str, database: str) -> None:
    environ = {**environment(server_uri, database), "SECRET_KEY": "a secret of the tests"}
    with (
        served("examples.services.api:create_app", environ, "--factory") as url,
        httpx.Client(base_url=url) as client,
    ):
        body = {"username": "ann", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"}
        made = client.post("/users", json={**body, "password": "correct horse battery"})
        assert (made.status_code, made.json()["id"]) == (201, 1)
        assert client.get("/users/1").json()["user"]["username"] == "ann"
        assert client.get("/ready").status_code == 200


def test_the_report(server_uri: str, database: str, tmp_path: Path) -> None:
    chart = tmp_path / "sales.png"
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "analytics" / "report.py"), str(chart)],
        env=environment(server_uri, database),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "2,000 sales; the best month: Bergen, month 8, 5,869" in done.stdout
    assert chart.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["blog_dao", "moderation", "services"])
def test_the_tests_of_an_example(name: str, server_uri: str, redis_server: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", f"examples/{name}"],
        cwd=ROOT,
        env={**os.environ, "MONGODB_ORM_TEST_URI": server_uri, "REDIS_URL": redis_server.url},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_the_moderator_s_day(server_uri: str, database: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.moderation"],
        cwd=ROOT,
        env=environment(server_uri, database),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("spammer has an active mute already.\nmute by mod: Advertising again, until ")


def test_the_blog_outlives_its_redis(server_uri: str, database: str, redis_server: Any) -> None:
    cached = {**environment(server_uri, database), "REDIS_URL": redis_server.url}
    with (
        served("examples.blog_dao.main:app", cached) as url,
        redis.Redis.from_url(redis_server.url) as keys,
        httpx.Client(base_url=url) as client,
    ):
        keys.flushall()
        client.post("/users", json={"username": "ann", "email": "ann@example.com"})
        assert client.get("/users/1").json() == client.get("/users/1").json()
        assert client.get("/users/by-username/ann").status_code == 200
        assert {b"user:id:1", b"user:username:ann"} <= set(keys.keys("user:*"))
        redis_server.kill()
        try:
            assert client.patch("/users/1", json={"full_name": "Ann"}).status_code == 200
            assert client.get("/users/1").json()["full_name"] == "Ann"
        finally:
            redis_server.start()
        assert client.get("/users/by-username/ann").json()["full_name"] == "Ann"


def test_the_blog_without_a_redis(server_uri: str, database: str) -> None:
    plain = environment(server_uri, database)
    plain.pop("REDIS_URL", None)
    with served("examples.blog_dao.main:app", plain) as url, httpx.Client(base_url=url) as client:
        client.post("/users", json={"username": "ann", "email": "ann@example.com"})
        for name in ("Ann", "Anna"):
            client.patch("/users/1", json={"full_name": name})
            assert client.get("/users/1").json()["full_name"] == name
            assert [user["full_name"] for user in client.get("/users/search", params={"text": "an"}).json()] == [name]
