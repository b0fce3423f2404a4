"""Backends for cached values, all with the same four operations."""

from .base import Cache, LeasingCache, leases
from .memory import MemoryCache
from .null import NullCache
from .redis import RedisCache

__all__ = ["Cache", "LeasingCache", "MemoryCache", "NullCache", "RedisCache", "leases"]
