"""A record and the actions behind it are written together, or not at all."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from examples.moderation.criteria import DesignatedChannelMappingCriteria, InfractionCriteria
from examples.moderation.models import (
    ConfigurationAction,
    DesignatedChannelMapping,
    DesignatedChannelType,
    Infraction,
    InfractionType,
    ModerationAction,
    ModerationActionType,
)
from examples.moderation.repositories import DesignatedChannelMappingRepository, InfractionRepository
from examples.moderation.summaries import UserBrief
from mongodb_orm import DuplicateDocumentError, NotSupportedError, ValidationError, transaction


@pytest.fixture
def infractions() -> InfractionRepository:
    return InfractionRepository()


async def ban(infractions: InfractionRepository, subject_id: int, reason: str = "Raid") -> Infraction:
    return await infractions.create_by(
        1, guild_id=1, type=InfractionType.BAN, subject_id=subject_id, reason=reason, duration=timedelta(days=1)
    )


@pytest.mark.usefixtures("server")
async def test_parent_and_child_know_each_other(infractions: InfractionRepository) -> None:
    made = await ban(infractions, 3)
    action = await ModerationAction.get_by_id(made.create_action.id)
    assert action is not None
    assert (action.infraction_id, action.type) == (made.id, ModerationActionType.INFRACTION_CREATED)
    assert action.stamp() == made.create_action


@pytest.mark.usefixtures("server")
async def test_a_failed_child_leaves_no_parent(infractions: InfractionRepository) -> None:
    before = await ModerationAction.count()
    with pytest.raises(ValidationError, match="reason"):
        await ban(infractions, 3, reason="")
    await ban(infractions, 3)
    with pytest.raises(DuplicateDocumentError):
        await ban(infractions, 3)
    assert await ModerationAction.count() == before + 1


@pytest.mark.usefixtures("server")
async def test_a_dropped_unit_of_work_leaves_nothing(infractions: InfractionRepository) -> None:
    before = await ModerationAction.count()
    with pytest.raises(RuntimeError):
        async with transaction():
            made = await ban(infractions, 3)
            assert await infractions.exists(InfractionCriteria(id=made.id)), "it is seen inside"
            raise RuntimeError
    assert await ModerationAction.count() == before
    assert await infractions.count() == 5


@pytest.mark.usefixtures("server")
async def test_ends(infractions: InfractionRepository) -> None:
    assert await infractions.rescind_by(2, 2) is True
    assert await infractions.rescind_by(2, 2) is False
    assert await infractions.delete_by(1, 2) is True
    assert await infractions.delete_by(1, 2) is False
    assert await infractions.rescind_by(1, 1) is False, "it was deleted"
    assert await infractions.delete_by(1, 99) is False
    (summary,) = await infractions.find_summaries(InfractionCriteria(id=2, is_deleted=True, is_rescinded=True))
    assert summary.rescind_action is not None
    assert summary.rescind_action.created_by == UserBrief(id=2, username="yan")
    actions = await ModerationAction.filter(infraction_id=2).order_by("id")
    assert [action.type.rpartition("_")[2] for action in actions] == ["created", "rescinded", "deleted"]


@pytest.mark.usefixtures("server")
async def test_of_two_moderators_at_once_one_deletes(infractions: InfractionRepository) -> None:
    before = await ModerationAction.count()
    done = await asyncio.gather(*[infractions.delete_by(moderator, 4) for moderator in (1, 2, 1, 2)])
    assert sorted(done) == [False, False, False, True]
    assert await ModerationAction.count() == before + 1


@pytest.mark.usefixtures("server")
async def test_of_two_moderators_at_once_one_bans(infractions: InfractionRepository) -> None:
    done = await asyncio.gather(*[ban(infractions, 4) for _ in range(4)], return_exceptions=True)
    assert [type(one) for one in done].count(Infraction) == 1
    assert [type(one) for one in done].count(DuplicateDocumentError) == 3


@pytest.mark.usefixtures("server")
async def test_what_actions_set_no_client_sets(infractions: InfractionRepository) -> None:
    for field in ("delete_action_id", "rescind_action_id", "create_action"):
        with pytest.raises(ValidationError, match=field):
            await infractions.update(4, **{field: None})
    updated = await infractions.update(4, reason="Very rude")
    assert updated is not None
    assert updated.reason == "Very rude"


@pytest.mark.usefixtures("server")
async def test_channel_mappings_are_deleted_together() -> None:
    mappings = DesignatedChannelMappingRepository()
    made = await mappings.create_by(1, guild_id=1, channel_id=1, type=DesignatedChannelType.MESSAGE_LOG)
    assert await DesignatedChannelMapping.count(id=made.id) == 1, "the first one is deleted, so there is room"
    with pytest.raises(DuplicateDocumentError):
        await mappings.create_by(1, guild_id=1, channel_id=1, type=DesignatedChannelType.MESSAGE_LOG)
    of_guild = DesignatedChannelMappingCriteria(guild_id=1, is_deleted=False)
    assert await mappings.delete_by(2, of_guild) == 2
    assert await mappings.delete_by(2, of_guild) == 0
    assert await ConfigurationAction.count(created_by_id=2, type__endswith="deleted") == 2


@pytest.mark.usefixtures("memory")
async def test_memory_has_no_transactions(infractions: InfractionRepository) -> None:
    with pytest.raises(NotSupportedError, match="transaction"):
        await ban(infractions, 3)
    assert await ModerationAction.count() == 7
