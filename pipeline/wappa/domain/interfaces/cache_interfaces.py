"""The caches of generation 0.31."""

from pipeline.state import ICache

IUserCache = IStateCache = ITableCache = ICache

__all__ = ["IStateCache", "ITableCache", "IUserCache"]
