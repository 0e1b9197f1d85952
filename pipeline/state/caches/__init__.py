"""The caches that handlers are given: one file each. All take both styles of call (`pipeline.state.call_styles`)."""

from __future__ import annotations

from pipeline.state.caches.ai_state import AIStateCache
from pipeline.state.caches.expiry import ExpiryCache
from pipeline.state.caches.state import StateCache
from pipeline.state.caches.table import TableCache
from pipeline.state.caches.user import UserCache

__all__ = ["AIStateCache", "ExpiryCache", "StateCache", "TableCache", "UserCache"]
