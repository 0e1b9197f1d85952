"""Whose caches they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.state.store import Rows


class CacheScope(NamedTuple):
    """Whose caches they are.

    Attributes:
        user_id: None where an event is about nobody.
        inbox_id: the account that the event came by, where there is one; the tenant's accounts share its caches.
    """

    rows: Rows
    tenant_id: str
    user_id: str | None
    inbox_id: str | None = None


class Ownership(NamedTuple):
    """One cache's owner: the scope at the time of each call, and whom the cache was made for.

    Attributes:
        user_id: the contact, where it is not the scope's.
        inbox_id: what the caller calls the tenant: its id or the account's. Anything else is refused.
    """

    scope: Callable[[], CacheScope]
    user_id: str | None = None
    inbox_id: str | None = None

    def now(self) -> CacheScope:
        """The scope. Raises `ValueError` where the cache was made for another tenant than the event's."""
        scope = self.scope()
        if self.inbox_id not in (None, scope.tenant_id, scope.inbox_id):
            raise ValueError("caches of another inbox can't be reached: leave inbox_id out, or pass self.inbox_id")
        return scope._replace(user_id=self.user_id or scope.user_id)
