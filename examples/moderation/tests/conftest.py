"""A database with the data of `data.py`: in memory, for what that can do, and on a real server."""

from __future__ import annotations

import uuid

import pytest

from examples.moderation import models
from examples.moderation.tests import data
from mongodb_orm import DatabaseConfig, register_all_models


@pytest.fixture
async def server(mongo: DatabaseConfig) -> None:
    await data.store()


@pytest.fixture
async def memory(mongo: DatabaseConfig) -> None:
    await register_all_models(models, db_config=DatabaseConfig(f"memory://{uuid.uuid4().hex}"))
    await data.store()


@pytest.fixture(params=["memory", "server"])
async def anywhere(request: pytest.FixtureRequest, mongo: DatabaseConfig) -> None:
    if request.param == "memory":
        await register_all_models(models, db_config=DatabaseConfig(f"memory://{uuid.uuid4().hex}"))
    await data.store()
