"""Before the door: each new connection gets a protocol, or, where there is no place, an answer that says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast

from aiohttp import web

from pipeline.ingress.answers import RETRY_SECONDS, TEXTS
from pipeline.ingress.connection import Connection, Progress, Timeouts
from pipeline.ingress.limiter import ConnectionLimiter
from pipeline.ingress.remote import Proxies
from pipeline.logging import get_logger
from pipeline.metrics import WEBHOOKS

MOST_REFUSALS: Final = 4_000
"""At once, or as many as there are files for. More are closed without a word: an answer costs a connection as well."""
SAY_SECONDS: Final = 60.0
"""Between two lines of the log that say so."""
FIRST_BYTE_SECONDS: Final = 5.0
REFUSAL_SECONDS: Final = 30.0
"""For the rest of what was being sent: a caller whose connection is closed while it writes never reads the answer."""
_ALIVE_PATH: Final = b"GET /healthz "
_HEAD: Final = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n%b\r\n%b"
_ALIVE_TEXT: Final = b'{"status":"full"}\n'
_ALIVE: Final = _HEAD % (b"200 OK", len(_ALIVE_TEXT), b"", _ALIVE_TEXT)
_BUSY: Final = _HEAD % (
    b"503 Service Unavailable",
    len(TEXTS[503]),
    b"Retry-After: %b\r\n" % RETRY_SECONDS.encode(),
    TEXTS[503],
)
_log = get_logger(__name__)
_SCRATCH: Final = bytearray(64 * 1024)
"""What is refused is read into here, and overwritten by the next."""


class Gate:
    """Makes the protocol of each new connection; answers for those that get no place.

    Args:
        options: of `web.RequestHandler`.
    """

    def __init__(
        self,
        server: web.Server,
        limiter: ConnectionLimiter,
        proxies: Proxies,
        timeouts: Timeouts,
        options: Mapping[str, Any],
        most_refusals: int = MOST_REFUSALS,
    ) -> None:
        self._most_refusals = most_refusals
        self._make = partial(Connection, server, limiter, proxies, self._refuse, timeouts, options)
        self._refusals: set[Refusal] = set()
        self._said_at = float("-inf")

    def __call__(self) -> asyncio.BaseProtocol:
        return self._make()

    def _refuse(self, transport: asyncio.Transport, progress: Progress) -> None:
        self._say()
        if len(self._refusals) >= self._most_refusals:
            transport.abort()
            return
        refusal = Refusal(self._refusals, told=progress is Progress.ANSWERED)
        transport.set_protocol(refusal)
        refusal.connection_made(transport)
        if progress is Progress.BODY:
            refusal.tell(_BUSY)

    def _say(self) -> None:
        now = time.monotonic()
        if now - self._said_at > SAY_SECONDS:
            self._said_at = now
            _log.warning(
                "connections are refused: there are as many as are allowed, in all or from one client; raise "
                "PIPELINE_INGRESS_CONNECTIONS, or name the proxy that they come through in PIPELINE_TRUSTED_PROXIES"
            )


class Refusal(asyncio.BufferedProtocol):
    """Answers the first bytes with 503, discards the rest. Liveness is answered 200: being full is no illness."""

    def __init__(self, refusals: set[Refusal], *, told: bool = False) -> None:
        self._refusals = refusals
        self._told = told

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._refusals.add(self)
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, but not by its class
        seconds = REFUSAL_SECONDS if self._told else FIRST_BYTE_SECONDS
        self._end = asyncio.get_running_loop().call_later(seconds, transport.close)

    def get_buffer(self, sizehint: int) -> bytearray:
        return _SCRATCH

    def buffer_updated(self, nbytes: int) -> None:
        if not self._told:
            self.tell(_ALIVE if _SCRATCH.startswith(_ALIVE_PATH) else _BUSY)

    def tell(self, answer: bytes) -> None:
        self._told = True
        self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(REFUSAL_SECONDS, self._transport.close)
        self._transport.write(answer)
        if answer is _BUSY:
            WEBHOOKS.labels("unknown", "503").inc()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        self._refusals.discard(self)
