"""The cache of deadlines."""

from __future__ import annotations

from pipeline.state.cache import positive
from pipeline.state.caches.bulk import remove_all
from pipeline.state.encoding import EMPTY, FILLER
from pipeline.state.keys import expiry_key, group
from pipeline.state.rows import RowLocation
from pipeline.state.scope import CacheBinding


class ExpiryCache:
    """Deadlines by action and identifier. A deadline exists until its time is over; nothing is called then."""

    def __init__(self, binding: CacheBinding) -> None:
        self._binding = binding

    async def set(self, action: str, identifier: str, ttl_seconds: int) -> bool:
        """Set the deadline, or move the one that exists, and return True."""
        rows, name = self._locate(action, identifier)
        await rows.replace(name, {EMPTY: FILLER}, positive(ttl_seconds))
        return True

    async def delete(self, action: str, identifier: str) -> int:
        """Delete the deadline. Return 1 if it existed, else 0."""
        rows, name = self._locate(action, identifier)
        return int(await rows.remove(name))

    async def delete_all_by_identifier(self, identifier: str) -> int:
        """Delete the deadlines of all actions for this identifier and return how many there were."""
        scope = self._binding.scope()
        return await remove_all(scope.rows, await scope.rows.keys(group(scope.tenant_id, "expiry", identifier)))

    async def exists(self, action: str, identifier: str) -> bool:
        """Return True until the deadline's time is over."""
        rows, name = self._locate(action, identifier)
        return await rows.exists(name)

    async def get_ttl(self, action: str, identifier: str) -> int:
        """Return the seconds left; -2 if there is no deadline."""
        rows, name = self._locate(action, identifier)
        return await rows.ttl(name)

    def _locate(self, action: str, identifier: str) -> RowLocation:
        scope = self._binding.scope()
        return RowLocation(scope.rows, expiry_key(scope.tenant_id, identifier, action))
