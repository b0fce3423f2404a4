"""The worker that sends mail: `python -m examples.services.worker`. SIGTERM or Ctrl-C lets it finish what it is at."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress

from mongodb_orm import ConnectionError, TimeoutError, close_all_connections, register_all_models, setup_logging

from . import models
from .config import Settings
from .services import Backoff, MailService, Sender
from .services.mail_service import LoggingSender

logger = logging.getLogger(__name__)

_PAUSE = 1.0


async def work(service: MailService, stop: asyncio.Event, *, pause: float = _PAUSE) -> None:
    """Send what is due until `stop` is set; a mail that was begun is finished first."""
    failures, backoff = 0, Backoff()
    while not stop.is_set():
        try:
            mail = await service.send_next()
        except (ConnectionError, TimeoutError) as error:
            failures += 1
            logger.warning("The database does not answer: %s", error.problem)
            await _rest(stop, backoff.pause(failures).total_seconds())
        else:
            failures = 0
            if mail is None:
                await _rest(stop, pause)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(asyncio.TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def main(settings: Settings | None = None, sender: Sender | None = None) -> None:
    """Connect, work until a signal comes, close every connection."""
    settings = settings or Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    setup_logging(settings.log_level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        await register_all_models(models, db_config=settings.database())
        logger.info("Ready.")
        await work(MailService(sender or LoggingSender()), stop)
    finally:
        await close_all_connections()
        logger.info("Closed.")


if __name__ == "__main__":
    asyncio.run(main())
