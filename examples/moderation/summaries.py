"""What is shown of the records; the server joins and calculates."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import pydantic

from mongodb_orm import From, Reference

from .criteria import EXPIRES
from .models import (
    ConfigurationAction,
    DesignatedChannelMapping,
    DesignatedChannelType,
    Infraction,
    InfractionType,
    ModerationAction,
    User,
)


class UserBrief(pydantic.BaseModel):
    id: int
    username: str


class ActionBrief(pydantic.BaseModel):
    """An action, or the copy of one."""

    id: int
    created: datetime
    created_by: Annotated[UserBrief | None, Reference(User, "created_by_id")]


class InfractionSummary(pydantic.BaseModel):
    id: int
    guild_id: int
    type: InfractionType
    reason: str
    duration: timedelta | None
    subject: Annotated[UserBrief | None, Reference(User, Infraction.f.subject_id)]
    create_action: ActionBrief
    rescind_action: Annotated[ActionBrief | None, Reference(ModerationAction, Infraction.f.rescind_action_id)]
    delete_action: Annotated[ActionBrief | None, Reference(ModerationAction, Infraction.f.delete_action_id)]
    expires: Annotated[datetime | None, From(EXPIRES)]


class DesignatedChannelMappingSummary(pydantic.BaseModel):
    id: int
    guild_id: int
    channel_id: int
    type: DesignatedChannelType
    create_action: ActionBrief
    delete_action: Annotated[
        ActionBrief | None, Reference(ConfigurationAction, DesignatedChannelMapping.f.delete_action_id)
    ]
