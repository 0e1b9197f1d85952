"""Makes the caches of one tenant and contact."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.state.base import ICacheFactory
from pipeline.state.cache import Cache
from pipeline.state.keys import state_key, table_key, user_key
from pipeline.state.store import Rows


class CacheScope(NamedTuple):
    """Whose caches they are. `user_id` is None where an event is about nobody."""

    rows: Rows
    tenant_id: str
    user_id: str | None


class CacheFactory(ICacheFactory):
    """Caches of whatever `scope` says at the time of each call.

    >>> CacheFactory(lambda: CacheScope(store, "acme", "15550001111")).create_user_cache()
    """

    def __init__(self, scope: Callable[[], CacheScope]) -> None:
        self._scope = scope

    def create_user_cache(self, user_id: str | None = None) -> Cache:
        return self._of_user(user_key, user_id)

    def create_state_cache(self, user_id: str | None = None) -> Cache:
        return self._of_user(state_key, user_id)

    def create_table_cache(self) -> Cache:
        def locate(key: str) -> tuple[Rows, str]:
            scope = self._scope()
            return scope.rows, table_key(scope.tenant_id, key)

        return Cache(locate)

    def _of_user(self, name: Callable[[str, str, str], str], user_id: str | None) -> Cache:
        def locate(key: str) -> tuple[Rows, str]:
            scope = self._scope()
            return scope.rows, name(scope.tenant_id, user_id or scope.user_id or "", key)

        return Cache(locate)
