"""Before the door: who comes when all connections are taken is told so, and nothing that he sends is kept.

A connection costs memory before anybody has looked at its request: what its socket holds is read at once. So how many
there are bounds what a flood can cost; how many bytes are in hand (`Door`) bounds what is worked on.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from aiohttp import web

from pipeline.ingress.answers import RETRY_SECONDS, TEXTS
from pipeline.metrics import WEBHOOKS

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
_SCRATCH: Final = bytearray(64 * 1024)
"""What is refused is read into here, and overwritten by the next."""


class Gate:
    """Makes the protocol of each connection: the server's, or a refusal where it has `most` already."""

    def __init__(self, server: web.Server, most: int) -> None:
        self._server = server
        self._most = most

    def __call__(self) -> asyncio.BaseProtocol:
        return self._server() if len(self._server.connections) < self._most else Refusal()


class Refusal(asyncio.BufferedProtocol):
    """Answers the first bytes with 503, discards the rest. Liveness is answered 200: being full is no illness."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one, but not by its class
        self._told = False
        self._end = asyncio.get_running_loop().call_later(REFUSAL_SECONDS, transport.close)

    def get_buffer(self, sizehint: int) -> bytearray:
        return _SCRATCH

    def buffer_updated(self, nbytes: int) -> None:
        if self._told:
            return
        self._told = True
        alive = _SCRATCH.startswith(_ALIVE_PATH)
        self._transport.write(_ALIVE if alive else _BUSY)
        if not alive:
            WEBHOOKS.labels("unknown", "503").inc()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
