"""Measures mongodb_orm beside the raw driver and Beanie: one run, interleaved, reported as ratios."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import pkgutil

from benchmarks import topics
from benchmarks.measuring import Bench
from mongodb_orm import close_all_connections, start_embedded


async def main() -> None:
    known = [module.name for module in pkgutil.iter_modules(topics.__path__)]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="topic", help=f"all when none is named: {', '.join(known)}")
    parser.add_argument("--count", type=int, default=10_000, help="documents of the lists (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=11, help="samples of each contender (default %(default)s)")
    parser.add_argument("--stream", type=int, default=1_000_000, help="documents streamed by the topic memory")
    arguments = parser.parse_args()
    chosen = arguments.topics or known
    for name in chosen:
        if name not in known:
            parser.error(f"no topic is called {name!r}; there are {', '.join(known)}")
    bench = Bench(start_embedded("embedded://").uri, arguments.count, arguments.rounds, arguments.stream)
    await bench.prepare()
    for name in chosen:
        await importlib.import_module(f"benchmarks.topics.{name}").run(bench)
    await close_all_connections()
    await bench.client.close()


if __name__ == "__main__":
    asyncio.run(main())
