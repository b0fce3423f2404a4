"""A short day of a moderator, on an embedded server or on `MONGO_URI`."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from functools import partial

from mongodb_orm import DatabaseConfig, close_all_connections, register_all_models

from . import models
from .models import InfractionType, User
from .repositories import InfractionRepository, UserRepository
from .services import ModerationService, NotAllowedError


async def main() -> None:
    await register_all_models(models, db_config=DatabaseConfig(os.environ.get("MONGO_URI", "embedded://")))
    await User.bulk_create([{"id": 1, "username": "mod", "is_moderator": True}, {"id": 2, "username": "spammer"}])
    service = ModerationService(InfractionRepository(), UserRepository())
    warning = await service.punish(1, guild_id=7, subject_id=2, type=InfractionType.WARNING, reason="Advertising")
    mute = partial(service.punish, 1, guild_id=7, subject_id=2, type=InfractionType.MUTE, duration=timedelta(days=1))
    await mute(reason="Advertising again")
    try:
        await mute(reason="And again")
    except NotAllowedError as error:
        print(error)
    await service.delete(1, warning.id or 0)
    for found in await service.history(7, 2):
        author = found.create_action.created_by
        ends = "until rescinded" if found.expires is None else f"until {found.expires:%d %B %H:%M}"
        print(f"{found.type} by {author.username if author else '?'}: {found.reason}, {ends}")
    await close_all_connections()


asyncio.run(main())
