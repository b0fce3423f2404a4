"""Compares what a long stream holds at most with what the raw driver's list of a few documents holds."""

from __future__ import annotations

import gc
import tracemalloc

from benchmarks.documents import NOW
from benchmarks.measuring import Bench
from mongodb_orm import BaseModel


class Small(BaseModel):
    n: int


async def run(bench: Bench) -> None:
    await bench.register(Small)
    for start in range(0, bench.stream, 50_000):
        numbers = range(start, min(bench.stream, start + 50_000))
        await bench.database.small.insert_many(
            [{"_id": n, "n": n, "created_at": NOW, "updated_at": NOW} for n in numbers]
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
    print(f"\nMemory: streaming {bench.stream:,} small documents peaks at {stream_peak / 1e6:.1f} MB,")
    print(
        f"  {stream_peak / list_peak:.2f} of a list of {bench.count:,} held by the raw driver: {list_peak / 1e6:.1f} MB"
    )
