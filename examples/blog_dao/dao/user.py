"""Users, read through the cache."""

from __future__ import annotations

from mongodb_orm import Q
from mongodb_orm.repository import Cache, CachedRepository

from ..models import User


class UserDAO(CachedRepository[User]):
    sortable = {"name": "username", "joined": "created_at"}

    async def get_by_username(self, username: str) -> User | None:
        return await self.get_by_cached(username=username)

    async def get_by_email(self, email: str) -> User | None:
        return await self.get_by_cached(email=email)

    async def search_users(self, text: str, limit: int = 20) -> list[User]:
        """Return the active users with a text in a name, by name. What lies below `users:` ends with every write."""

        async def search() -> list[User]:
            named = Q(username__icontains=text) | Q(full_name__icontains=text)
            return await self.find(named & Q(is_active=True), sort=["name"], limit=limit)

        return await self.cached(f"{self.keys.lists}search:{limit}:{text.casefold()}", search)

    async def count_active(self) -> int:
        return await self.count_cached(is_active=True)


def get_user_dao(cache: Cache) -> UserDAO:
    return UserDAO(cache=cache)
