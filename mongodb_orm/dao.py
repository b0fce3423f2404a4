"""The names of the DAO pattern: `from mongodb_orm.dao import BaseDAO, get_dao`."""

from .repository import BaseDAO, get_dao

__all__ = ["BaseDAO", "get_dao"]
