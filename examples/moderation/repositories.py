"""How the records are read and written; why, is the business of the services."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from mongodb_orm import transactional
from mongodb_orm.repository import CriteriaLike, Repository

from .models import (
    ConfigurationAction,
    ConfigurationActionType,
    DesignatedChannelMapping,
    DesignatedChannelType,
    Infraction,
    InfractionType,
    ModerationAction,
    ModerationActionType,
    User,
)
from .summaries import DesignatedChannelMappingSummary, InfractionSummary

ORIGIN = {"created": "create_action.created", "author": "create_action.created_by.username"}


class UserRepository(Repository[User]):
    sortable = {"id": "id", "username": "username"}


class InfractionRepository(Repository[Infraction]):
    sortable = {"id": "id", "type": "type", "subject": "subject.username", "expires": "expires", **ORIGIN}

    async def find_summaries(
        self, criteria: CriteriaLike | None = None, sort: Any = None, limit: int = 0
    ) -> list[InfractionSummary]:
        return await self.find(criteria, sort, limit=limit, projection=InfractionSummary)

    @transactional
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
        """Store an infraction and the action behind it, which know each other, or neither."""
        action = await ModerationAction.create(
            guild_id=guild_id, created_by_id=created_by_id, type=ModerationActionType.INFRACTION_CREATED
        )
        infraction = await self.create(
            guild_id=guild_id,
            type=type,
            subject_id=subject_id,
            reason=reason,
            duration=duration,
            create_action=action.stamp(),
        )
        await action.update(infraction_id=infraction.id)
        return infraction

    async def rescind_by(self, rescinded_by_id: int, id: int) -> bool:
        """End an infraction; False when there is none, or it has ended already."""
        return await self._end(id, rescinded_by_id, "rescind_action_id", ModerationActionType.INFRACTION_RESCINDED)

    async def delete_by(self, deleted_by_id: int, id: int) -> bool:
        """Mark an infraction as deleted; False when there is none, or it is marked already."""
        return await self._end(id, deleted_by_id, "delete_action_id", ModerationActionType.INFRACTION_DELETED)

    @transactional
    async def _end(
        self,
        id: int,
        by_id: int,
        field: Literal["rescind_action_id", "delete_action_id"],
        type: ModerationActionType,
    ) -> bool:
        # Two at once write the same document: one of them begins again, and finds it ended.
        infraction = await self.get_by_id(id)
        if infraction is None or infraction.delete_action_id is not None or getattr(infraction, field) is not None:
            return False
        action = await ModerationAction.create(
            guild_id=infraction.guild_id, created_by_id=by_id, type=type, infraction_id=id
        )
        await infraction.update(**{field: action.id})
        return True


class DesignatedChannelMappingRepository(Repository[DesignatedChannelMapping]):
    sortable = {"id": "id", "type": "type", "channel": "channel_id", **ORIGIN}

    async def find_summaries(
        self, criteria: CriteriaLike | None = None, sort: Any = None
    ) -> list[DesignatedChannelMappingSummary]:
        return await self.find(criteria, sort, projection=DesignatedChannelMappingSummary)

    @transactional
    async def create_by(
        self, created_by_id: int, *, guild_id: int, channel_id: int, type: DesignatedChannelType
    ) -> DesignatedChannelMapping:
        """Store a mapping and the action behind it, or neither."""
        action = await ConfigurationAction.create(
            guild_id=guild_id, created_by_id=created_by_id, type=ConfigurationActionType.CHANNEL_MAPPING_CREATED
        )
        mapping = await self.create(guild_id=guild_id, channel_id=channel_id, type=type, create_action=action.stamp())
        await action.update(channel_mapping_id=mapping.id)
        return mapping

    @transactional
    async def delete_by(self, deleted_by_id: int, criteria: CriteriaLike) -> int:
        """Mark the mappings that fulfil the criteria as deleted, all or none; return how many."""
        found = [mapping for mapping in await self.find(criteria) if mapping.delete_action_id is None]
        for mapping in found:
            action = await ConfigurationAction.create(
                guild_id=mapping.guild_id,
                created_by_id=deleted_by_id,
                type=ConfigurationActionType.CHANNEL_MAPPING_DELETED,
                channel_mapping_id=mapping.id,
            )
            await mapping.update(delete_action_id=action.id)
        return len(found)
