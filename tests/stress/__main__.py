"""Runs the proof of reliability and prints its figures; `make stress`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time

from mongodb_orm import DatabaseConfig, close_all_connections, register_models
from tests.stress import workload
from tests.stress.replica_set import ReplicaSet

_CALM = 3.0
_CRASHED = 4.0
_FROZEN = 10.0


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long is written (default %(default)s)")
    parser.add_argument("--driver", choices=["motor", "pymongo"], default="motor")
    arguments = parser.parse_args()
    members = ReplicaSet()
    try:
        await members.start()
        config = DatabaseConfig(members.uri, "stress", driver=arguments.driver, timeout_ms=5000)
        await register_models(*workload.MODELS, db_config=config)
        await workload.prepare()
        before = await members.term()
        ledger = workload.Ledger()
        chaos = asyncio.create_task(trouble(members, ledger))
        await workload.write(arguments.seconds, ledger)
        chaos.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await chaos
        await members.primary()
        wrong = await workload.faults(ledger)
        report(arguments, ledger, await members.term() - before, wrong)
        await close_all_connections()
    finally:
        members.stop()
    return 1 if wrong else 0


async def trouble(members: ReplicaSet, ledger: workload.Ledger) -> None:
    """Kill, depose and freeze the primary in turn, until cancelled; what was begun is then put right."""
    while True:
        await asyncio.sleep(_CALM)
        primary = await members.primary()
        ledger.begin("killed")
        await members.kill(primary)
        try:
            await asyncio.sleep(_CRASHED)
        finally:
            await members.restart(primary)
        await asyncio.sleep(_CALM)
        ledger.begin("stepped down")
        await members.depose(await members.primary())
        await asyncio.sleep(_CALM)
        primary = await members.primary()
        ledger.begin("frozen")
        members.freeze(primary)
        try:
            await asyncio.sleep(_FROZEN)
        finally:
            members.thaw(primary)


def report(arguments: argparse.Namespace, ledger: workload.Ledger, elections: int, wrong: list[str]) -> None:
    """Print the figures."""
    print(f"{arguments.seconds:g} seconds on {arguments.driver}, {time.strftime('%Y-%m-%d')}")
    print(f"elections: {elections}")
    for trouble, (number, longest) in ledger.troubles.items():
        print(f"  primary {trouble}, {number} times: longest time without an acknowledged write {longest:.1f} s")
    for kind in ("create", "save", "transfer"):
        done, doubtful, refused = (len(told.get(kind, ())) for told in (ledger.done, ledger.doubtful, ledger.refused))
        print(f"{kind:9} acknowledged {done}, outcome unknown {doubtful}, surely not stored {refused}")
    for name, number in sorted(ledger.errors.items()):
        print(f"  {name}: {number}")
    print(f"wrong: {len(wrong)}")
    for line in wrong[:20]:
        print(f"  {line}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
