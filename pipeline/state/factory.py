"""Makes the caches of one tenant and contact."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.state.caches import AIStateCache, ExpiryCache, StateCache, TableCache, UserCache
from pipeline.state.scope import CacheBinding, CacheScope


class CacheFactory:
    """Caches of the scope that `scope` returns at the time of each call.

    `inbox_id` may name the event's own account or tenant, never another's. `user_id` is any contact of the tenant; by
    default the one that the event is about.

    >>> CacheFactory(lambda: CacheScope(store, "acme", "15550001111")).create_user_cache()
    """

    def __init__(self, scope: Callable[[], CacheScope]) -> None:
        self._scope = scope

    @property
    def user_id(self) -> str | None:
        """The contact that the event is about; None if it is about nobody."""
        return self._scope().user_id

    @property
    def inbox_id(self) -> str | None:
        """The account that the event came by."""
        return self._scope().inbox_id

    def create_user_cache(self, inbox_id: str | None = None, user_id: str | None = None) -> UserCache:
        """Return the cache of one user's rows."""
        return UserCache(CacheBinding(self._scope, user_id, inbox_id))

    def create_state_cache(self, inbox_id: str | None = None, user_id: str | None = None) -> StateCache:
        """Return the cache of the states of one user's conversation."""
        return StateCache(CacheBinding(self._scope, user_id, inbox_id))

    def create_ai_state_cache(self, inbox_id: str | None = None, user_id: str | None = None) -> AIStateCache:
        """Return the cache of the states that language-model agents keep of one user's conversation."""
        return AIStateCache(CacheBinding(self._scope, user_id, inbox_id))

    def create_table_cache(self, context_id: str | None = None) -> TableCache:
        """Return the cache of the tenant's tables. `context_id` is an `inbox_id` by another name."""
        return TableCache(CacheBinding(self._scope, inbox_id=context_id))

    def create_expiry_cache(self, inbox_id: str | None = None, user_id: str | None = None) -> ExpiryCache:
        """Return the cache of the tenant's deadlines. They belong to identifiers, not to the user."""
        return ExpiryCache(CacheBinding(self._scope, user_id, inbox_id))


ICacheFactory = CacheFactory
