"""`mongodb-orm health`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ..connections import health_report
from ..types import HealthReport
from .session import FOUND, Session, output, run


def health(
    context: typer.Context,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds to wait.", metavar="SECONDS")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask whether the database answers; exit code 1 when it does not."""
    session: Session = context.obj

    async def work() -> HealthReport:
        return await health_report(db_config=session.config(), timeout=timeout)

    report = run(work())
    if as_json:
        typer.echo(json.dumps({**report._asdict(), "checked_at": report.checked_at.isoformat()}))
    elif report.healthy:
        output.print(f"healthy: MongoDB {report.server_version}, {report.topology}, {report.latency_ms} ms")
    else:
        output.print(f"not healthy: {report.error}", markup=False)
    if not report.healthy:
        raise typer.Exit(FOUND)
