"""Imports the package in a new process, beside importing the drivers and Pydantic."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from benchmarks.measuring import Bench

# A bare `import pydantic` loads next to nothing: its names are lazy.
BASELINE = "import pymongo, motor.motor_asyncio, email_validator; from pydantic import BaseModel, Field"
OURS = "import mongodb_orm"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    return time.perf_counter() - start


async def run(bench: Bench) -> None:
    for code in (BASELINE, OURS):
        seconds(code)  # compiles what was never imported
    ratios, noise = [], []
    for _ in range(bench.rounds):
        one = seconds(BASELINE)
        ratios.append(seconds(OURS) / one)
        noise.append(seconds(BASELINE) / one)
    print(f"\nimport mongodb_orm: {statistics.median(ratios):.2f} of importing the drivers and Pydantic")
    print(f"  the noise: {statistics.median(noise):.2f}")
