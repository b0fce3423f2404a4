"""What is stored before each test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from examples.moderation.models import (
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

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def users() -> list[User]:
    return [
        User(id=1, username="zoe", is_moderator=True),
        User(id=2, username="yan", is_moderator=True),
        User(id=3, username="bob"),
        User(id=4, username="ann"),
    ]


def moderation_actions() -> list[ModerationAction]:
    made, rescinded, deleted = ModerationActionType
    rows = [
        # id, guild, type, infraction, by
        (1, 1, made, 1, 1),
        (2, 1, deleted, 1, 1),
        (3, 1, made, 2, 1),
        (4, 2, made, 3, 2),
        (5, 2, rescinded, 3, 1),
        (6, 1, made, 4, 2),
        (7, 1, made, 5, 9),  # by somebody who has left
    ]
    return [
        ModerationAction(id=id, guild_id=guild, type=type, infraction_id=infraction, created=day(id), created_by_id=by)
        for id, guild, type, infraction, by in rows
    ]


def infractions() -> list[Infraction]:
    stamps = {action.id: action.stamp() for action in moderation_actions()}
    notice, warning, mute, ban = InfractionType
    hour = timedelta(hours=1)
    rows = [
        # id, guild, type, subject, reason, duration, made, rescinded, deleted by action
        (1, 1, notice, 3, "Spam", None, 1, None, 2),
        (2, 1, mute, 3, "More spam", 36 * hour, 3, None, None),
        (3, 2, ban, 3, "Raid", None, 4, 5, None),
        (4, 1, warning, 4, "Rude (50%)", None, 6, None, None),
        (5, 1, mute, 4, "rude again", hour, 7, None, None),
    ]
    return [
        Infraction(
            id=id,
            guild_id=guild,
            type=type,
            subject_id=subject,
            reason=reason,
            duration=duration,
            create_action=stamps[made],
            rescind_action_id=rescinded,
            delete_action_id=deleted,
        )
        for id, guild, type, subject, reason, duration, made, rescinded, deleted in rows
    ]


def configuration_actions() -> list[ConfigurationAction]:
    made, deleted = ConfigurationActionType
    rows = [(6, 1, made, 1, 1), (7, 1, deleted, 1, 1), (8, 2, made, 2, 2), (9, 1, made, 3, 1), (10, 2, made, 4, 3)]
    return [
        ConfigurationAction(
            id=id, guild_id=guild, type=type, channel_mapping_id=mapping, created=day(id), created_by_id=by
        )
        for id, guild, type, mapping, by in rows
    ]


def channel_mappings() -> list[DesignatedChannelMapping]:
    stamps = {action.id: action.stamp() for action in configuration_actions()}
    kind = DesignatedChannelType
    rows = [
        # id, guild, type, channel, made, deleted by action
        (1, 1, kind.MESSAGE_LOG, 1, 6, 7),
        (2, 2, kind.MODERATION_LOG, 3, 8, None),
        (3, 1, kind.MODERATION_LOG, 2, 9, None),
        (4, 2, kind.PROMOTION_LOG, 3, 10, None),
    ]
    return [
        DesignatedChannelMapping(
            id=id, guild_id=guild, type=type, channel_id=channel, create_action=stamps[made], delete_action_id=deleted
        )
        for id, guild, type, channel, made, deleted in rows
    ]


async def store() -> None:
    await User.bulk_create(users())
    await ModerationAction.bulk_create(moderation_actions())
    await Infraction.bulk_create(infractions())
    await ConfigurationAction.bulk_create(configuration_actions())
    await DesignatedChannelMapping.bulk_create(channel_mappings())
