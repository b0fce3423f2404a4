"""Imports the package in a new process, beside importing the drivers and Pydantic."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.measuring import Bench

BASELINE = "import pymongo, motor.motor_asyncio, pydantic, email_validator"


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


async def run(bench: Bench) -> None:
    ratios, noise = [], []
    for _ in range(bench.rounds):
        one = seconds(BASELINE)
        ratios.append(seconds("import mongodb_orm") / one)
        noise.append(seconds(BASELINE) / one)
    print(f"\nimport mongodb_orm: {statistics.median(ratios):.2f} of importing the drivers and Pydantic")
    print(f"  the noise: {statistics.median(noise):.2f}")
