"""How many connections there are at once: in all, and from one client.

A connection costs memory before anybody has looked at its request: what its socket holds is read at once. So how many
there are bounds what a flood can cost; how many bytes are in hand (`Door`) bounds what is worked on. At a limit the
connection that has waited longest for its caller gives way to the newcomer, so silence holds no place. One that has
only begun to wait keeps its place, so a burst is served in its order; one whose request is complete always does.
"""

from __future__ import annotations

import time
from typing import Protocol

from pipeline.metrics import CONNECTIONS, CONNECTIONS_CLOSED


class Connection(Protocol):
    """What the limiter knows of a connection.

    Attributes:
        client: whose it is; None for one that counts for nobody, such as a trusted proxy's.
    """

    client: Client | None

    def evict(self) -> None:
        """Closes it now."""


class Client:
    """One client address.

    Attributes:
        connections: how many it has.
        waiting: those that wait for it and since when, the oldest first.
        reading: bytes of its bodies that have come and are not whole yet.
    """

    __slots__ = ("address", "connections", "reading", "waiting")

    def __init__(self, address: str = "") -> None:
        self.address = address
        self.connections = 0
        self.waiting: dict[Connection, float] = {}
        self.reading = 0


class ConnectionLimiter:
    """Keeps at most `most` connections, `most_per_client` of them from one client.

    Args:
        grace: seconds that a connection may wait without having to give way.
    """

    def __init__(self, most: int, most_per_client: int, grace: float = 0.0) -> None:
        self._grace = grace
        self._most = most
        self._most_per_client = most_per_client
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, float] = {}
        self._clients: dict[str, Client] = {}

    def admit(self, connection: Connection, address: str | None) -> bool:
        """Gives a new connection a place; it waits for its caller. False, if nobody gives way."""
        if not self.assign(connection, address):
            return False
        if len(self._open) >= self._most and not self._evict_oldest(self._waiting):
            self.unassign(connection)
            return False
        self._open.add(connection)
        CONNECTIONS.inc()
        self.wait(connection)
        return True

    def remove(self, connection: Connection) -> None:
        """Forgets a connection; does nothing for one that is forgotten already."""
        if connection in self._open:
            self.answer(connection)
            self.unassign(connection)
            self._open.remove(connection)
            CONNECTIONS.dec()

    def wait(self, connection: Connection) -> None:
        """From now on it waits for its caller."""
        if connection in self._open:
            now = time.monotonic()
            self._waiting[connection] = now
            if connection.client is not None:
                connection.client.waiting[connection] = now

    def answer(self, connection: Connection) -> None:
        """From now on its caller waits for us."""
        self._waiting.pop(connection, None)
        if connection.client is not None:
            connection.client.waiting.pop(connection, None)

    def assign(self, connection: Connection, address: str | None) -> bool:
        """Counts it for the client of this address. False, if nobody of that client gives way."""
        if address is None:
            return True
        client = self._clients.get(address) or Client(address)
        if client.connections >= self._most_per_client and not self._evict_oldest(client.waiting):
            return False
        client.connections += 1
        connection.client = client
        self._clients[address] = client  # also where the eviction took its last connection
        return True

    def unassign(self, connection: Connection) -> None:
        """Counts it for nobody."""
        client, connection.client = connection.client, None
        if client is not None:
            client.connections -= 1
            client.waiting.pop(connection, None)
            if not client.connections:
                del self._clients[client.address]

    def _evict_oldest(self, waiting: dict[Connection, float]) -> bool:
        oldest = next(iter(waiting), None)
        if oldest is None or time.monotonic() - waiting[oldest] < self._grace:
            return False
        self.remove(oldest)
        oldest.evict()
        CONNECTIONS_CLOSED.labels("evicted").inc()
        return True
