"""Waits until replicas have what was written: a failover to one of them then loses none of it."""

from __future__ import annotations

import asyncio
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import TimeoutError as TimedOut

MARKER: Final = "pipeline:replication"
"""The key that is written before each wait.

WAIT covers the writes of its own connection only. Replicas get all writes in one order, so a replica that has this
write has the earlier ones of every connection.
"""


class Replication:
    """Waits for replicas. Callers that wait at the same moment share one round trip.

    Args:
        client: the connection.
        replicas: number of replicas that must have a write; 0: nothing is waited for.
        timeout: seconds until it fails.
    """

    def __init__(self, client: Redis, replicas: int, timeout: float) -> None:
        self._client = client
        self._replicas = replicas
        self._timeout = timeout
        self._in_flight: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        """Return when the replicas have everything that was written before. Raises Redis' `TimeoutError`."""
        if not self._replicas:
            return
        if self._next is None:
            self._next = asyncio.create_task(self._trip(self._in_flight))
        await asyncio.shield(self._next)

    async def _trip(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._in_flight, self._next = self._next, None  # later callers may have written after the marker
        pipeline = self._client.pipeline(transaction=False)
        pipeline.execute_command("SET", MARKER, "")
        pipeline.execute_command("WAIT", self._replicas, int(self._timeout * 500))
        async with asyncio.timeout(self._timeout):
            _, reached = await pipeline.execute()
        if reached < self._replicas:
            raise TimedOut(f"{reached} of {self._replicas} replicas have what was written")
