"""The application under test, on the database of the fixture `mongo`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from examples.services.api import create_app
from examples.services.config import Settings
from examples.services.services import SignUp, UserService
from mongodb_orm import DatabaseConfig


@pytest.fixture
def settings(mongo: DatabaseConfig) -> Settings:
    return Settings.model_validate(
        {
            "environment": "testing",
            "secret_key": "a secret of the tests",
            "mongo_uri": mongo.mongo_uri,
            "mongo_database": mongo.database_name,
        }
    )


@pytest.fixture
def service(mongo: DatabaseConfig) -> UserService:
    return UserService()


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as connected,
    ):
        yield connected


@pytest.fixture
def ann() -> SignUp:
    return SignUp(
        username="ann",
        email="ann@example.com",
        first_name="Ann",
        last_name="Lee",
        password=SecretStr("correct horse battery"),
    )
