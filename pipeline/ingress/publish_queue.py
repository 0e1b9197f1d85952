"""Fair turns at the broker: which of the authentic requests are published, and which of them wait.

While there is room, a request is published at once and nothing is counted by tenant. Otherwise it waits in a
`FairQueue`, so that one tenant's flood delays itself. If waiting requests fill the ingress, a new one takes the place
of the newest request of the tenant that holds the most: a tenant alone may use everything, and the others still get in.
A tenant that holds no more than its next turn loses no place.

A request that loses its place is answered 503 and not 429: every provider sends it again after a 5xx, but a gateway may
give up after a 4xx. Its connection is closed, so that there is room for the next caller.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from pipeline.ingress.fair_queue import QUANTUM, REQUEST_BYTES, Entry, FairQueue, Origin
from pipeline.ingress.limiter import Displaceable
from pipeline.ingress.rejections import Quota, Rejections
from pipeline.metrics import WEBHOOKS_WAITING

MAX_PUBLISHING: Final = 128
"""Requests that wait for their acknowledgements at once: 6,400 a second if each takes 20 ms."""
PUBLISHING_SHARE: Final = 4
"""Divisor of the bytes in flight for those requests. The last one may exceed it."""


class QueuedConnection(Protocol):
    """The connection of a queued request, as the queue sees it."""

    def mark_queued(self, request: Displaceable) -> None:
        """Record that its request may lose its place to a new connection."""

    def mark_serving(self) -> None:
        """Record that its request keeps its place."""


class Waiter:
    """A request that waits for its turn. `turn` is True when it may be published, False if it lost its place."""

    __slots__ = ("_owner", "entry", "turn")

    def __init__(self, owner: PublishQueue, origin: Origin, size: int) -> None:
        self._owner = owner
        self.turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.entry: Entry[Waiter] = owner.queue.add(origin, size, self)

    @property
    def load(self) -> float:
        """Bytes that its tenant's queued requests hold, for each unit of weight."""
        return self.entry.queue.load

    def displace(self) -> bool:
        """Take its place away. Return False if its tenant holds no more than its next turn."""
        if self.load <= QUANTUM:
            return False
        self._owner.displace(self.entry)
        return True


class PublishQueue:
    """Admits requests to the publisher.

    Attributes:
        queue: the requests that wait.

    Args:
        max_bytes: bytes of bodies that are being published at once; the last one may exceed it.
        max_publishing: requests that are being published at once.
    """

    def __init__(self, rejections: Rejections, max_bytes: int, max_publishing: int = MAX_PUBLISHING) -> None:
        self.queue: FairQueue[Waiter] = FairQueue()
        self._rejections = rejections
        self._max_bytes = max_bytes
        self._max_publishing = max_publishing
        self._publishing = 0
        self._bytes = 0
        self._leaving = 0

    @property
    def in_flight(self) -> int:
        """Bytes of queued bodies, less the memory of requests that lost their place and are being answered."""
        return self.queue.size - self._leaving * REQUEST_BYTES

    def enter(self, size: int) -> bool:
        """Take a turn if there is room and nobody waits. Return False if the request has to wait."""
        if self.queue or not self._has_room:
            return False
        self._grant(size)
        return True

    async def wait(self, origin: Origin, size: int, connection: QueuedConnection | None) -> bool:
        """Wait for a turn. Return False if the request lost its place instead."""
        waiter = Waiter(self, origin, size)
        if connection is not None:
            connection.mark_queued(waiter)
        WEBHOOKS_WAITING.inc()
        try:
            return await self._turn_of(waiter)
        finally:
            WEBHOOKS_WAITING.dec()
            if connection is not None:
                connection.mark_serving()

    def leave(self, size: int) -> None:
        """Give a turn back, and give it to those who wait."""
        self._publishing -= 1
        self._bytes -= size
        while self.queue and self._has_room:
            entry = self.queue.pop()
            if not entry.item.turn.done():  # else its deadline has just passed
                self._grant(entry.size)
                entry.item.turn.set_result(True)

    def make_room(self, size: int) -> bool:
        """Displace queued requests until `size` bytes are free. Return False if there are not as many."""
        while size > 0:
            entry = self.queue.heaviest()
            if entry is None or not entry.item.displace():
                return False
            size -= entry.cost
        return True

    def displace(self, entry: Entry[Waiter]) -> None:
        """Take the place of a queued request away."""
        self.queue.remove(entry)
        if not entry.item.turn.done():
            self._leaving += 1
            entry.item.turn.set_result(False)
            self._rejections.report(entry.origin.tenant, Quota.WEBHOOKS)

    async def _turn_of(self, waiter: Waiter) -> bool:
        try:
            granted = await waiter.turn
        except asyncio.CancelledError:
            self.queue.remove(waiter.entry)
            if waiter.turn.done() and not waiter.turn.cancelled():
                self._undo(waiter)
            raise
        if not granted:
            self._leaving -= 1
        return granted

    def _undo(self, waiter: Waiter) -> None:
        """Take back what was decided about a request whose deadline passed at the same time."""
        if waiter.turn.result():
            self.leave(waiter.entry.size)
        else:
            self._leaving -= 1

    def _grant(self, size: int) -> None:
        self._publishing += 1
        self._bytes += size

    @property
    def _has_room(self) -> bool:
        return self._publishing < self._max_publishing and self._bytes < self._max_bytes
