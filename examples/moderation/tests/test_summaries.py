"""What is shown: joined and calculated by the server, sorted by what was joined."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from examples.moderation.criteria import DesignatedChannelMappingCriteria, InfractionCriteria
from examples.moderation.repositories import DesignatedChannelMappingRepository, InfractionRepository
from examples.moderation.summaries import ActionBrief, InfractionSummary, UserBrief
from examples.moderation.tests.data import day
from mongodb_orm import InvalidValueError, NotSupportedError
from mongodb_orm.testing import assert_commands

ZOE, YAN, BOB = (UserBrief(id=id, username=name) for id, name in ((1, "zoe"), (2, "yan"), (3, "bob")))


@pytest.mark.usefixtures("server")
async def test_a_summary_in_one_trip() -> None:
    with assert_commands(1):
        first, second, third, fourth, fifth = await InfractionRepository().find_summaries()
    assert first.model_dump(exclude={"reason", "subject"}) == {
        "id": 1,
        "guild_id": 1,
        "type": "notice",
        "duration": None,
        "create_action": {"id": 1, "created": day(1), "created_by": ZOE.model_dump()},
        "rescind_action": None,
        "delete_action": {"id": 2, "created": day(2), "created_by": ZOE.model_dump()},
        "expires": None,
    }
    assert second.subject == BOB
    assert second.expires == day(3) + timedelta(hours=36)
    assert third.rescind_action == ActionBrief(id=5, created=day(5), created_by=ZOE)
    assert fourth.create_action.created_by == YAN
    assert fifth.create_action.created_by is None, "who has left is nobody"


SORTS: list[tuple[Any, list[int]]] = [
    (None, [1, 2, 3, 4, 5]),
    (["-id"], [5, 4, 3, 2, 1]),
    (["-created"], [5, 4, 3, 2, 1]),
    ([("created", "asc")], [1, 2, 3, 4, 5]),
    (["type", "-created"], [3, 5, 2, 1, 4]),
    (["subject", "id"], [4, 5, 1, 2, 3]),
    (["-expires", "id"], [5, 2, 1, 3, 4]),
    (["author", "-id"], [5, 4, 3, 2, 1]),
    (["-author", "created"], [1, 2, 3, 4, 5]),
]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("sort", "ids"), SORTS, ids=[str(sort) for sort, _ in SORTS])
async def test_orders(sort: Any, ids: list[int]) -> None:
    infractions = InfractionRepository()
    assert [found.id for found in await infractions.find_summaries(sort=sort)] == ids
    pages = [await infractions.page(sort=sort, page=n, size=2, projection=InfractionSummary) for n in (1, 2, 3)]
    assert [found.id for page in pages for found in page.items] == ids


@pytest.mark.usefixtures("server")
async def test_other_orders_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="id, type, subject, expires, created, author"):
        await InfractionRepository().find_summaries(sort=["reason"])


@pytest.mark.usefixtures("server")
async def test_summaries_of_channel_mappings() -> None:
    criteria = DesignatedChannelMappingCriteria(guild_id=1)
    deleted, active = await DesignatedChannelMappingRepository().find_summaries(criteria, sort=["channel"])
    assert deleted.delete_action == ActionBrief(id=7, created=day(7), created_by=ZOE)
    assert active.delete_action is None


@pytest.mark.usefixtures("memory")
async def test_memory_does_not_join() -> None:
    with pytest.raises(NotSupportedError, match="lookup"):
        await InfractionRepository().find_summaries(InfractionCriteria(id=1))
