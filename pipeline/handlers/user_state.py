"""`self.cache`: one small state per user, for handlers that need no more than that."""

from __future__ import annotations

from typing import Any, Final

from pipeline.state.base import Data
from pipeline.state.caches import UserCache
from pipeline.state.factory import ICacheFactory

_KEY: Final = "state"


class UserStates:
    """A user's state, kept in that user's cache under the key `state`."""

    def __init__(self, caches: ICacheFactory) -> None:
        self._caches = caches

    async def get_user_state(self, user_id: str) -> dict[str, Any]:
        """Return the state; an empty dict for a user without one."""
        return await self._of(user_id).get(_KEY) or {}

    async def set_user_state(self, user_id: str, state: Data, ttl: int | None = None) -> bool:
        """Replace the state and return True. Without `ttl` (seconds) it never expires."""
        return await self._of(user_id).set(_KEY, state, ttl)

    async def user_exists(self, user_id: str) -> bool:
        """Return True if the user has a state."""
        return await self._of(user_id).exists(_KEY)

    def _of(self, user_id: str) -> UserCache:
        return self._caches.create_user_cache(user_id=user_id)
