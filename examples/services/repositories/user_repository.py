"""The questions that are asked about users, each with a name."""

from __future__ import annotations

from datetime import datetime

import pydantic

from mongodb_orm import Q
from mongodb_orm.repository import Criteria, Repository

from ..models import User


class UserCriteria(Criteria):
    """By what a list of users can be searched; what is not given asks for nothing."""

    username__startswith: str | None = None
    is_active: bool | None = None
    created_at__gte: datetime | None = None


class UserSummary(pydantic.BaseModel):
    """A user in a list: nothing else is read from the database."""

    id: int
    username: str
    first_name: str
    last_name: str


class UserRepository(Repository[User]):
    """Users by what they are known by; everything else is inherited."""

    sortable = {"name": "username", "joined": "created_at"}

    async def get_by_username(self, username: str) -> User | None:
        return await self.model.get(username=username)

    async def get_by_email(self, email: str) -> User | None:
        return await self.model.get(email=email)

    async def get_active_users(self, limit: int = 50) -> list[User]:
        return await self.find(UserCriteria(is_active=True), sort=["-joined"], limit=limit)

    async def search_users(self, words: str, limit: int = 20) -> list[UserSummary]:
        """Return active users whose name or address holds the words; on the server, and only what is shown."""
        text = Q(username__icontains=words) | Q(email__icontains=words)
        return await self.find(UserCriteria(is_active=True) & text, ["name"], limit=limit, projection=UserSummary)
