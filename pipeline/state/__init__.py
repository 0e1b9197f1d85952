"""Caches behind one interface, and the stores that hold them: memory and Redis."""

from __future__ import annotations

from typing import Literal

from pipeline.state.base import ICache, ICacheFactory
from pipeline.state.cache import Cache
from pipeline.state.factory import CacheFactory, CacheScope
from pipeline.state.memory import MemoryStore
from pipeline.state.store import Store

__all__ = ["Cache", "CacheFactory", "CacheScope", "ICache", "ICacheFactory", "MemoryStore", "Store", "open_store"]


def open_store(backend: Literal["memory", "redis"], url: str) -> Store:
    """The store that the settings name. Connects on first use. Raises `ConfigurationError` for a bad URL."""
    if backend == "memory":
        return MemoryStore()
    from pipeline.state.redis import RedisStore  # noqa: PLC0415 (a memory cache needs no client)

    return RedisStore(url)
