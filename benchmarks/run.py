"""Compares mongodb_orm with the raw driver and Beanie: one run, interleaved, reported as ratios."""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import subprocess
import sys
import time
import timeit
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import beanie
import odmantic
import pydantic
from bson.codec_options import CodecOptions
from pydantic import Field
from pymongo import AsyncMongoClient

from mongodb_orm import BaseModel, DatabaseConfig, close_all_connections, register_model, start_embedded
from mongodb_orm.schema import spec_of

NOW = datetime.now(UTC).replace(microsecond=0)
Sample = Callable[[], Awaitable[Any]]


class Address(pydantic.BaseModel):
    street: str
    city: str
    zip_code: str


class Fields(pydantic.BaseModel):
    username: str = Field(min_length=3)
    email: str  # an EmailStr costs every contender the same 23 microseconds on validation
    age: int
    is_active: bool
    score: float
    tags: list[str]
    address: Address
    bio: str | None = None


class Ours(Fields, BaseModel):
    class Meta:
        collection_name = "bench"


class OursMotor(Ours):
    class Meta:
        collection_name = "bench"


class ByHand(Fields):
    id: int = Field(alias="_id")
    created_at: datetime
    updated_at: datetime


class Peer(beanie.Document, Fields):
    id: int = Field(default=0)  # type: ignore[assignment]
    created_at: datetime = NOW
    updated_at: datetime = NOW

    class Settings:
        name = "bench"


class PeerTracked(Peer):
    class Settings:
        name = "bench"
        use_state_management = True


def values(n: int) -> dict[str, Any]:
    return {
        "username": f"user{n}",
        "email": f"user{n}@example.com",
        "age": n % 90,
        "is_active": n % 2 == 0,
        "score": n * 1.5,
        "tags": ["red", "green", "blue"],
        "address": {"street": f"Street {n}", "city": "Oslo", "zip_code": "0123"},
        "bio": "a few words about somebody",
    }


class Bench:
    def __init__(self, uri: str, count: int, rounds: int) -> None:
        self.uri = uri
        self.client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(uri)
        self.raw = self.client.bench.bench
        self.out = self.client.bench.out_raw
        self.count = count
        self.rounds = rounds
        self.ids = iter(range(10**7, 10**9))

    async def prepare(self, uri: str) -> None:
        await self.client.drop_database("bench")
        documents = [{"_id": n, **values(n), "created_at": NOW, "updated_at": NOW} for n in range(1, self.count + 1)]
        await self.raw.insert_many(documents)
        await register_model(Ours, DatabaseConfig(uri, "bench", driver="pymongo"))
        await register_model(OursMotor, DatabaseConfig(uri, "bench", driver="motor"))
        await beanie.init_beanie(self.client.bench, document_models=[Peer, PeerTracked])

    async def measure(self, title: str, samples: dict[str, Sample], rounds: int | None = None) -> None:
        wall: dict[str, list[float]] = {name: [] for name in samples}
        cpu: dict[str, list[float]] = {name: [] for name in samples}
        names = list(samples)
        baseline = names[0]
        for _ in range(2):
            for name in names:
                await samples[name]()
        for _ in range(rounds or self.rounds):
            for name in names:
                # Each sample is divided by a baseline sample taken right before it.
                base_wall, base_cpu = await timed(samples[baseline])
                own_wall, own_cpu = await timed(samples[name])
                wall[name].append(own_wall / base_wall)
                cpu[name].append(own_cpu / base_cpu)
        print(f"\n{title} (medians of {rounds or self.rounds}, each paired with the baseline)")
        print(f"  {'':34}  wall   CPU")
        for name in names:
            note = "  <- the noise" if name == baseline else ""
            print(f"  {name:34} {statistics.median(wall[name]):5.2f} {statistics.median(cpu[name]):5.2f}{note}")


async def timed(sample: Sample) -> tuple[float, float]:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    result = await sample()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    del result
    return spent


async def reading(bench: Bench) -> None:
    async def by_hand() -> list[ByHand]:
        return [ByHand.model_validate(document) async for document in bench.raw.find()]

    aware = bench.raw.with_options(codec_options=CodecOptions(tz_aware=True))
    samples: dict[str, Sample] = {
        "raw driver, dicts (baseline)": lambda: bench.raw.find().to_list(None),
        "raw driver, dicts, aware datetimes": lambda: aware.find().to_list(None),
        "raw driver + Pydantic by hand": by_hand,
        "mongodb_orm, pymongo": lambda: Ours.all().to_list(),
        "mongodb_orm, motor": lambda: OursMotor.all().to_list(),
        "mongodb_orm, raw()": lambda: Ours.all().raw().to_list(),
        "Beanie": lambda: Peer.find_all().to_list(),
        "Beanie with tracking": lambda: PeerTracked.find_all().to_list(),
    }
    await bench.measure(f"Reading {bench.count:,} documents into a list", samples)

    async def raw_stream() -> None:
        async for _ in bench.raw.find():
            pass

    async def stream(model: type[Ours]) -> None:
        async for _ in model.all():
            pass

    async def peer_stream() -> None:
        async for _ in Peer.find_all():
            pass

    await bench.measure(
        f"Streaming {bench.count:,} documents",
        {
            "raw driver, dicts (baseline)": raw_stream,
            "mongodb_orm, pymongo": lambda: stream(Ours),
            "mongodb_orm, motor": lambda: stream(OursMotor),
            "Beanie": peer_stream,
        },
    )


async def writing(bench: Bench) -> None:
    items = [values(n) for n in range(bench.count)]

    async def raw_bulk() -> None:
        await bench.raw.database.bulk.delete_many({})
        await bench.raw.database.bulk.insert_many(
            [{"_id": next(bench.ids), **item, "created_at": NOW, "updated_at": NOW} for item in items]
        )

    async def ours(model: type[Ours]) -> None:
        await bench.raw.database.bulk.delete_many({})
        await model.bulk_create(items)

    async def peer() -> None:
        await bench.raw.database.bulk.delete_many({})
        await PeerBulk.insert_many([PeerBulk(id=next(bench.ids), **item) for item in items])

    class OursBulk(Ours):
        class Meta:
            collection_name = "bulk"

    class OursBulkMotor(Ours):
        class Meta:
            collection_name = "bulk"

    class PeerBulk(Peer):
        class Settings:
            name = "bulk"

    uri = bench.uri
    await register_model(OursBulk, DatabaseConfig(uri, "bench", driver="pymongo"))
    await register_model(OursBulkMotor, DatabaseConfig(uri, "bench", driver="motor"))
    await beanie.init_beanie(bench.client.bench, document_models=[PeerBulk])
    await bench.measure(
        f"Creating {bench.count:,} documents at once",
        {
            "raw driver, insert_many (baseline)": raw_bulk,
            "mongodb_orm, pymongo": lambda: ours(OursBulk),
            "mongodb_orm, motor": lambda: ours(OursBulkMotor),
            "Beanie": peer,
        },
    )


async def single(bench: Bench, repeats: int = 300) -> None:
    item = values(1)

    async def raw_create_one() -> None:
        await bench.out.insert_one({"_id": next(bench.ids), **item, "created_at": NOW, "updated_at": NOW})

    async def raw_get_one() -> None:
        await bench.raw.find_one({"_id": 17})

    class Out(Ours):
        class Meta:
            collection_name = "out"

    class OutMotor(Ours):
        class Meta:
            collection_name = "out"

    await register_model(Out, DatabaseConfig(bench.uri, "bench", driver="pymongo"))
    await register_model(OutMotor, DatabaseConfig(bench.uri, "bench", driver="motor"))

    def repeated(action: Sample, at_once: int) -> Sample:
        async def worker() -> None:
            for _ in range(repeats // at_once):
                await action()

        async def run() -> None:
            await asyncio.gather(*[worker() for _ in range(at_once)])

        return run

    for at_once in (1, 50):
        words = "one by one" if at_once == 1 else f"{at_once} at once"
        await bench.measure(
            f"create, {words}",
            {
                "raw driver, insert_one (baseline)": repeated(raw_create_one, at_once),
                "mongodb_orm, pymongo": repeated(lambda: Out.create(**item), at_once),
                "mongodb_orm, motor": repeated(lambda: OutMotor.create(**item), at_once),
            },
        )
        await bench.measure(
            f"get_by_id, {words}",
            {
                "raw driver, find_one (baseline)": repeated(raw_get_one, at_once),
                "mongodb_orm, pymongo": repeated(lambda: Ours.get_by_id(17), at_once),
                "mongodb_orm, motor": repeated(lambda: OursMotor.get_by_id(17), at_once),
                "Beanie": repeated(lambda: Peer.get(17), at_once),
            },
        )


async def memory(bench: Bench, count: int) -> None:
    class Small(BaseModel):
        n: int

    await register_model(Small, DatabaseConfig(bench.uri, "bench", driver="pymongo"))
    collection = bench.client.bench.small
    for start in range(0, count, 50_000):
        await collection.insert_many(
            [{"_id": n, "n": n, "created_at": NOW, "updated_at": NOW} for n in range(start, min(count, start + 50_000))]
        )
    tracemalloc.start()
    held = await bench.raw.find().to_list(None)
    list_peak = tracemalloc.get_traced_memory()[1]
    del held
    gc.collect()
    tracemalloc.reset_peak()
    floor = tracemalloc.get_traced_memory()[0]
    async for _ in Small.all():
        pass
    stream_peak = tracemalloc.get_traced_memory()[1] - floor
    tracemalloc.stop()
    print(f"\nMemory: streaming {count:,} small documents peaks at {stream_peak / 1e6:.1f} MB,")
    print(
        f"  {stream_peak / list_peak:.2f} of a list of {bench.count:,} held by the raw driver: {list_peak / 1e6:.1f} MB"
    )


class OdmanticPeer(odmantic.Model):
    age: int
    city: str
    is_active: bool

    model_config = {"collection": "bench"}


class Flat(BaseModel):
    age: int
    city: str
    is_active: bool


def compiling(rounds: int) -> None:
    """Time from the call to the query document; a fresh shape has a value list of another length each time."""

    def ours_keywords() -> Any:
        return Flat.filter(age__gte=18, city="Oslo", is_active=True).filter_document()

    def ours_expressions() -> Any:
        return Flat.filter(Flat.f.age >= 18, Flat.f.city == "Oslo", Flat.f.is_active == True).filter_document()  # noqa: E712

    def ours_first_time() -> Any:
        spec = spec_of(Flat)
        spec.keywords.clear()
        spec.paths.clear()
        return ours_keywords()

    def beanie_expressions() -> Any:
        return Peer.find(Peer.age >= 18, Peer.address.city == "Oslo", Peer.is_active == True).get_filter_query()  # noqa: E712

    def odmantic_expressions() -> Any:
        model: Any = OdmanticPeer
        queries = (model.age >= 18, model.city == "Oslo", model.is_active == True)  # noqa: E712
        return odmantic.AIOEngine._build_query(*queries)

    contenders = {
        "mongodb_orm, keywords": ours_keywords,
        "mongodb_orm, keywords, shape unseen": ours_first_time,
        "mongodb_orm, expressions": ours_expressions,
        "Beanie, expressions": beanie_expressions,
        "ODMantic, expressions": odmantic_expressions,
    }
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, compile_query in contenders.items():
            spent[name].append(timeit.timeit(compile_query, number=2000) / 2000 * 1e6)
    print(f"\nCompiling a query of three conditions (medians of {rounds}, least in brackets), microseconds")
    for name, times in spent.items():
        print(f"  {name:36} {statistics.median(times):6.1f} ({min(times):.1f})")


def importing(rounds: int) -> None:
    def seconds(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    base = "import pymongo, motor.motor_asyncio, pydantic, email_validator"
    ratios, noise = [], []
    for _ in range(rounds):
        one = seconds(base)
        ratios.append(seconds("import mongodb_orm") / one)
        noise.append(seconds(base) / one)
    print(f"\nimport mongodb_orm: {statistics.median(ratios):.2f} of importing the driver and Pydantic")
    print(f"  the noise: {statistics.median(noise):.2f}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--stream", type=int, default=1_000_000, help="documents of the memory test")
    parser.add_argument("--only", default="reading,writing,single,compiling,memory,import")
    arguments = parser.parse_args()
    uri = start_embedded("embedded://").uri
    bench = Bench(uri, arguments.count, arguments.rounds)
    await bench.prepare(uri)
    chosen = arguments.only.split(",")
    if "reading" in chosen:
        await reading(bench)
    if "writing" in chosen:
        await writing(bench)
    if "single" in chosen:
        await single(bench)
    if "compiling" in chosen:
        compiling(arguments.rounds)
    if "memory" in chosen:
        await memory(bench, arguments.stream)
    if "import" in chosen:
        importing(arguments.rounds)
    await close_all_connections()
    await bench.client.close()


if __name__ == "__main__":
    asyncio.run(main())
