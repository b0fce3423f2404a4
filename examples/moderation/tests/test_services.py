"""The rules, without a database: the services take doubles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from examples.moderation.models import DesignatedChannelType, Infraction, InfractionType, Stamp, User
from examples.moderation.services import DesignatedChannelService, ModerationService, NotAllowedError
from examples.moderation.summaries import InfractionSummary
from examples.moderation.tests.data import START
from mongodb_orm import DuplicateDocumentError
from mongodb_orm.repository import CriteriaLike


class FakeUsers:
    async def get_by_id(self, id: Any) -> User | None:
        known = {1: User(id=1, username="zoe", is_moderator=True), 3: User(id=3, username="bob")}
        return known.get(id)


class FakeInfractions:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.calls: list[Any] = []

    async def get_by_id(self, id: Any) -> Infraction | None:
        types = {1: InfractionType.WARNING, 2: InfractionType.MUTE}
        return _infraction(types[id]) if id in types else None

    async def create_by(
        self,
        created_by_id: int,
        *,
        guild_id: int,
        type: InfractionType,
        subject_id: int,
        reason: str,
        duration: timedelta | None = None,
    ) -> Infraction:
        if self.error is not None:
            raise self.error
        self.calls.append((created_by_id, guild_id, type, subject_id, duration))
        return _infraction(type)

    async def rescind_by(self, rescinded_by_id: int, id: int) -> bool:
        return id == 2

    async def delete_by(self, deleted_by_id: int, id: int) -> bool:
        return id == 2

    async def find_summaries(
        self, criteria: CriteriaLike | None = None, sort: Any = None, limit: int = 0
    ) -> list[InfractionSummary]:
        self.calls.append((criteria, sort, limit))
        return []


def _infraction(type: InfractionType) -> Infraction:
    stamp = Stamp(id=1, created=START, created_by_id=1)
    return Infraction(guild_id=1, type=type, subject_id=3, reason="Spam", create_action=stamp)


@pytest.fixture
def infractions() -> FakeInfractions:
    return FakeInfractions()


@pytest.fixture
def service(infractions: FakeInfractions) -> ModerationService:
    return ModerationService(infractions, FakeUsers())


async def test_a_moderator_punishes(service: ModerationService, infractions: FakeInfractions) -> None:
    hour = timedelta(hours=1)
    await service.punish(1, guild_id=1, subject_id=3, type=InfractionType.MUTE, reason="Spam", duration=hour)
    assert infractions.calls == [(1, 1, InfractionType.MUTE, 3, hour)]


REFUSED: dict[str, tuple[int, dict[str, Any], str]] = {
    "no moderator": (3, {}, "Only moderators"),
    "nobody": (9, {}, "Only moderators"),
    "no subject": (1, {"subject_id": 9}, "no such user"),
    "another moderator": (1, {"subject_id": 1}, "zoe is a moderator"),
    "a warning that ends": (1, {"type": InfractionType.WARNING, "duration": timedelta(hours=1)}, "Only a mute"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_refused(name: str, service: ModerationService, infractions: FakeInfractions) -> None:
    by, values, says = REFUSED[name]
    given = {"guild_id": 1, "subject_id": 3, "type": InfractionType.MUTE, "reason": "Spam", **values}
    with pytest.raises(NotAllowedError, match=says):
        await service.punish(by, **given)
    assert infractions.calls == []


async def test_a_second_mute_is_told_in_words() -> None:
    service = ModerationService(FakeInfractions(DuplicateDocumentError("taken")), FakeUsers())
    with pytest.raises(NotAllowedError, match="bob has an active mute already"):
        await service.punish(1, guild_id=1, subject_id=3, type=InfractionType.MUTE, reason="Spam")


async def test_pardon_and_delete(service: ModerationService) -> None:
    await service.pardon(1, 2)
    await service.delete(1, 2)
    for operation, id, says in (
        (service.pardon, 1, "A warning cannot be taken back"),
        (service.pardon, 9, "no such infraction"),
        (service.delete, 9, "no such infraction"),
    ):
        with pytest.raises(NotAllowedError, match=says):
            await operation(1, id)


async def test_history_asks_for_what_counts(service: ModerationService, infractions: FakeInfractions) -> None:
    assert await service.history(1, 3) == []
    ((criteria, sort, limit),) = infractions.calls
    assert criteria.model_dump(exclude_none=True) == {"guild_id": 1, "subject_id": 3, "is_deleted": False}
    assert (sort, limit) == (["-created"], 25)


class FakeMappings:
    async def any(self, criteria: CriteriaLike | None = None) -> bool:
        return True

    async def find(self, criteria: CriteriaLike | None = None) -> list[Any]:
        return []

    async def create_by(self, created_by_id: int, *, guild_id: int, channel_id: int, type: Any) -> Any:
        raise DuplicateDocumentError("taken")

    async def delete_by(self, deleted_by_id: int, criteria: CriteriaLike) -> int:
        return 0


async def test_channels() -> None:
    service = DesignatedChannelService(FakeMappings())
    assert await service.serves_as(1, 2, DesignatedChannelType.MESSAGE_LOG)
    assert await service.channels_for(1, DesignatedChannelType.MESSAGE_LOG) == []
    with pytest.raises(NotAllowedError, match="is a message_log already"):
        await service.add(1, 1, 2, DesignatedChannelType.MESSAGE_LOG)
    with pytest.raises(NotAllowedError, match="is no message_log"):
        await service.remove(1, 1, 2, DesignatedChannelType.MESSAGE_LOG)
