"""Expires records that are not needed for long any more, many with one step in the store."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

from pipeline.errors import Unavailable
from pipeline.state.store import Store

MAX_BATCH: Final = 1000
"""Records in one step: Redis serves nobody else meanwhile."""


class RecordExpiry:
    """Gives records a new time to live, in the background.

    While the store is away the records keep the time that they have; the next `add` tries them again. If the process
    dies, the records that it has not reached keep their time too.

    Args:
        store: holds the records.
        seconds: the new time to live, counted from the step.
    """

    def __init__(self, store: Store, seconds: int) -> None:
        self._store = store
        self._seconds = seconds
        self._pending: dict[str, list[str]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None

    def add(self, tenant_id: str, key: str) -> None:
        """Queue a tenant's record for expiry."""
        self._pending[tenant_id].append(key)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Return when all queued records are expired, or the store is away."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._pending and all(await asyncio.gather(*map(self._expire, list(self._pending)))):
            pass  # records that were added meanwhile, or were too many for one step

    async def _expire(self, tenant_id: str) -> bool:
        """Expire one batch of one tenant. Return False if the store is away."""
        keys = self._pending.pop(tenant_id)
        try:
            await self._store.expire_records(keys[:MAX_BATCH], self._seconds)
        except Unavailable:
            self._pending[tenant_id] += keys
            return False
        if rest := keys[MAX_BATCH:]:
            self._pending[tenant_id] += rest
        return True
