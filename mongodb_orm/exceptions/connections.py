"""Errors of settings, registration and connections."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from .root import MongoDBORMError


class ConfigurationError(MongoDBORMError, ValueError):
    """Settings that cannot work."""


class RegistrationError(MongoDBORMError):
    """A model or module that cannot be registered."""


class ModelNotInitializedError(MongoDBORMError):
    """A model was used that is not connected to a database.

    Attributes:
        model: The model's name.
    """

    model: str

    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model} is not connected to a database.",
            hint=f"Write `await register_model({model}, db_config=DatabaseConfig(...))`, or "
            "`await register_all_models(__name__)` for every model of a module, before you use it.",
            model=model,
        )


class NotSupportedError(MongoDBORMError):
    """The backend, server or model cannot do what was asked.

    Attributes:
        feature: What is missing.
        backends: The backends that have it.
    """

    feature: str
    backends: tuple[str, ...]

    def __init__(self, problem: str, *, feature: str = "", backends: Sequence[str] = (), **rest: Any) -> None:
        super().__init__(problem, feature=feature, backends=tuple(backends), **rest)


class EmbeddedServerError(MongoDBORMError):
    """The embedded `mongod` cannot be found, started or reached."""


class ConnectionError(MongoDBORMError, builtins.ConnectionError):  # noqa: A001 - the name is the contract
    """No server answered, or the connection broke.

    After a write the outcome is unknown: most writes that end like this are in fact stored.
    """

    is_outcome_unknown = True


class ConnectionClosedError(ConnectionError):
    """The client was closed, or belongs to another event loop."""


class TimeoutError(MongoDBORMError, builtins.TimeoutError):  # noqa: A001 - the name is the contract
    """The deadline passed. After a write the outcome is unknown."""

    is_outcome_unknown = True
