"""Caches behind one interface, and the stores that hold them: memory, JSON files and Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pipeline.state.base import ICache
from pipeline.state.cache import Cache
from pipeline.state.caches import AIStateCache, ExpiryCache, StateCache, TableCache, UserCache
from pipeline.state.factory import CacheFactory, ICacheFactory
from pipeline.state.json_files import JsonStore
from pipeline.state.memory import MemoryStore
from pipeline.state.scope import CacheScope
from pipeline.state.store import Store
from pipeline.state.transitions import TableRowTransition, TableTransitionResult
from pipeline.state.typed import TypedRowTransition, TypedTableCache, VersionedTableCache

IUserCache, IStateCache, ITableCache = UserCache, StateCache, TableCache
IAIStateCache, IExpiryCache = AIStateCache, ExpiryCache

__all__ = [
    "AIStateCache",
    "Backend",
    "Cache",
    "CacheFactory",
    "CacheScope",
    "ExpiryCache",
    "IAIStateCache",
    "ICache",
    "ICacheFactory",
    "IExpiryCache",
    "IStateCache",
    "ITableCache",
    "IUserCache",
    "JsonStore",
    "MemoryStore",
    "StateCache",
    "Store",
    "TableCache",
    "TableRowTransition",
    "TableTransitionResult",
    "TypedRowTransition",
    "TypedTableCache",
    "UserCache",
    "VersionedTableCache",
    "open_store",
]


Backend = Literal["memory", "json", "redis"]


def open_store(backend: Backend, url: str, directory: Path, replicas: int = 0) -> Store:
    """Return the store of the settings: `directory` is used by `json`, `url` and `replicas` by `redis`.

    Connects on first use. Raises `ConfigurationError` for a bad URL.
    """
    if backend == "memory":
        return MemoryStore()
    if backend == "json":
        return JsonStore(directory)
    from pipeline.state.redis import RedisStore  # noqa: PLC0415 (the other caches need no client)

    return RedisStore(url, replicas=replicas)
