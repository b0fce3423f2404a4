"""What is stored.

Who did what and when is an action, and actions are never changed. A record holds a copy of the action that made it,
so that searches by author and time need no join, and the ids of those that ended it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import pydantic
from pydantic import Field

from mongodb_orm import BaseModel, IndexSpec, current_datetime


class User(BaseModel):
    """A user; the id is the chat service's."""

    class Meta:
        use_auto_id = False

    username: Annotated[str, Field(min_length=1, max_length=32)]
    is_moderator: bool = False


class Stamp(pydantic.BaseModel):
    """The copy of an action in the record that it made."""

    id: int
    created: datetime
    created_by_id: int


class Action(BaseModel):
    """What somebody did, and when."""

    class Meta:
        abstract = True

    guild_id: int
    created: datetime = Field(default_factory=current_datetime)
    created_by_id: int

    def stamp(self) -> Stamp:
        assert self.id is not None, "an action is stored before it is copied"
        return Stamp(id=self.id, created=self.created, created_by_id=self.created_by_id)


class ModerationActionType(StrEnum):
    INFRACTION_CREATED = "infraction_created"
    INFRACTION_RESCINDED = "infraction_rescinded"
    INFRACTION_DELETED = "infraction_deleted"


class ModerationAction(Action):
    """What a moderator did about an infraction."""

    type: ModerationActionType
    infraction_id: int | None = None


class ConfigurationActionType(StrEnum):
    CHANNEL_MAPPING_CREATED = "channel_mapping_created"
    CHANNEL_MAPPING_DELETED = "channel_mapping_deleted"


class ConfigurationAction(Action):
    """What was changed in a guild's configuration."""

    type: ConfigurationActionType
    channel_mapping_id: int | None = None


class InfractionType(StrEnum):
    NOTICE = "notice"
    WARNING = "warning"
    MUTE = "mute"
    BAN = "ban"


class Infraction(BaseModel):
    """What a user is told off for; a mute or a ban holds until it is rescinded, deleted or over."""

    class Meta:
        # Set by actions alone, whatever a client sends.
        protected = ("create_action", "rescind_action_id", "delete_action_id")
        indexes = (
            {"keys": {"guild_id": 1, "create_action.created": -1}},
            # Two moderators at once cannot both ban: of these the database keeps one.
            IndexSpec(
                keys=(("guild_id", 1), ("subject_id", 1), ("type", 1)),
                unique=True,
                partial_filter_expression={
                    "type": {"$gte": "ban", "$lte": "mute"},
                    "rescind_action_id": None,
                    "delete_action_id": None,
                },
            ),
        )

    guild_id: int
    type: InfractionType
    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    duration: timedelta | None = None
    subject_id: int
    create_action: Stamp
    rescind_action_id: int | None = None
    delete_action_id: int | None = None


class DesignatedChannelType(StrEnum):
    MESSAGE_LOG = "message_log"
    MODERATION_LOG = "moderation_log"
    PROMOTION_LOG = "promotion_log"
    UNMODERATED = "unmoderated"


class DesignatedChannelMapping(BaseModel):
    """Says that a channel of a guild serves a purpose."""

    class Meta:
        protected = ("create_action", "delete_action_id")
        indexes = (
            IndexSpec(
                keys=(("guild_id", 1), ("type", 1), ("channel_id", 1)),
                unique=True,
                partial_filter_expression={"delete_action_id": None},
            ),
        )

    guild_id: int
    channel_id: int
    type: DesignatedChannelType
    create_action: Stamp
    delete_action_id: int | None = None
