"""Reject connections above the limit with 503, without buffering their data, if they get no place in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast

from aiohttp import web

from pipeline.ingress.connection import IngressConnection, RequestProgress, Timeouts
from pipeline.ingress.limiter import ConnectionLimiter
from pipeline.ingress.pending import LIVENESS_REQUEST, MAX_PENDING, PendingConnections
from pipeline.ingress.responses import BODIES, RETRY_SECONDS
from pipeline.ingress.trusted_proxies import TrustedProxies
from pipeline.logging import get_logger
from pipeline.metrics import WEBHOOKS

MAX_REJECTING: Final = 4_000
"""Connections above the limit, pending or being rejected; fewer if there are not enough files for them.

Above it connections are closed without a response, because a response needs a connection as well.
"""
WARNING_INTERVAL: Final = 60.0
"""Seconds between two log lines about rejected connections."""
FIRST_BYTE_TIMEOUT: Final = 5.0
"""Seconds until the first byte of a request arrives."""
DRAIN_TIMEOUT: Final = 30.0
"""Seconds for the rest of the request. A caller whose connection is closed while it writes never reads the response."""
_HEAD: Final = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n%b\r\n%b"
_ALIVE_BODY: Final = b'{"status":"full"}\n'
_ALIVE: Final = _HEAD % (b"200 OK", len(_ALIVE_BODY), b"", _ALIVE_BODY)
_OVERLOADED: Final = _HEAD % (
    b"503 Service Unavailable",
    len(BODIES[503]),
    b"Retry-After: %b\r\n" % RETRY_SECONDS.encode(),
    BODIES[503],
)
_log = get_logger(__name__)
_SCRATCH: Final = bytearray(64 * 1024)
"""Read buffer that all rejected connections share, since nobody needs their data."""


class ProtocolFactory:
    """Makes the protocol of each new connection, and rejects connections above the limit.

    Args:
        options: of `web.RequestHandler`.
    """

    def __init__(
        self,
        server: web.Server,
        limiter: ConnectionLimiter,
        proxies: TrustedProxies,
        timeouts: Timeouts,
        options: Mapping[str, Any],
        max_rejecting: int = MAX_REJECTING,
    ) -> None:
        max_pending = min(MAX_PENDING, max_rejecting // 2) if timeouts.place > 0 else 0
        self._max_rejecting = max_rejecting - max_pending
        pending = PendingConnections(self._reject_pending, timeouts.place, max_pending)
        self._make = partial(
            IngressConnection, server, limiter, proxies, pending.start, self._reject, timeouts, options
        )
        self._rejecting: set[OverloadProtocol] = set()
        self._warned_at = float("-inf")

    def __call__(self) -> asyncio.BaseProtocol:
        return self._make()

    def _reject_pending(self, transport: asyncio.Transport, received: bytes) -> None:
        """Reject a connection that has sent these bytes and got no place."""
        self._reject(transport, RequestProgress.BODY if received else RequestProgress.HEAD, _answer(received))

    def _reject(self, transport: asyncio.Transport, progress: RequestProgress, answer: bytes = _OVERLOADED) -> None:
        self._warn()
        if len(self._rejecting) >= self._max_rejecting:
            transport.abort()
            return
        protocol = OverloadProtocol(self._rejecting, responded=progress is RequestProgress.ANSWERED)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if progress is RequestProgress.BODY:
            protocol.respond(answer)

    def _warn(self) -> None:
        now = time.monotonic()
        if now - self._warned_at > WARNING_INTERVAL:
            self._warned_at = now
            _log.warning(
                "connections_rejected",
                detail="the limit of connections is reached, in all or for one client: raise "
                "PIPELINE_INGRESS_CONNECTIONS, or name the proxy in front in PIPELINE_TRUSTED_PROXIES",
            )


class OverloadProtocol(asyncio.BufferedProtocol):
    """Answers the first bytes with 503 and discards the rest. Liveness probes get 200: a full process is alive."""

    def __init__(self, rejecting: set[OverloadProtocol], *, responded: bool = False) -> None:
        self._rejecting = rejecting
        self._responded = responded

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._rejecting.add(self)
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, but not by its class
        seconds = DRAIN_TIMEOUT if self._responded else FIRST_BYTE_TIMEOUT
        self._end = asyncio.get_running_loop().call_later(seconds, transport.close)

    def get_buffer(self, sizehint: int) -> bytearray:
        return _SCRATCH

    def buffer_updated(self, nbytes: int) -> None:
        if not self._responded:
            self.respond(_answer(_SCRATCH))

    def respond(self, response: bytes) -> None:
        """Write the response, and close the connection after `DRAIN_TIMEOUT`."""
        self._responded = True
        self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(DRAIN_TIMEOUT, self._transport.close)
        self._transport.write(response)
        if response is _OVERLOADED:
            WEBHOOKS.labels("unknown", "503").inc()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        self._rejecting.discard(self)


def _answer(received: bytes | bytearray) -> bytes:
    """Return the response to a request that begins with these bytes."""
    return _ALIVE if received.startswith(LIVENESS_REQUEST) else _OVERLOADED
