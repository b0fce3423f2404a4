"""Many documents at once."""

from __future__ import annotations

from typing import Any

import pytest

from mongodb_orm import BaseModel, ConnectionError
from mongodb_orm.persistence import bulk


class Item(BaseModel):
    name: str


async def test_a_lost_connection_says_what_was_stored_and_what_is_unknown(
    register: Any, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(Item)
    monkeypatch.setattr(bulk, "CHUNK", 2)
    failing = {"failCommands": ["insert"], "closeConnection": True}
    admin.admin.command({"configureFailPoint": "failCommand", "mode": {"skip": 1}, "data": failing})
    try:
        with pytest.raises(ConnectionError) as caught:
            await Item.bulk_create([{"name": str(n)} for n in range(5)])
    finally:
        admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert caught.value.__notes__ == [
        "2 of 5 documents were stored before; items 2 to 3 may be stored or not; 1 were not sent."
    ]
    assert await Item.all().count() == 2
