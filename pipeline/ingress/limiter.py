"""Limit the connections that are open at once: in all, and from one client.

A connection needs memory before its request is looked at, because the data of its socket is read at once. So the number
of connections bounds the cost of a flood, and the bytes in flight (`Admission`) bound the requests that are processed.

At a limit, a new connection evicts the one that has waited longest for its caller, so that silent callers block nobody.
A connection that began to wait less than `grace` ago is not evicted, so that a burst is served in order. A connection
whose request is complete is never evicted.
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


class Client:
    """One client address.

    Attributes:
        connections: number of its open connections.
        waiting: its connections that wait for data, with the time since when, the oldest first.
        reading: bytes that have arrived of its incomplete bodies.
    """

    __slots__ = ("address", "connections", "reading", "waiting")

    def __init__(self, address: str = "") -> None:
        self.address = address
        self.connections = 0
        self.waiting: dict[LimitedConnection, float] = {}
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
        self._clients: dict[str, Client] = {}

    def admit(self, connection: LimitedConnection, address: str | None) -> bool:
        """Count a new connection, which waits for its caller. Return False if the limit is reached."""
        if not self.assign(connection, address):
            return False
        if len(self._open) >= self._max_connections and not self._evict_oldest(self._waiting):
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
        if connection.client is not None:
            connection.client.waiting.pop(connection, None)

    def assign(self, connection: LimitedConnection, address: str | None) -> bool:
        """Count the connection for the client of this address. Return False if its limit is reached."""
        if address is None:
            return True
        client = self._clients.get(address) or Client(address)
        if client.connections >= self._max_per_client and not self._evict_oldest(client.waiting):
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
            if not client.connections:
                del self._clients[client.address]

    def _evict_oldest(self, waiting: dict[LimitedConnection, float]) -> bool:
        oldest = next(iter(waiting), None)
        if oldest is None or time.monotonic() - waiting[oldest] < self._grace:
            return False
        self.remove(oldest)
        oldest.evict()
        CONNECTIONS_CLOSED.labels("evicted").inc()
        return True
