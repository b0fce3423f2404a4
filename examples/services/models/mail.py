"""Mail that is to be sent, stored in the transaction that makes it necessary, and sent by the worker."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from pydantic import EmailStr, Field

from mongodb_orm import BaseModel, current_datetime


class MailState(Enum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class Mail(BaseModel):
    """A mail; one that is being sent when its worker dies is taken up again after `due_at`."""

    class Meta:
        indexes = ({"keys": {"state": 1, "due_at": 1}},)

    to: EmailStr
    subject: str
    body: str
    state: MailState = MailState.QUEUED
    attempts: int = 0
    due_at: datetime = Field(default_factory=current_datetime)
