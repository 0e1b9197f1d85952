"""A gateway in front of the sandbox, which can be away or hang. It runs in the harness' own process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from pipeline.local.services import LOOPBACK

TIMEOUT: Final = ClientTimeout(total=60)
_KEPT: Final = ("Authorization", "Content-Type", "traceparent")


class Mode(StrEnum):
    """The way in which a gateway takes requests."""

    OPEN = "open"
    """It passes them on."""
    REFUSING = "refusing"
    """It takes no connections."""
    UNAVAILABLE = "unavailable"
    """It answers 503 and passes nothing on."""
    HANGING = "hanging"
    """It never answers. It passes every second request on."""


class Gateway:
    """One gateway, from `start` to `close`.

    Args:
        port: where it listens.
        url: the sandbox.

    Attributes:
        refused: requests that it answered with 503.
        unanswered: requests that it never answered, without those that were under way when it began to refuse.
    """

    def __init__(self, port: int, url: str) -> None:
        self._port = port
        self._url = url
        self._mode = Mode.OPEN
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        self._site: web.TCPSite | None = None
        self.refused = 0
        self.unanswered = 0

    async def start(self) -> None:
        self._session = ClientSession(timeout=TIMEOUT)
        await self._runner.setup()
        await self._listen()

    async def close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def become(self, mode: Mode) -> None:
        """Take requests in another way. What already hangs is not answered later."""
        self._mode = mode
        if mode is Mode.REFUSING:
            await self._refuse()
        elif self._site is None:
            await self._listen()

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, LOOPBACK, self._port)
        await self._site.start()

    async def _refuse(self) -> None:
        """Take no more connections and cut those that there are, as a process does that ends."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        if self._runner.server is not None:
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self._mode is Mode.UNAVAILABLE:
            self.refused += 1
            return web.Response(status=503)
        if self._mode is Mode.HANGING:
            await self._hang(request, body)
        return await self._pass_on(request, body) or await _cut(request)

    async def _hang(self, request: web.Request, body: bytes) -> None:
        """Wait until the client has gone: that cancels it."""
        self.unanswered += 1
        if self.unanswered % 2:
            await self._pass_on(request, body)
        await asyncio.Event().wait()

    async def _pass_on(self, request: web.Request, body: bytes) -> web.Response | None:
        """Return the sandbox's answer; None if it gave none."""
        headers = _kept(request.headers)
        with suppress(ClientError, OSError):
            async with self._session.request(
                request.method, f"{self._url}{request.path_qs}", data=body, headers=headers
            ) as response:
                content = await response.read()
                return web.Response(status=response.status, body=content, headers=_kept(response.headers))
        return None


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in _KEPT if name in headers}


async def _cut(request: web.Request) -> web.StreamResponse:
    """End a connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)  # nobody gets it
