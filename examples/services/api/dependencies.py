"""What routes are given."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from mongodb_orm.integrations.fastapi import criteria_params

from ..config import Settings
from ..repositories import UserCriteria
from ..services import RateLimiter, UserService


def settings_of(request: Request) -> Settings:
    """Return the settings that the application was made with."""
    settings: Settings = request.app.state.settings
    return settings


def user_service() -> UserService:
    """Return the service; a test replaces it by `app.dependency_overrides`."""
    return UserService()


async def limit_sign_ups(request: Request, settings: Annotated[Settings, Depends(settings_of)]) -> None:
    """Refuse with 429 who signs up too often."""
    limiter = RateLimiter(settings.sign_ups_per_hour, timedelta(hours=1))
    wait = await limiter.wait_for(f"sign-up:{request.client.host if request.client else 'unknown'}")
    if wait:
        headers = {"Retry-After": str(int(wait.total_seconds()) + 1)}
        raise HTTPException(429, "Too many accounts were made from here. Try again later.", headers)


Users = Annotated[UserService, Depends(user_service)]
Search = Annotated[UserCriteria, Depends(criteria_params(UserCriteria))]
