"""Admission control: which requests are read, how much memory they may use, and how long they may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from functools import lru_cache, partial
from typing import Final, NamedTuple, Protocol

from aiohttp import web
from prometheus_client import Counter, Histogram

from pipeline.errors import OversizeRecord, Unavailable
from pipeline.ingress.arriving_body import ArrivingBody, BodyTooLarge
from pipeline.ingress.connection import IngressConnection, Timeouts
from pipeline.ingress.fair_queue import REQUEST_BYTES
from pipeline.ingress.limiter import Client
from pipeline.ingress.publish_queue import MAX_PUBLISHING, PUBLISHING_SHARE, PublishQueue
from pipeline.ingress.rejections import Rejections
from pipeline.ingress.responses import response
from pipeline.ingress.trusted_proxies import TrustedProxies, client_network
from pipeline.metrics import WEBHOOK_SECONDS, WEBHOOKS

MAX_IN_FLIGHT: Final = 64 * 1024 * 1024
"""Bytes of requests that are being read, or wait for their turn or acknowledgement. Above it the answer is 503."""
_JSON: Final = "application/json"
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_CLIENT_SHARE: Final = 4
_READING_SHARE: Final = 2
"""Divisors of `max_in_flight` for bodies that are still arriving: those of one client, and those of all clients.

A body that arrives with its head counts for neither, so slow callers can't block it.
"""


class InFlightBytes(Protocol):
    """The part of the publisher that admission reads.

    Attributes:
        unacknowledged: bytes of records that were sent and are not acknowledged yet.
    """

    unacknowledged: int


class Streamed(NamedTuple):
    """The bounds of a body that is read while it arrives.

    Attributes:
        limit: bytes of the body.
        deadline: seconds from the head of the request to its response.
    """

    content_type: str
    limit: int
    deadline: float


class Rejected(Exception):
    """The request is not accepted; its caller gets `status`, and its connection ends if `closes`."""

    def __init__(self, status: int, *, closes: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self._closes = closes

    def response(self) -> web.Response:
        """Return the response for the caller."""
        made = response(self.status)
        if self._closes:
            made.force_close()
        return made


class Admission:
    """Admits requests within the limits of the process.

    Attributes:
        rejections: reports requests that are over a quota.
        publish_queue: the authentic requests that wait for the broker.

    Args:
        publisher: counts the bytes that wait for their acknowledgement.
        body_limit: bytes of one body.
        deadline: seconds from the head of the request to its response.
        max_in_flight: bytes.
        max_publishing: requests that wait for their acknowledgements at once.
        stall: seconds between two pieces of a body.
        proxies: proxies whose `X-Forwarded-For` is believed.
    """

    def __init__(
        self,
        publisher: InFlightBytes,
        *,
        body_limit: int,
        deadline: float,
        max_in_flight: int = MAX_IN_FLIGHT,
        max_publishing: int = MAX_PUBLISHING,
        stall: float = Timeouts().body,
        proxies: TrustedProxies | None = None,
    ) -> None:
        self.rejections = Rejections()
        self.publish_queue = PublishQueue(self.rejections, max_in_flight // PUBLISHING_SHARE, max_publishing)
        self._publisher = publisher
        self._body_limit = body_limit
        self._deadline = deadline
        self._max_in_flight = max_in_flight
        self._max_reading = max(body_limit, max_in_flight // _READING_SHARE)
        self._max_reading_of_client = max(body_limit, max_in_flight // _CLIENT_SHARE)
        self._stall = stall
        self._proxies = proxies or TrustedProxies()
        self._reading = 0
        self._open = 0

    @asynccontextmanager
    async def __call__(self, request: web.Request, source: str, rejection: Rejected | None) -> AsyncIterator[bytes]:
        """Read the body and give it to the block; count the request and its time in the metrics.

        Args:
            source: the provider, for the metrics.
            rejection: raised before the body is read, and before anybody makes room for it.

        Raise `Rejected`, also for errors of the block: 400, 401, 413, 415, 429 or 503.
        """
        with _counted(source):
            self._check_head(request, rejection)
            self._open += 1
            try:
                async with asyncio.timeout(self._deadline):
                    body = await self._read(request)
                    start = time.perf_counter()
                    yield body
                    _seconds(source).observe(time.perf_counter() - start)
            finally:
                self._open -= 1

    @asynccontextmanager
    async def streaming(
        self, request: web.Request, source: str, rejection: Rejected | None, accepted: Streamed
    ) -> AsyncIterator[ArrivingBody]:
        """Give a body to the block while it arrives; count the request in the metrics.

        What the block has read counts as memory of the client and of the process until the block releases it.

        Raise `Rejected` as for other requests.
        """
        with _counted(source):
            self._check_head(request, rejection, accepted)
            self._open += 1
            try:
                async with asyncio.timeout(accepted.deadline), self._arriving(request, accepted.limit) as body:
                    yield body
            finally:
                self._open -= 1

    @asynccontextmanager
    async def _arriving(self, request: web.Request, limit: int) -> AsyncIterator[ArrivingBody]:
        await _continue(request)
        with _awaiting_body(request, self._client_network(request)) as client:
            body = ArrivingBody(request.content, limit, self._stall, partial(self._hold, client))
            try:
                yield body
            finally:
                body.release()

    def _hold(self, client: Client, size: int) -> None:
        client.reading += size
        self._reading += size
        if size > 0:
            self._require_room(client)

    def client_ip(self, request: web.Request) -> str | None:
        """Return the address of the client behind trusted proxies; None if it can't be known."""
        return self._proxies.client_ip(request.remote, request.headers.getall("X-Forwarded-For", ()))

    def _check_head(self, request: web.Request, rejection: Rejected | None, accepted: Streamed | None = None) -> None:
        wanted = accepted.content_type if accepted else _JSON
        if request.headers.get("Content-Type") != wanted and request.content_type != wanted:
            raise Rejected(415)
        if accepted is None and (request.content_length or 0) > self._body_limit:
            raise Rejected(413)
        if rejection is not None:
            raise rejection
        self._require_free(self._in_flight + request.content.total_bytes)

    async def _read(self, request: web.Request) -> bytes:
        content = request.content
        body = content.read_nowait() if content.is_eof() else await self._receive(request)
        if len(body) > self._body_limit:
            raise Rejected(413)
        return body

    async def _receive(self, request: web.Request) -> bytes:
        """Read a body that is still arriving. Its bytes count as they come, and until it is complete."""
        await _continue(request)
        pieces: list[bytes] = []
        size = 0
        with _awaiting_body(request, self._client_network(request)) as client:
            try:
                while not request.content.at_eof():
                    async with asyncio.timeout(self._stall):
                        piece = await request.content.readany()
                    pieces.append(piece)
                    size += len(piece)
                    client.reading += len(piece)
                    self._reading += len(piece)
                    if size > self._body_limit:
                        raise Rejected(413)
                    self._require_room(client)
            finally:
                client.reading -= size
                self._reading -= size
        return b"".join(pieces)

    def _require_room(self, client: Client) -> None:
        """Raise `Rejected` if too many bytes are in flight."""
        if client.reading > self._max_reading_of_client or self._reading > self._max_reading:
            raise Rejected(503)
        self._require_free(self._in_flight - REQUEST_BYTES)

    def _require_free(self, in_flight: int) -> None:
        """Raise `Rejected` if so many bytes are too many, and no queued request can lose its place for them."""
        if in_flight > self._max_in_flight and not self.publish_queue.make_room(in_flight - self._max_in_flight):
            raise Rejected(503)

    def _client_network(self, request: web.Request) -> str | None:
        client = self.client_ip(request)
        return None if client is None else client_network(client)

    @property
    def _in_flight(self) -> int:
        return (
            self._reading + self._publisher.unacknowledged + self.publish_queue.in_flight + self._open * REQUEST_BYTES
        )


@contextmanager
def _counted(source: str) -> Iterator[None]:
    """Count the request by its answer. Raise `Rejected` in place of the errors that have an answer."""
    try:
        yield
    except Exception as error:
        rejected = _rejected(error)
        if rejected is None:
            raise
        _counter(source, rejected.status).inc()
        raise rejected from None
    _counter(source, 200).inc()


def _rejected(error: Exception) -> Rejected | None:
    """Return the rejection that an error stands for; None for a programming error, which aiohttp answers with 500."""
    match error:
        case Rejected():
            return error
        case OversizeRecord() | BodyTooLarge():
            return Rejected(413)
        case TimeoutError() | Unavailable():
            return Rejected(503)
        case ConnectionError() | web.RequestPayloadError():
            return Rejected(400)
    return None


async def _continue(request: web.Request) -> None:
    """Ask for the body if the caller waits for that."""
    if "Expect" in request.headers:
        await request.writer.write(_CONTINUE)
        request.writer.output_size = 0  # it counts the bytes of the final response


def is_complete(request: web.Request) -> bool:
    """Return True if the whole body has arrived, so that reading it costs no waiting."""
    return request.content.is_eof()


def _awaiting_body(request: web.Request, client: str | None) -> AbstractContextManager[Client]:
    """Mark the connection as waiting for its caller. Another server than ours (tests) counts no connections."""
    connection = request.protocol
    if isinstance(connection, IngressConnection):
        return connection.awaiting_body(request.content, client)
    return nullcontext(Client())


@lru_cache(maxsize=256)
def _counter(source: str, status: int) -> Counter:
    return WEBHOOKS.labels(source, str(status))


@lru_cache(maxsize=64)
def _seconds(source: str) -> Histogram:
    return WEBHOOK_SECONDS.labels(source)
