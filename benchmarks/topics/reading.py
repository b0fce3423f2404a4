"""Reads many documents, into a list and as a stream."""

from __future__ import annotations

from bson.codec_options import CodecOptions

from benchmarks.documents import ByHand, Ours, OursMotor, Peer, PeerTracked
from benchmarks.measuring import Bench


async def run(bench: Bench) -> None:
    async def by_hand() -> list[ByHand]:
        return [ByHand.model_validate(document) async for document in bench.raw.find()]

    async def by_hand_at_once() -> list[ByHand]:
        return [ByHand.model_validate(document) for document in await bench.raw.find().to_list(None)]

    aware = bench.raw.with_options(codec_options=CodecOptions(tz_aware=True))
    await bench.compare(
        f"Reading {bench.count:,} documents into a list",
        {
            "raw driver, dicts (baseline)": lambda: bench.raw.find().to_list(None),
            "raw driver, dicts, aware datetimes": lambda: aware.find().to_list(None),
            "by hand, model_validate(async for)": by_hand,
            "by hand, model_validate(to_list)": by_hand_at_once,
            "mongodb_orm, pymongo": lambda: Ours.all().to_list(),
            "mongodb_orm, motor": lambda: OursMotor.all().to_list(),
            "Beanie": lambda: Peer.find_all().to_list(),
            "Beanie with tracking": lambda: PeerTracked.find_all().to_list(),
        },
    )

    await bench.compare(
        f"Reading {bench.count:,} documents as dicts, datetimes aware",
        {
            "raw driver (baseline)": lambda: aware.find().to_list(None),
            "mongodb_orm, raw(), pymongo": lambda: Ours.all().raw().to_list(),
            "mongodb_orm, raw(), motor": lambda: OursMotor.all().raw().to_list(),
        },
    )

    async def raw_stream() -> None:
        async for _ in bench.raw.find():
            pass

    async def stream(model: type[Ours]) -> None:
        async for _ in model.all():
            pass

    async def peer_stream() -> None:
        async for _ in Peer.find_all():
            pass

    await bench.compare(
        f"Streaming {bench.count:,} documents",
        {
            "raw driver, dicts (baseline)": raw_stream,
            "mongodb_orm, pymongo": lambda: stream(Ours),
            "mongodb_orm, motor": lambda: stream(OursMotor),
            "Beanie": peer_stream,
        },
    )
