"""One connection: aiohttp's protocol, with a limit for everything that its caller may leave undone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import Any, Final, NamedTuple, cast

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD

from pipeline.errors import Unavailable
from pipeline.ingress.answers import TEXTS, answer
from pipeline.ingress.limiter import Client, ConnectionLimiter
from pipeline.ingress.remote import Proxies
from pipeline.metrics import CONNECTIONS_CLOSED

READ_BUFFER_BYTES: Final = 64 * 1024
"""Of a body that nobody has begun to read, twice as much is held."""


class Timeouts(NamedTuple):
    """Seconds that a caller has."""

    head: float = 10.0
    """For the head of a request: from the connection, or from the first byte behind another request."""
    idle: float = 75.0
    """Between two requests."""
    body: float = 2.0
    """Between two pieces of a body; `PIPELINE_INGRESS_DEADLINE` bounds the whole."""
    answer: float = 10.0
    """To take an answer that its socket had no room for."""
    grace: float = 0.25
    """Before another caller can take its place."""


class Progress(Enum):
    """How far a request is whose connection gives way."""

    HEAD = "its head has not come"
    BODY = "its body has not come"
    ANSWERED = "it was answered before its body had come, and its caller still writes"


class Connection(web.RequestHandler):
    """A connection that has a place of the limiter, as long as it lives.

    Args:
        refuse: takes a transport for which there is no place.
        options: of `web.RequestHandler`.
    """

    __slots__ = ("_between", "_body", "_limiter", "_proxies", "_refuse", "_timeouts", "_timer", "client")

    def __init__(
        self,
        server: web.Server,
        limiter: ConnectionLimiter,
        proxies: Proxies,
        refuse: Callable[[asyncio.Transport, Progress], None],
        timeouts: Timeouts,
        options: Mapping[str, Any],
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, keepalive_timeout=timeouts.idle, read_bufsize=READ_BUFFER_BYTES, **options)
        self._limiter = limiter
        self._proxies = proxies
        self._refuse = refuse
        self._timeouts = timeouts
        self._timer: asyncio.TimerHandle | None = None
        self._body: StreamReader = EMPTY_PAYLOAD  # of the last request
        self._between = True  # no request is known whose answer is not written
        self.client: Client | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        if not self._limiter.admit(self, self._proxies.client(peer[0] if isinstance(peer, tuple) else None)):
            self._refuse(cast("asyncio.Transport", transport), Progress.HEAD)  # uvloop's is one, but not by its class
            return
        super().connection_made(transport)
        self._limit(self._timeouts.head, "slow head")

    def connection_lost(self, exc: BaseException | None) -> None:
        self._unlimit()
        self._limiter.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages:
            _forget_frames(getattr(self._messages[-1][0], "exc", None))
            if self._between:
                self._between = False
                self._unlimit()
                self._limiter.answer(self)
        elif self._between and self._timer is None:
            self._limit(self._timeouts.head, "slow head")

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Puts what aiohttp answers by itself in our words: to a request for no path at all, as `OPTIONS *` is."""
        if isinstance(resp, web.HTTPException):
            resp = answer(resp.status if resp.status in TEXTS else 404)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if not self._messages:  # else another request is whole already
                self._between, self._body = True, request.content
                self._limiter.wait(self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """One line that quotes nothing. What was no HTTP may hold a secret, so it is not logged either."""
        if exc is not None and not isinstance(exc, HttpProcessingError):
            self.log_exception("a request failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has been sent already")
        made = answer(400 if isinstance(exc, HttpProcessingError) else 500)
        made.force_close()
        return made

    def pause_writing(self) -> None:
        super().pause_writing()
        self._limit(self._timeouts.answer, "slow reader")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unlimit()

    def evict(self) -> None:
        """Closes it; who is in the midst of a request is told that it was not taken."""
        transport, progress = self.transport, self._progress()
        if transport is None or progress is None:
            self.force_close()
            return
        self.transport = None  # it goes on without us
        self.connection_lost(None)
        self._refuse(transport, progress)

    def _progress(self) -> Progress | None:
        """How far the caller is in a request; None between two."""
        if not self._between:
            return Progress.BODY
        if self._request_count == 0:
            return Progress.HEAD
        return None if self._body.is_eof() else Progress.ANSWERED

    @contextmanager
    def awaiting(self, body: StreamReader, address: str | None) -> Iterator[Client]:
        """Until the body is whole its connection waits. Gives its client; one of its own where that can't be known.

        Args:
            address: the client's, where a trusted proxy stands in between.

        Raises `Unavailable` where that client has requests in every place that it may have.
        """
        proxied = self.client is None
        if proxied and not self._limiter.assign(self, address):
            raise Unavailable("this client has too many requests in hand")
        self._limiter.wait(self)
        body.on_eof(lambda: self._limiter.answer(self))
        try:
            yield self.client or Client()
        finally:
            self._limiter.answer(self)
            if proxied:
                self._limiter.unassign(self)

    def _limit(self, seconds: float, reason: str) -> None:
        self._unlimit()
        self._timer = self._loop.call_later(seconds, self._expire, reason)

    def _unlimit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self, reason: str) -> None:
        """`abort` and not `close`: what the caller does not take would be waited for."""
        self._timer = None
        CONNECTIONS_CLOSED.labels(reason).inc()
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()


def _forget_frames(error: BaseException | None) -> None:
    """Drops the traceback of what was no HTTP. A frame in it holds the error, so both would wait for the collector.

    The connection and what it has read would wait with them, and few objects of megabytes do not wake the collector.
    """
    if error is not None:
        error.__traceback__ = error.__context__ = None
