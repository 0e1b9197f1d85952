"""Connections above the limit wait a moment for a place, because most places are free again after milliseconds.

Without that, a burst of one caller's connections would have each other caller's rejected that comes in the same
millisecond. Only those that have sent something get a place, in their order, so that silent callers keep nobody out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from pipeline.ingress.fair_queue import REQUEST_BYTES

MAX_PENDING: Final = 1_000
"""Connections that wait at once."""
LIVENESS_REQUEST: Final = b"GET /healthz "
RETRY_INTERVAL: Final = 0.005
"""Seconds between two attempts to get places."""


class StartableConnection(Protocol):
    """A new connection, as it is seen here. `address` is the client that it counts for, if it is known."""

    address: str | None

    @property
    def lines_up(self) -> bool:
        """True if those that wait go before it: the limit is reached, in all or for its client."""

    @property
    def client_at_limit(self) -> bool:
        """True if the limit of its client is reached."""

    def take_place(self, transport: asyncio.Transport) -> bool:
        """Take a place. Return False if there is none."""

    def data_received(self, data: bytes) -> None:
        """Take the bytes that came meanwhile."""


Reject = Callable[[asyncio.Transport, bytes], None]
"""Takes over the transport of a connection that gets no place, with the bytes that it has sent."""


class PendingConnections:
    """The connections that wait for a place.

    Args:
        seconds: that each may wait.
        max_pending: how many may wait.
    """

    def __init__(self, reject: Reject, seconds: float, max_pending: int) -> None:
        self._reject = reject
        self._seconds = seconds
        self._max_pending = max_pending
        self._waiting: dict[_Pending, None] = {}
        self._ready: dict[_Pending, None] = {}
        self._retry: asyncio.TimerHandle | None = None

    def start(self, connection: StartableConnection, transport: asyncio.Transport) -> None:
        """Give a new connection a place, or have it wait behind those that are ready, or reject it."""
        has_room = len(self._waiting) < self._max_pending
        in_line = self._ready and has_room and connection.lines_up
        if not in_line and connection.take_place(transport):
            return
        if not has_room:
            self._reject(transport, b"")
            return
        pending = _Pending(self, connection, transport)
        transport.set_protocol(pending)
        self._waiting[pending] = None
        pending.timer = asyncio.get_running_loop().call_later(self._seconds, self.reject, pending)

    def mark_ready(self, pending: _Pending) -> None:
        """Try to get a place from now on. A liveness probe waits for none: a full process is alive."""
        if pending.received.startswith(LIVENESS_REQUEST):
            self.reject(pending)
            return
        self._ready[pending] = None
        if self._retry is None:
            self._schedule()

    def remove(self, pending: _Pending) -> None:
        """Forget a connection that its caller has closed, or that waits no more."""
        pending.timer.cancel()
        self._waiting.pop(pending, None)
        self._ready.pop(pending, None)

    def reject(self, pending: _Pending) -> None:
        """Reject a connection that waits."""
        self.remove(pending)
        self._reject(pending.transport, pending.received)

    def _schedule(self) -> None:
        self._retry = asyncio.get_running_loop().call_later(RETRY_INTERVAL, self._start_ready)

    def _start_ready(self) -> None:
        self._retry = None
        failed: set[str | None] = set()
        for pending in list(self._ready):
            connection = pending.connection
            if connection.address in failed or self._started(pending):
                continue
            if not connection.client_at_limit:
                break  # there is no place for anybody
            failed.add(connection.address)
        if self._ready:
            self._schedule()

    def _started(self, pending: _Pending) -> bool:
        transport, connection = pending.transport, pending.connection
        if not connection.take_place(transport):
            return False
        self.remove(pending)
        transport.set_protocol(cast("asyncio.BaseProtocol", connection))
        connection.data_received(pending.received)
        if not transport.is_closing():
            transport.resume_reading()
        return True


class _Pending(asyncio.BufferedProtocol):
    """Reads the first bytes of a connection, and stops reading until it has a place."""

    timer: asyncio.TimerHandle

    def __init__(self, all_: PendingConnections, connection: StartableConnection, transport: asyncio.Transport) -> None:
        self._all = all_
        self._buffer = bytearray()
        self.connection = connection
        self.transport = transport
        self.received = b""

    def get_buffer(self, sizehint: int) -> bytearray:
        self._buffer = bytearray(REQUEST_BYTES)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received, self._buffer = bytes(self._buffer[:nbytes]), bytearray()
        self.transport.pause_reading()
        self._all.mark_ready(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.remove(self)
