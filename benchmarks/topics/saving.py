"""Loads, changes and saves one object and many, and reads with and without what finds changes."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import bson
from pymongo import AsyncMongoClient, UpdateOne

from benchmarks.documents import Ours, OursMotor
from benchmarks.measuring import Bench, repeated
from mongodb_orm.codec import split
from mongodb_orm.codec.schemas import load_validator
from mongodb_orm.codec.values import PLAIN_OPTIONS
from mongodb_orm.commands import Find
from mongodb_orm.executor import stream
from mongodb_orm.garbage import uncollected
from mongodb_orm.timestamps import current_datetime


async def run(bench: Bench) -> None:
    steps = iter(range(10**9))

    patient: AsyncMongoClient[Any] = AsyncMongoClient(bench.uri, timeoutMS=30_000)

    async def raw_one(collection: Any = bench.raw) -> None:
        document = await collection.find_one({"_id": 17})
        change = {"age": next(steps) % 90, "updated_at": current_datetime()}
        await collection.update_one({"_id": document["_id"]}, {"$set": change})

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
                "raw driver, with a deadline": repeated(lambda: raw_one(patient.bench.bench), at_once),
                "mongodb_orm, pymongo": repeated(lambda: one(Ours), at_once),
                "mongodb_orm, motor": repeated(lambda: one(OursMotor), at_once),
            },
        )

    await patient.close()
    validate = load_validator(Ours)[0].validate_python

    async def untracked() -> list[Any]:
        """Read as the package does, a few documents at a time, but keep no document's BSON."""
        objects: list[Any] = []
        async for chunk in stream(Ours, Find(filter={})):
            ends = list(accumulate(map(len, split(chunk))))
            with uncollected():
                for start, end in pairwise([0, *ends[31::32], *ends[-1:]]):
                    objects += map(validate, bson.decode_all(chunk[start:end], PLAIN_OPTIONS))
        return objects

    await bench.compare(
        f"Reading {bench.count:,} documents, with what finds changes and without",
        {
            "mongodb_orm's reading without any snapshot": untracked,
            "mongodb_orm, pymongo": lambda: Ours.all().to_list(),
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
