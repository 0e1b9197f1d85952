"""Interfaces of caches, and tables of models."""

from pipeline.state import TypedRowTransition, TypedTableCache, VersionedTableCache
from pipeline.wappa.domain.interfaces.cache_factory import ICacheFactory
from pipeline.wappa.domain.interfaces.cache_interfaces import (
    IExpiryCache,
    IStateCache,
    ITableCache,
    IUserCache,
    TableRowTransition,
    TableTransitionResult,
)

__all__ = [
    "ICacheFactory",
    "IExpiryCache",
    "IStateCache",
    "ITableCache",
    "IUserCache",
    "TableRowTransition",
    "TableTransitionResult",
    "TypedRowTransition",
    "TypedTableCache",
    "VersionedTableCache",
]
