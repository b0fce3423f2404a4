"""What moderators may do, and when. It sees protocols, so that its tests need no database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol

from mongodb_orm import DuplicateDocumentError
from mongodb_orm.repository import CriteriaLike

from .criteria import DesignatedChannelMappingCriteria, InfractionCriteria
from .models import DesignatedChannelMapping, DesignatedChannelType, Infraction, InfractionType, User
from .summaries import InfractionSummary


class NotAllowedError(Exception):
    """A rule forbids it; the text may be shown to the moderator."""


class Users(Protocol):
    async def get_by_id(self, id: Any) -> User | None: ...


class Infractions(Protocol):
    async def get_by_id(self, id: Any) -> Infraction | None: ...

    async def create_by(
        self,
        created_by_id: int,
        *,
        guild_id: int,
        type: InfractionType,
        subject_id: int,
        reason: str,
        duration: timedelta | None = None,
    ) -> Infraction: ...

    async def rescind_by(self, rescinded_by_id: int, id: int) -> bool: ...

    async def delete_by(self, deleted_by_id: int, id: int) -> bool: ...

    async def find_summaries(
        self, criteria: CriteriaLike | None = None, sort: Any = None, limit: int = 0
    ) -> list[InfractionSummary]: ...


class ChannelMappings(Protocol):
    async def any(self, criteria: CriteriaLike | None = None) -> bool: ...

    async def find(self, criteria: CriteriaLike | None = None) -> list[DesignatedChannelMapping]: ...

    async def create_by(
        self, created_by_id: int, *, guild_id: int, channel_id: int, type: DesignatedChannelType
    ) -> DesignatedChannelMapping: ...

    async def delete_by(self, deleted_by_id: int, criteria: CriteriaLike) -> int: ...


class ModerationService:
    """Infractions, under the rules of the house."""

    def __init__(self, infractions: Infractions, users: Users) -> None:
        self._infractions = infractions
        self._users = users

    async def punish(
        self,
        moderator_id: int,
        *,
        guild_id: int,
        subject_id: int,
        type: InfractionType,
        reason: str,
        duration: timedelta | None = None,
    ) -> Infraction:
        await self._authorise(moderator_id)
        subject = await self._users.get_by_id(subject_id)
        if subject is None:
            raise NotAllowedError("There is no such user.")
        if subject.is_moderator:
            raise NotAllowedError(f"{subject.username} is a moderator.")
        if duration is not None and type is not InfractionType.MUTE:
            raise NotAllowedError("Only a mute ends by itself.")
        try:
            return await self._infractions.create_by(
                moderator_id, guild_id=guild_id, type=type, subject_id=subject_id, reason=reason, duration=duration
            )
        except DuplicateDocumentError as error:
            raise NotAllowedError(f"{subject.username} has an active {type} already.") from error

    async def pardon(self, moderator_id: int, infraction_id: int) -> None:
        await self._authorise(moderator_id)
        infraction = await self._infractions.get_by_id(infraction_id)
        if infraction is not None and infraction.type in (InfractionType.NOTICE, InfractionType.WARNING):
            raise NotAllowedError(f"A {infraction.type} cannot be taken back, only deleted.")
        if not await self._infractions.rescind_by(moderator_id, infraction_id):
            raise NotAllowedError("There is no such infraction, or it has ended.")

    async def delete(self, moderator_id: int, infraction_id: int) -> None:
        await self._authorise(moderator_id)
        if not await self._infractions.delete_by(moderator_id, infraction_id):
            raise NotAllowedError("There is no such infraction, or it is deleted.")

    async def history(self, guild_id: int, subject_id: int) -> list[InfractionSummary]:
        """Return what a user was told off for, the newest first."""
        criteria = InfractionCriteria(guild_id=guild_id, subject_id=subject_id, is_deleted=False)
        return await self._infractions.find_summaries(criteria, sort=["-created"], limit=25)

    async def _authorise(self, moderator_id: int) -> None:
        moderator = await self._users.get_by_id(moderator_id)
        if moderator is None or not moderator.is_moderator:
            raise NotAllowedError("Only moderators may do that.")


class DesignatedChannelService:
    """Which channels of a guild serve which purpose."""

    def __init__(self, mappings: ChannelMappings) -> None:
        self._mappings = mappings

    async def add(self, user_id: int, guild_id: int, channel_id: int, type: DesignatedChannelType) -> None:
        try:
            await self._mappings.create_by(user_id, guild_id=guild_id, channel_id=channel_id, type=type)
        except DuplicateDocumentError as error:
            raise NotAllowedError(f"The channel is a {type} already.") from error

    async def remove(self, user_id: int, guild_id: int, channel_id: int, type: DesignatedChannelType) -> None:
        if not await self._mappings.delete_by(user_id, _active(guild_id, channel_id, type)):
            raise NotAllowedError(f"The channel is no {type}.")

    async def channels_for(self, guild_id: int, type: DesignatedChannelType) -> list[int]:
        return [mapping.channel_id for mapping in await self._mappings.find(_active(guild_id, None, type))]

    async def serves_as(self, guild_id: int, channel_id: int, type: DesignatedChannelType) -> bool:
        return await self._mappings.any(_active(guild_id, channel_id, type))


def _active(guild_id: int, channel_id: int | None, type: DesignatedChannelType) -> DesignatedChannelMappingCriteria:
    return DesignatedChannelMappingCriteria(guild_id=guild_id, channel_id=channel_id, type=type, is_deleted=False)
