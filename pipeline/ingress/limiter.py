"""Limit the connections that are open at once: in all, and from one client.

A connection needs memory before its request is looked at, because the data of its socket is read at once. So the number
of connections bounds the cost of a flood, and the bytes in flight (`Admission`) bound the requests that are processed.

At a limit, a new connection evicts the one that has waited longest for its caller, so that silent callers block nobody.
A connection that began to wait less than `grace` ago is not evicted, so that a burst is served in order. A connection
whose request is complete is never evicted. If there is none to evict, but complete requests wait for their turn at the
broker, the newest one of the tenant that holds the most loses its place (`publish_queue`).
"""

from __future__ import annotations

import time
from typing import Protocol

from pipeline.metrics import CONNECTIONS, CONNECTIONS_CLOSED


class LimitedConnection(Protocol):
    """A connection, as the limiter sees it.

    Attributes:
        client: the client that it counts for; None for the connection of a trusted proxy.
    """

    client: Client | None

    def evict(self) -> None:
        """Close the connection now."""


class Displaceable(Protocol):
    """A request that may lose its place while it waits for its turn."""

    @property
    def load(self) -> float:
        """The load of its tenant. The heaviest one's requests lose their place first."""

    def displace(self) -> bool:
        """Answer the request with 503 and close its connection. Return False if its tenant holds too little."""


class Client:
    """One client address.

    Attributes:
        connections: number of its open connections.
        waiting: its connections that wait for data, with the time since when, the oldest first.
        queued: its connections whose request waits for its turn, the newest last.
        reading: bytes that have arrived of its incomplete bodies.
    """

    __slots__ = ("address", "connections", "queued", "reading", "waiting")

    def __init__(self, address: str = "") -> None:
        self.address = address
        self.connections = 0
        self.waiting: dict[LimitedConnection, float] = {}
        self.queued: dict[LimitedConnection, Displaceable] = {}
        self.reading = 0


class ConnectionLimiter:
    """Keeps at most `max_connections` open, `max_per_client` of them from one client.

    Args:
        grace: seconds that a connection may wait for its caller before it can be evicted.
    """

    def __init__(self, max_connections: int, max_per_client: int, grace: float = 0.0) -> None:
        self._grace = grace
        self._max_connections = max_connections
        self._max_per_client = max_per_client
        self._open: set[LimitedConnection] = set()
        self._waiting: dict[LimitedConnection, float] = {}
        self._queued: dict[LimitedConnection, Displaceable] = {}
        self._clients: dict[str, Client] = {}

    def admit(self, connection: LimitedConnection, address: str | None) -> bool:
        """Count a new connection, which waits for its caller. Return False if the limit is reached."""
        if not self.assign(connection, address):
            return False
        if len(self._open) >= self._max_connections and not self._make_place(self._waiting, self._queued):
            self.unassign(connection)
            return False
        self._open.add(connection)
        CONNECTIONS.inc()
        self.mark_waiting(connection)
        return True

    def remove(self, connection: LimitedConnection) -> None:
        """Stop counting a connection; do nothing if it is not counted."""
        if connection in self._open:
            self.mark_serving(connection)
            self.unassign(connection)
            self._open.remove(connection)
            CONNECTIONS.dec()

    def mark_waiting(self, connection: LimitedConnection) -> None:
        """Record that the connection waits for its caller from now on."""
        if connection in self._open:
            now = time.monotonic()
            self._waiting[connection] = now
            if connection.client is not None:
                connection.client.waiting[connection] = now

    def mark_serving(self, connection: LimitedConnection) -> None:
        """Record that the caller waits for a response from now on."""
        self._waiting.pop(connection, None)
        self._queued.pop(connection, None)
        if connection.client is not None:
            connection.client.waiting.pop(connection, None)
            connection.client.queued.pop(connection, None)

    def mark_queued(self, connection: LimitedConnection, request: Displaceable) -> None:
        """Record that the connection's request waits for its turn from now on."""
        if connection in self._open:
            self._queued[connection] = request
            if connection.client is not None:
                connection.client.queued[connection] = request

    @property
    def is_at_limit(self) -> bool:
        """True if a new connection takes another one's place."""
        return len(self._open) >= self._max_connections

    def is_client_at_limit(self, address: str | None) -> bool:
        """Return True if a new connection of this client takes the place of another one of its own."""
        client = self._clients.get(address or "")
        return client is not None and client.connections >= self._max_per_client

    def is_full(self, connection: LimitedConnection) -> bool:
        """Return True if every place is taken, or every place of this client, by one that is not to be evicted."""
        client = connection.client
        if len(self._open) >= self._max_connections and self._oldest(self._waiting) is None:
            return True
        return (
            client is not None and client.connections >= self._max_per_client and self._oldest(client.waiting) is None
        )

    def assign(self, connection: LimitedConnection, address: str | None) -> bool:
        """Count the connection for the client of this address. Return False if its limit is reached."""
        if address is None:
            return True
        client = self._clients.get(address) or Client(address)
        if client.connections >= self._max_per_client and not self._make_place(client.waiting, client.queued):
            return False
        client.connections += 1
        connection.client = client
        self._clients[address] = client  # also where the eviction took its last connection
        return True

    def unassign(self, connection: LimitedConnection) -> None:
        """Stop counting the connection for its client."""
        client, connection.client = connection.client, None
        if client is not None:
            client.connections -= 1
            client.waiting.pop(connection, None)
            client.queued.pop(connection, None)
            if not client.connections:
                del self._clients[client.address]

    def _make_place(
        self, waiting: dict[LimitedConnection, float], queued: dict[LimitedConnection, Displaceable]
    ) -> bool:
        return self._evict_oldest(waiting) or self._displace_heaviest(queued)

    def _evict_oldest(self, waiting: dict[LimitedConnection, float]) -> bool:
        oldest = self._oldest(waiting)
        if oldest is None:
            return False
        self.remove(oldest)
        oldest.evict()
        CONNECTIONS_CLOSED.labels("evicted").inc()
        return True

    def _oldest(self, waiting: dict[LimitedConnection, float]) -> LimitedConnection | None:
        """Return the connection that has waited longest for its caller, if it may be evicted."""
        oldest = next(iter(waiting), None)
        return None if oldest is None or time.monotonic() - waiting[oldest] < self._grace else oldest

    def _displace_heaviest(self, queued: dict[LimitedConnection, Displaceable]) -> bool:
        newest_first = reversed(queued.items())
        connection, request = max(newest_first, key=lambda each: each[1].load, default=(None, None))
        if connection is None or request is None or not request.displace():
            return False
        self.remove(connection)
        CONNECTIONS_CLOSED.labels("displaced").inc()
        return True
