"""Mail is sent once, later when it cannot be, and finished when the worker is told to end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from examples.services import worker
from examples.services.config import Settings
from examples.services.models import Mail, MailState
from examples.services.services import Backoff, MailService
from mongodb_orm import DatabaseConfig, current_datetime

ROOT = Path(__file__).parents[3]


class FakeSender:
    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.sent: list[str] = []

    async def send(self, mail: Mail) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("the mail server sleeps")
        self.sent.append(mail.subject)


async def queued(number: int) -> list[Mail]:
    return await Mail.bulk_create(
        [{"to": "ann@example.com", "subject": f"Mail {n}", "body": ""} for n in range(number)]
    )


async def test_workers_never_send_the_same_mail(mongo: DatabaseConfig) -> None:
    await queued(10)
    sender = FakeSender()
    services = [MailService(sender) for _ in range(5)]
    while any(await asyncio.gather(*[service.send_next() for service in services])):
        pass
    assert sorted(sender.sent) == [f"Mail {n}" for n in range(10)]
    assert await Mail.count(state=MailState.SENT) == 10


async def test_what_cannot_be_sent_comes_again_later_and_not_for_ever(mongo: DatabaseConfig) -> None:
    await queued(1)
    service = MailService(FakeSender(failures=2), Backoff(attempts=2, first=60, longest=120, chance=lambda: 1.0))
    mail = await service.send_next()
    assert mail is not None
    assert mail.state is MailState.QUEUED
    assert mail.due_at - current_datetime() > timedelta(seconds=50)
    assert await service.send_next() is None
    await Mail.filter().update(due_at=current_datetime())
    failed = await service.send_next()
    assert failed is not None
    assert (failed.state, failed.attempts) == (MailState.FAILED, 2)


async def test_a_mail_of_a_worker_that_died_is_taken_up_again(mongo: DatabaseConfig) -> None:
    (mail,) = await queued(1)
    await mail.update(state=MailState.SENDING, due_at=current_datetime() - timedelta(seconds=1))
    sender = FakeSender()
    await MailService(sender).send_next()
    assert sender.sent == ["Mail 0"]


async def test_a_mail_that_was_begun_is_finished(mongo: DatabaseConfig) -> None:
    await queued(3)
    stop, begun, may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow:
        async def send(self, mail: Mail) -> None:
            begun.set()
            await may_end.wait()

    working = asyncio.create_task(worker.work(MailService(Slow()), stop))
    await begun.wait()
    stop.set()
    may_end.set()
    await working
    assert await Mail.count(state=MailState.SENT) == 1
    assert await Mail.count(state=MailState.QUEUED) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_worker_ends_on_a_signal(settings: Settings, number: signal.Signals) -> None:
    (mail,) = await queued(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "examples.services.worker",
        cwd=ROOT,
        env={
            **os.environ,
            "SECRET_KEY": settings.secret_key.get_secret_value(),
            "MONGO_URI": settings.mongo_uri.get_secret_value(),
            "MONGO_DATABASE": settings.mongo_database,
        },
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(30):
            while (await mail.refresh_from_db()).state is not MailState.SENT:
                await asyncio.sleep(0.05)
            process.send_signal(number)
            _, printed = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, printed
    assert b"Mail to user: Mail 0" in printed
    assert printed.rstrip().endswith(b"Closed.")
    assert b"ann@example.com" not in printed
