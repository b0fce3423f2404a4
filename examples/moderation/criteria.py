"""What can be searched for; a field that is None asks for nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from mongodb_orm import field
from mongodb_orm.repository import Criteria, Lookup

from .models import DesignatedChannelType, Infraction, InfractionType

CREATED = "create_action.created"
CREATED_BY = "create_action.created_by_id"
EXPIRES = field(Infraction.f.create_action.created) + field(Infraction.f.duration)


class InfractionCriteria(Criteria):
    id: int | None = None
    guild_id: int | None = None
    types: Annotated[list[InfractionType] | None, Lookup("type", "in")] = None
    subject_id: int | None = None
    reason__icontains: str | None = None
    created_from: Annotated[datetime | None, Lookup(CREATED, "gte")] = None
    created_before: Annotated[datetime | None, Lookup(CREATED, "lt")] = None
    created_by_id: Annotated[int | None, Lookup(CREATED_BY)] = None
    expires_before: Annotated[datetime | None, Lookup(EXPIRES, "lt")] = None
    is_rescinded: Annotated[bool | None, Lookup("rescind_action_id", "not_null")] = None
    is_deleted: Annotated[bool | None, Lookup("delete_action_id", "not_null")] = None


class DesignatedChannelMappingCriteria(Criteria):
    id: int | None = None
    guild_id: int | None = None
    channel_id: int | None = None
    type: DesignatedChannelType | None = None
    created_by_id: Annotated[int | None, Lookup(CREATED_BY)] = None
    is_deleted: Annotated[bool | None, Lookup("delete_action_id", "not_null")] = None
