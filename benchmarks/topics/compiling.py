"""Turns a query of three conditions into the document that is sent, without sending it."""

from __future__ import annotations

import statistics
import timeit
from typing import Any

import odmantic

from benchmarks.documents import Peer
from benchmarks.measuring import Bench
from mongodb_orm import BaseModel
from mongodb_orm.schema import spec_of


class OdmanticPeer(odmantic.Model):
    age: int
    city: str
    is_active: bool

    model_config = {"collection": "bench"}


class Flat(BaseModel):
    age: int
    city: str
    is_active: bool


def keywords() -> Any:
    return Flat.filter(age__gte=18, city="Oslo", is_active=True).filter_document()


def expressions() -> Any:
    return Flat.filter(Flat.f.age >= 18, Flat.f.city == "Oslo", Flat.f.is_active == True).filter_document()  # noqa: E712


def keywords_first_time() -> Any:
    spec = spec_of(Flat)
    spec.keywords.clear()
    spec.paths.clear()
    return keywords()


def beanie_expressions() -> Any:
    return Peer.find(Peer.age >= 18, Peer.address.city == "Oslo", Peer.is_active == True).get_filter_query()  # noqa: E712


def odmantic_expressions() -> Any:
    model: Any = OdmanticPeer
    queries = (model.age >= 18, model.city == "Oslo", model.is_active == True)  # noqa: E712
    return odmantic.AIOEngine._build_query(*queries)


CONTENDERS = {
    "mongodb_orm, keywords": keywords,
    "mongodb_orm, keywords, shape unseen": keywords_first_time,
    "mongodb_orm, expressions": expressions,
    "Beanie, expressions": beanie_expressions,
    "ODMantic, expressions": odmantic_expressions,
}


async def run(bench: Bench) -> None:
    spent: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(bench.rounds):
        for name, compile_query in CONTENDERS.items():
            spent[name].append(timeit.timeit(compile_query, number=2000) / 2000 * 1e6)
    print(f"\nCompiling a query of three conditions (medians of {bench.rounds}, least in brackets), microseconds")
    for name, times in spent.items():
        print(f"  {name:36} {statistics.median(times):6.1f} ({min(times):.1f})")
