"""How often somebody asked for something in a window of time."""

from __future__ import annotations

from datetime import datetime

from mongodb_orm import BaseModel


class RateWindow(BaseModel):
    class Meta:
        indexes = ({"keys": "key", "unique": True}, {"keys": "ends_at", "expire_after_seconds": 0})

    key: str
    ends_at: datetime
    requests: int = 0
