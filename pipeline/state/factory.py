"""Makes the caches of one tenant and contact."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.state.caches import AIStateCache, ExpiryCache, StateCache, TableCache, UserCache
from pipeline.state.scope import CacheScope, Ownership


class CacheFactory:
    """Caches of whatever `scope` says at the time of each call.

    `inbox_id` may name the event's own account or tenant, never another's. `user_id` is any contact of the tenant; by
    default the one whom the event is about.

    >>> CacheFactory(lambda: CacheScope(store, "acme", "15550001111")).create_user_cache()
    """

    def __init__(self, scope: Callable[[], CacheScope]) -> None:
        self._scope = scope

    @property
    def user_id(self) -> str | None:
        """The contact whom the event is about; None where it is about nobody."""
        return self._scope().user_id

    @property
    def inbox_id(self) -> str | None:
        """The account that the event came by."""
        return self._scope().inbox_id

    def create_user_cache(self, inbox_id: str | None = None, user_id: str | None = None) -> UserCache:
        """Rows of one user."""
        return UserCache(Ownership(self._scope, user_id, inbox_id))

    def create_state_cache(self, inbox_id: str | None = None, user_id: str | None = None) -> StateCache:
        """States of one user's conversation."""
        return StateCache(Ownership(self._scope, user_id, inbox_id))

    def create_ai_state_cache(self, inbox_id: str | None = None, user_id: str | None = None) -> AIStateCache:
        """What agents remember of one user's conversation."""
        return AIStateCache(Ownership(self._scope, user_id, inbox_id))

    def create_table_cache(self, context_id: str | None = None) -> TableCache:
        """Rows that all conversations of the tenant share. `context_id` is an `inbox_id` by another name."""
        return TableCache(Ownership(self._scope, inbox_id=context_id))

    def create_expiry_cache(self, inbox_id: str | None = None, user_id: str | None = None) -> ExpiryCache:
        """Deadlines of the tenant, whoever the user is: an identifier may be anything."""
        return ExpiryCache(Ownership(self._scope, user_id, inbox_id))


ICacheFactory = CacheFactory
