"""The owner of a cache's rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.state.keys import tenant_of
from pipeline.state.rows import Rows


class CacheScope(NamedTuple):
    """The rows, tenant and user that caches work on at one moment.

    Attributes:
        tenant_id: the tenant, or an agent's space of it (`keys.agent_space`).
        user_id: None for an event that is about nobody.
        inbox_id: the account that the event came by, if there is one; the tenant's accounts share its caches.
    """

    rows: Rows
    tenant_id: str
    user_id: str | None
    inbox_id: str | None = None


class CacheBinding(NamedTuple):
    """One cache's owner: the user and inbox that it was made for, over the scope at the time of each call.

    Attributes:
        current: returns the scope of the current event.
        user_id: the contact; None for the scope's.
        inbox_id: the caller's name of the tenant: its id or the account's. Any other is rejected.
    """

    current: Callable[[], CacheScope]
    user_id: str | None = None
    inbox_id: str | None = None

    def scope(self) -> CacheScope:
        """Return the scope of a call. Raises `ValueError` if the cache was made for another tenant's inbox."""
        scope = self.current()
        if self.inbox_id is not None and self.inbox_id not in (tenant_of(scope.tenant_id), scope.inbox_id):
            raise ValueError("caches of another inbox can't be reached: leave inbox_id out, or pass self.inbox_id")
        return scope._replace(user_id=self.user_id or scope.user_id)
