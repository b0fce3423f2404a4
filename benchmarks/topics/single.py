"""Creates and gets one document at a time, by one task and by fifty."""

from __future__ import annotations

from typing import Any

from pymongo import AsyncMongoClient

from benchmarks.documents import NOW, Ours, OursMotor, Peer, values
from benchmarks.measuring import Bench, repeated


class Out(Ours):
    class Meta:
        collection_name = "out"


class OutMotor(Ours):
    class Meta:
        collection_name = "out"


async def run(bench: Bench) -> None:
    item = values(1)
    out = bench.database.out_raw
    await bench.register(Out, OutMotor)
    # Every operation of ours has a deadline, as a careful program's has; the baseline has none.
    patient: AsyncMongoClient[Any] = AsyncMongoClient(bench.uri, timeoutMS=30_000)

    async def create(collection: Any = out) -> None:
        await collection.insert_one({"_id": next(bench.ids), **item, "created_at": NOW, "updated_at": NOW})

    async def find(collection: Any = bench.raw) -> None:
        await collection.find_one({"_id": 17})

    for at_once in (1, 50):
        words = "one by one" if at_once == 1 else f"{at_once} at once"
        await bench.compare(
            f"create, {words}",
            {
                "raw driver, insert_one (baseline)": repeated(create, at_once),
                "raw driver, with a deadline": repeated(lambda: create(patient.bench.out_raw), at_once),
                "mongodb_orm, pymongo": repeated(lambda: Out.create(**item), at_once),
                "mongodb_orm, motor": repeated(lambda: OutMotor.create(**item), at_once),
            },
        )
        await bench.compare(
            f"get_by_id, {words}",
            {
                "raw driver, find_one (baseline)": repeated(find, at_once),
                "raw driver, with a deadline": repeated(lambda: find(patient.bench.bench), at_once),
                "mongodb_orm, pymongo": repeated(lambda: Ours.get_by_id(17), at_once),
                "mongodb_orm, motor": repeated(lambda: OursMotor.get_by_id(17), at_once),
                "Beanie": repeated(lambda: Peer.get(17), at_once),
            },
        )
    await patient.close()
