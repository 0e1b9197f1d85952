"""Cuts the lives of records that are not needed for long any more, many with one step in the store."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

from pipeline.errors import Unavailable
from pipeline.state.store import Store

BATCH: Final = 1000
"""Most records in one step: Redis does nothing else meanwhile."""


class RecordExpiry:
    """Gives records a new time to live, in the background.

    While the store is away they keep the time that they have, and are tried again with the next ones. What a process
    that dies has not got round to keeps its time too.

    Args:
        seconds: the new time to live, from the step on.
    """

    def __init__(self, store: Store, seconds: int) -> None:
        self._store = store
        self._seconds = seconds
        self._waiting: dict[str, list[str]] = defaultdict(list)
        self._running: asyncio.Task[None] | None = None

    def add(self, tenant_id: str, key: str) -> None:
        self._waiting[tenant_id].append(key)
        if self._running is None or self._running.done():
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Returns when none waits, or the store is away."""
        if self._running is not None:
            await self._running

    async def _run(self) -> None:
        while self._waiting and all(await asyncio.gather(*map(self._expire, list(self._waiting)))):
            pass  # what was added meanwhile, or was too much for one step

    async def _expire(self, tenant_id: str) -> bool:
        """One step for one tenant. Whether the store was there."""
        keys = self._waiting.pop(tenant_id)
        try:
            await self._store.expire_records(keys[:BATCH], self._seconds)
        except Unavailable:
            self._waiting[tenant_id] += keys
            return False
        if left := keys[BATCH:]:
            self._waiting[tenant_id] += left
        return True
