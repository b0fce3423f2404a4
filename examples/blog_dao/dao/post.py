"""Posts, and what is known of an author by them, read through the cache."""

from __future__ import annotations

from typing_extensions import TypedDict

from mongodb_orm.repository import Cache, CachedRepository

from ..models import Post, PostStatus


class AuthorStats(TypedDict):
    published: int
    drafts: int
    latest: str | None


class PostDAO(CachedRepository[Post]):
    async def published_by(self, author_id: int, skip: int = 0, limit: int = 20) -> list[Post]:
        return await self.get_all_cached(skip, limit, author_id=author_id, status=PostStatus.PUBLISHED)

    async def get_author_stats(self, author_id: int) -> AuthorStats:
        """Return how much somebody wrote, under a key of its own that `invalidate` drops."""

        async def read() -> AuthorStats:
            published = self.model.filter(author_id=author_id, status=PostStatus.PUBLISHED)
            latest = await published.order_by("-id").first()
            return {
                "published": await published.count(),
                "drafts": await self.count(author_id=author_id, status=PostStatus.DRAFT),
                "latest": latest.title if latest else None,
            }

        return await self.cached(self._stats_key(author_id), read, ttl=self.record_ttl)

    async def invalidate(self, record: Post) -> None:
        """Called for a post as it was and as it is: when it changes hands, both authors' stats end."""
        await self.cache.delete(self._stats_key(record.author_id))

    def _stats_key(self, author_id: int) -> str:
        return f"{self.keys.records}author:{author_id}"


def get_post_dao(cache: Cache) -> PostDAO:
    return PostDAO(cache=cache)
