"""aiohttp's protocol for one connection, with a timeout for everything that the caller may delay."""

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
from pipeline.ingress.limiter import Client, ConnectionLimiter, Displaceable
from pipeline.ingress.responses import BODIES, response
from pipeline.ingress.trusted_proxies import TrustedProxies
from pipeline.metrics import CONNECTIONS_CLOSED

READ_BUFFER_BYTES: Final = 64 * 1024
"""Bytes of aiohttp's read buffer. Twice as much is buffered of a body that is not being read yet."""


class Timeouts(NamedTuple):
    """Seconds that a caller has for each step."""

    head: float = 10.0
    """For the head of a request, from the start of the connection or from the first byte after a response."""
    idle: float = 75.0
    """Between two requests."""
    body: float = 2.0
    """Between two pieces of a body; `PIPELINE_INGRESS_DEADLINE` bounds the whole."""
    response: float = 10.0
    """To read a response that does not fit into the socket's buffer."""
    grace: float = 0.25
    """Before its connection can be evicted for another caller's."""
    place: float = 1.0
    """Seconds that a connection above the limit waits for a place."""


class RequestProgress(Enum):
    """The progress of a request when its connection is evicted."""

    HEAD = "the head has not arrived"
    BODY = "the body has not arrived"
    ANSWERED = "it was answered before its body had arrived, and the caller is still writing"


class IngressConnection(web.RequestHandler):
    """A connection that the limiter counts as long as it is open.

    Args:
        begin: starts a new connection, or takes over its transport if it is above the limit.
        reject: takes over the transport of a connection that is evicted.
        options: of `web.RequestHandler`.
    """

    __slots__ = (
        "_begin",
        "_between",
        "_body",
        "_limiter",
        "_proxies",
        "_reject",
        "_timeouts",
        "_timer",
        "address",
        "client",
    )

    def __init__(
        self,
        server: web.Server,
        limiter: ConnectionLimiter,
        proxies: TrustedProxies,
        begin: Callable[[IngressConnection, asyncio.Transport], None],
        reject: Callable[[asyncio.Transport, RequestProgress], None],
        timeouts: Timeouts,
        options: Mapping[str, Any],
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, keepalive_timeout=timeouts.idle, read_bufsize=READ_BUFFER_BYTES, **options)
        self._limiter = limiter
        self._proxies = proxies
        self._begin = begin
        self._reject = reject
        self._timeouts = timeouts
        self._timer: asyncio.TimerHandle | None = None
        self._body: StreamReader = EMPTY_PAYLOAD  # of the last request
        self._between = True  # no request waits for its response
        self.address: str | None = None
        self.client: Client | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self.address = self._proxies.connection_client(peer[0] if isinstance(peer, tuple) else None)
        self._begin(self, cast("asyncio.Transport", transport))  # uvloop's is one, but not by its class

    @property
    def lines_up(self) -> bool:
        """True if those that wait for a place go before it."""
        return self._limiter.is_at_limit or self.client_at_limit

    @property
    def client_at_limit(self) -> bool:
        """True if the limit of its client is reached."""
        return self._limiter.is_client_at_limit(self.address)

    def take_place(self, transport: asyncio.Transport) -> bool:
        """Take a place and serve the connection. Return False if there is none."""
        if not self._limiter.admit(self, self.address):
            return False
        super().connection_made(transport)
        self._set_timeout(self._timeouts.head, "slow head")
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        self._cancel_timeout()
        self._limiter.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages:
            _forget_frames(getattr(self._messages[-1][0], "exc", None))
            if self._between:
                self._between = False
                self._cancel_timeout()
                self._limiter.mark_serving(self)
        elif self._between and self._timer is None:
            self._set_timeout(self._timeouts.head, "slow head")

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Replace responses that aiohttp makes itself, as for `OPTIONS *`, which matches no path.

        While no newcomer would find a place, a connection without another request ends with its response.
        """
        if isinstance(resp, web.HTTPException):
            resp = response(resp.status if resp.status in BODIES else 404)
        if not self._messages and self._limiter.is_full(self):
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if not self._messages:  # else another request is complete already
                self._between, self._body = True, request.content
                self._limiter.mark_waiting(self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return one line that quotes nothing. Malformed HTTP may contain a secret, so it is not logged either."""
        if exc is not None and not isinstance(exc, HttpProcessingError):
            self.log_exception("request_failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a response has been sent already")
        made = response(400 if isinstance(exc, HttpProcessingError) else 500)
        made.force_close()
        return made

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_timeout(self._timeouts.response, "slow reader")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel_timeout()

    def evict(self) -> None:
        """Close the connection. A caller in the middle of a request gets 503."""
        transport, progress = self.transport, self._progress()
        if transport is None or progress is None:
            self.force_close()
            return
        self.transport = None  # `reject` takes it over
        self.connection_lost(None)
        self._reject(transport, progress)

    def _progress(self) -> RequestProgress | None:
        """Return the progress of the current request; None between two requests."""
        if not self._between:
            return RequestProgress.BODY
        if self._request_count == 0:
            return RequestProgress.HEAD
        return None if self._body.is_eof() else RequestProgress.ANSWERED

    @contextmanager
    def awaiting_body(self, body: StreamReader, address: str | None) -> Iterator[Client]:
        """Mark the connection as waiting until the body is complete. Yield the client whose body it is.

        Args:
            address: the client's address, for a connection through a trusted proxy.

        Raise `Unavailable` if that client has reached its limit of connections.
        """
        proxied = self.client is None
        if proxied and not self._limiter.assign(self, address):
            raise Unavailable("this client has too many open requests")
        self._limiter.mark_waiting(self)
        body.on_eof(lambda: self._limiter.mark_serving(self))
        try:
            yield self.client or Client()
        finally:
            self._limiter.mark_serving(self)
            if proxied:
                self._limiter.unassign(self)

    def mark_queued(self, request: Displaceable) -> None:
        """Record that the request waits for its turn, and may lose its place to a newcomer."""
        self._limiter.mark_queued(self, request)

    def mark_serving(self) -> None:
        """Record that the request keeps its place."""
        self._limiter.mark_serving(self)

    def _set_timeout(self, seconds: float, reason: str) -> None:
        self._cancel_timeout()
        self._timer = self._loop.call_later(seconds, self._expire, reason)

    def _cancel_timeout(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self, reason: str) -> None:
        """Abort the connection: `close` would wait until the caller has read the response."""
        self._timer = None
        CONNECTIONS_CLOSED.labels(reason).inc()
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()


def _forget_frames(error: BaseException | None) -> None:
    """Drop the traceback of malformed HTTP. One of its frames refers to the error: a reference cycle.

    The cycle would keep the connection and its data alive until the garbage collector runs, which counts objects and
    not bytes.
    """
    if error is not None:
        error.__traceback__ = error.__context__ = None
