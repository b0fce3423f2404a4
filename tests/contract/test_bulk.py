"""Many documents at once."""

from __future__ import annotations

from typing import Any

import pytest

from mongodb_orm import BaseModel, ConnectionError, DatabaseConfig, TimeoutError, register_model
from mongodb_orm.persistence import bulk


class Item(BaseModel):
    name: str


async def test_a_lost_connection_says_what_was_stored_and_what_is_unknown(
    config: DatabaseConfig, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {"mongo_uri": config.mongo_uri, "database_name": config.database_name, "driver": config.driver}
    await register_model(Item, DatabaseConfig(**where, timeout_ms=700))
    await Item.count()
    monkeypatch.setattr(bulk, "CHUNK", 2)
    failing = {"failCommands": ["insert"], "closeConnection": True}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": {"skip": 1}, "data": failing})
    try:
        with pytest.raises((ConnectionError, TimeoutError)) as caught:
            await Item.bulk_create([{"name": str(n)} for n in range(5)])
    finally:
        admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert caught.value.__notes__[-1] == (
        "2 of 5 documents were stored before; items 2 to 3 may be stored or not; 1 were not sent."
    )
    assert await Item.all().count() == 2
