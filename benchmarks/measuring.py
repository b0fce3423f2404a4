"""How contenders are compared: interleaved, each sample divided by a sample of the baseline taken right before it."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import beanie
from pymongo import AsyncMongoClient

from benchmarks.documents import NOW, Ours, OursMotor, Peer, PeerTracked, values
from mongodb_orm import BaseModel, DatabaseConfig, register_model

Sample = Callable[[], Awaitable[Any]]


class Bench:
    """A server with `count` documents in the collection `bench`, and the way to compare on it."""

    def __init__(self, uri: str, count: int, rounds: int, stream: int) -> None:
        self.uri = uri
        self.client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri)
        self.database = self.client.bench
        self.raw = self.database.bench
        self.count = count
        self.rounds = rounds
        self.stream = stream
        self.ids = iter(range(10**7, 10**9))

    async def prepare(self) -> None:
        await self.client.drop_database("bench")
        documents = [{"_id": n, **values(n), "created_at": NOW, "updated_at": NOW} for n in range(1, self.count + 1)]
        await self.raw.insert_many(documents)
        await self.register(Ours, OursMotor)
        await beanie.init_beanie(self.database, document_models=[Peer, PeerTracked])

    async def register(self, pymongo: type[BaseModel], motor: type[BaseModel] | None = None) -> None:
        """Register `pymongo` on PyMongo's async API and `motor` on Motor."""
        await register_model(pymongo, DatabaseConfig(self.uri, "bench", driver="pymongo"))
        if motor is not None:
            await register_model(motor, DatabaseConfig(self.uri, "bench", driver="motor"))

    async def compare(self, title: str, samples: dict[str, Sample], before: Sample | None = None) -> None:
        """Print the medians of the ratios of each sample to the first one, which is the baseline.

        `before` is awaited before each sample, and is not measured.
        """
        wall: dict[str, list[float]] = {name: [] for name in samples}
        cpu: dict[str, list[float]] = {name: [] for name in samples}
        baseline = next(iter(samples))
        for _ in range(2):
            for sample in samples.values():
                await timed(sample, before)
        for _ in range(self.rounds):
            for name, sample in samples.items():
                base_wall, base_cpu = await timed(samples[baseline], before)
                own_wall, own_cpu = await timed(sample, before)
                wall[name].append(own_wall / base_wall)
                cpu[name].append(own_cpu / base_cpu)
        print(f"\n{title} (medians of {self.rounds}, each paired with the baseline)")
        print(f"  {'':34}  wall   CPU")
        for name in samples:
            note = "  <- the noise" if name == baseline else ""
            print(f"  {name:34} {statistics.median(wall[name]):5.2f} {statistics.median(cpu[name]):5.2f}{note}")


async def timed(sample: Sample, before: Sample | None = None) -> tuple[float, float]:
    """Seconds of wall and of this process's CPU that `sample` takes; `before` is awaited first."""
    if before is not None:
        await before()
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    result = await sample()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    del result
    return spent


def repeated(action: Sample, at_once: int, repeats: int = 300) -> Sample:
    """Do `action` about `repeats` times, by `at_once` tasks."""

    async def worker() -> None:
        for _ in range(repeats // at_once):
            await action()

    async def run() -> None:
        await asyncio.gather(*[worker() for _ in range(at_once)])

    return run
