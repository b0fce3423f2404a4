"""Comments: written more often than read, so nothing is cached."""

from __future__ import annotations

from mongodb_orm.dao import BaseDAO

from ..models import Comment


class CommentDAO(BaseDAO[Comment]):
    async def of_post(self, post_id: int, limit: int = 100) -> list[Comment]:
        return await self.get_all(limit=limit, post_id=post_id)


def get_comment_dao() -> CommentDAO:
    return CommentDAO()
