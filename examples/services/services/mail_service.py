"""Sending what is queued."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Protocol

from mongodb_orm import current_datetime

from ..models import Mail, MailState
from .retry import Backoff

logger = logging.getLogger(__name__)

_LEASE = timedelta(minutes=5)


class Sender(Protocol):
    """What sends a mail; it raises OSError when it cannot."""

    async def send(self, mail: Mail) -> None:
        """Send one mail."""


class LoggingSender:
    """Writes to the log instead of sending."""

    async def send(self, mail: Mail) -> None:
        """Log one mail."""
        logger.info("Mail to user: %s", mail.subject)


class MailService:
    """Sends mails one by one; any number of workers may run."""

    def __init__(self, sender: Sender, backoff: Backoff | None = None) -> None:
        self._sender = sender
        self._backoff = backoff or Backoff(attempts=5, first=10, longest=3600)

    async def send_next(self) -> Mail | None:
        """Take the next mail that is due and send it; return it, or None when nothing is due.

        Taking is one atomic update, so no two workers send the same mail. A mail whose worker died comes up again, so
        in that case it may be sent twice, and never not at all.
        """
        now = current_datetime()
        due = Mail.filter(state__in=[MailState.QUEUED, MailState.SENDING], due_at__lte=now).order_by("due_at")
        mail = await due.find_one_and_update(state=MailState.SENDING, due_at=now + _LEASE, attempts__inc=1)
        if mail is None:
            return None
        try:
            await self._sender.send(mail)
        except OSError as error:
            is_last = mail.attempts >= self._backoff.attempts
            logger.warning("A mail could not be sent (attempt %d): %s", mail.attempts, type(error).__name__)
            mail.state = MailState.FAILED if is_last else MailState.QUEUED
            mail.due_at = now + self._backoff.pause(mail.attempts)
        else:
            mail.state = MailState.SENT
        return await mail.save()
