"""The application's settings, from the environment and a file `.env`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mongodb_orm import DatabaseConfig


class Settings(BaseSettings):
    """Every field is an environment variable of its name; secrets show as stars."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True)

    app_name: str = "Accounts"
    environment: Literal["development", "testing", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    secret_key: SecretStr = Field(default=..., min_length=16)  # `default=...` is for pyright: it is required

    mongo_uri: SecretStr = SecretStr("embedded://")
    mongo_database: str = "accounts"
    mongo_max_pool_size: PositiveInt = 100
    mongo_min_pool_size: NonNegativeInt = 0
    mongo_tls: bool | None = None

    sign_ups_per_hour: PositiveInt = 20

    @model_validator(mode="after")
    def check_production(self) -> Self:
        """Refuse to serve customers from a database that is thrown away."""
        if self.environment == "production" and not self.mongo_uri.get_secret_value().startswith("mongodb"):
            raise ValueError("in production MONGO_URI names a server: mongodb:// or mongodb+srv://")
        return self

    def database(self) -> DatabaseConfig:
        """Return how to reach the database; in production by TLS, unless MONGO_TLS says otherwise."""
        tls = self.mongo_tls if self.mongo_tls is not None else (True if self.environment == "production" else None)
        return DatabaseConfig(
            mongo_uri=self.mongo_uri.get_secret_value(),
            database_name=self.mongo_database,
            max_pool_size=self.mongo_max_pool_size,
            min_pool_size=self.mongo_min_pool_size,
            ssl=tls,
            token_secret=self.secret_key,
            app_name=self.app_name,
        )
