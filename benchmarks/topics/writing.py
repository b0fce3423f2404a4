"""Creates many documents at once."""

from __future__ import annotations

import beanie

from benchmarks.documents import NOW, Ours, Peer, values
from benchmarks.measuring import Bench


class OursBulk(Ours):
    class Meta:
        collection_name = "bulk"


class OursBulkMotor(Ours):
    class Meta:
        collection_name = "bulk"


class PeerBulk(Peer):
    class Settings:
        name = "bulk"


async def run(bench: Bench) -> None:
    items = [values(n) for n in range(bench.count)]
    await bench.register(OursBulk, OursBulkMotor)
    await beanie.init_beanie(bench.database, document_models=[PeerBulk])

    async def empty() -> None:
        await bench.database.bulk.delete_many({})

    async def raw() -> None:
        await bench.database.bulk.insert_many(
            [{"_id": next(bench.ids), **item, "created_at": NOW, "updated_at": NOW} for item in items]
        )

    async def ours(model: type[Ours]) -> None:
        await model.bulk_create(items)

    async def peer() -> None:
        await PeerBulk.insert_many([PeerBulk(id=next(bench.ids), **item) for item in items])

    await bench.compare(
        f"Creating {bench.count:,} documents at once",
        {
            "raw driver, insert_many (baseline)": raw,
            "mongodb_orm, pymongo": lambda: ours(OursBulk),
            "mongodb_orm, motor": lambda: ours(OursBulkMotor),
            "Beanie": peer,
        },
        before=empty,
    )
