"""Loads, changes and saves one object and many, and reads with and without what finds changes."""

from __future__ import annotations

from typing import Any

from pymongo import UpdateOne

from benchmarks.documents import Ours, OursMotor
from benchmarks.measuring import Bench, repeated
from mongodb_orm.timestamps import current_datetime


async def run(bench: Bench) -> None:
    steps = iter(range(10**9))

    async def raw_one() -> None:
        document = await bench.raw.find_one({"_id": 17})
        assert document is not None
        change = {"age": next(steps) % 90, "updated_at": current_datetime()}
        await bench.raw.update_one({"_id": document["_id"]}, {"$set": change})

    async def one(model: type[Any]) -> None:
        document = await model.get_by_id(17)
        document.age = next(steps) % 90
        await document.save()

    for at_once in (1, 50):
        words = "one by one" if at_once == 1 else f"{at_once} at once"
        await bench.compare(
            f"load, change one field, save, {words}",
            {
                "raw driver, find_one and update_one": repeated(raw_one, at_once),
                "mongodb_orm, pymongo": repeated(lambda: one(Ours), at_once),
                "mongodb_orm, motor": repeated(lambda: one(OursMotor), at_once),
            },
        )

    documents = await Ours.all()
    by_motor = await OursMotor.all()

    async def raw_many() -> None:
        now = current_datetime()
        await bench.raw.bulk_write(
            [
                UpdateOne({"_id": document.id}, {"$set": {"age": next(steps) % 90, "updated_at": now}})
                for document in documents
            ],
            ordered=False,
        )

    async def many(model: type[Any], objects: list[Any]) -> None:
        for document in objects:
            document.age = next(steps) % 90
        await model.bulk_save(objects)

    await bench.compare(
        f"bulk_save of {bench.count:,} objects with one change each",
        {
            "raw driver, bulk_write by hand": raw_many,
            "mongodb_orm, pymongo": lambda: many(Ours, documents),
            "mongodb_orm, motor": lambda: many(OursMotor, by_motor),
        },
    )
