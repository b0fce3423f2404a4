"""The data access objects, and a factory for each."""

from .comment import CommentDAO, get_comment_dao
from .post import AuthorStats, PostDAO, get_post_dao
from .user import UserDAO, get_user_dao

__all__ = [
    "AuthorStats",
    "CommentDAO",
    "PostDAO",
    "UserDAO",
    "get_comment_dao",
    "get_post_dao",
    "get_user_dao",
]
