"""The caches of Wappa 0.31."""

from pipeline.state import (
    IAIStateCache,
    IExpiryCache,
    IStateCache,
    ITableCache,
    IUserCache,
    TableRowTransition,
    TableTransitionResult,
)

__all__ = [
    "IAIStateCache",
    "IExpiryCache",
    "IStateCache",
    "ITableCache",
    "IUserCache",
    "TableRowTransition",
    "TableTransitionResult",
]
