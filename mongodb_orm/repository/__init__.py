"""Data access on top of the models: repositories, search criteria, summaries, and reads through a cache."""

from .base import Repository
from .cached import CachedRepository
from .caches import Cache, MemoryCache, NullCache, RedisCache
from .criteria import Combination, Criteria, CriteriaLike, Lookup
from .dao import BaseDAO, get_dao
from .protocols import RepositoryProtocol

__all__ = [
    "BaseDAO",
    "Cache",
    "CachedRepository",
    "Combination",
    "Criteria",
    "CriteriaLike",
    "Lookup",
    "MemoryCache",
    "NullCache",
    "RedisCache",
    "Repository",
    "RepositoryProtocol",
    "get_dao",
]
