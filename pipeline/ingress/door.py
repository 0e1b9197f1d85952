"""The way of one request through the ingress: look at it, authenticate it, publish it, answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Final

from aiohttp import web
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram

from pipeline import tracing
from pipeline.errors import OversizeRecord, Unavailable
from pipeline.ingress.answers import answer
from pipeline.ingress.connection import Connection, Timeouts
from pipeline.ingress.limiter import Client
from pipeline.ingress.publisher import Publisher
from pipeline.ingress.records import Arrival, Labeller, webhook_id
from pipeline.ingress.remote import Proxies, client_of
from pipeline.ingress.trace import traceparent
from pipeline.metrics import WEBHOOK_SECONDS, WEBHOOKS
from pipeline.providers.base import HeadAuthenticator, Provider, Slice, WebhookRequest
from pipeline.tenants import Tenants

MAX_IN_FLIGHT: Final = 64 * 1024 * 1024
"""Bytes of webhooks being read or waiting for their acknowledgement; more are refused until these are gone."""
REQUEST_BYTES: Final = 16 * 1024
"""What a request in hand takes beside its body: a flood of small ones would grow the process all the same."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_QUERY: Final[Mapping[str, str]] = {}

_CLIENT_SHARE: Final = 4
_READING_SHARE: Final = 2
"""Bodies that are still arriving take so many parts less: those of one client, and those of all.

A webhook that arrives in one piece is among neither, so slow callers can't take its place.
"""

Work = Callable[[bytes], Awaitable[web.Response]]
"""From the body of a request to its answer."""
Check = Callable[[], bool]
"""Whether a request may be authentic, as far as its head tells."""


class Door:
    """Takes webhooks, and sends by the HTTP API. 200 means that every record of it is acknowledged by the broker.

    Args:
        body_limit: bytes.
        deadline: seconds from the head of the request to its answer.
        max_in_flight: bytes.
        stall: seconds between two pieces of a body.
        proxies: those that may say who is calling.
    """

    def __init__(
        self,
        publisher: Publisher,
        tenants: Tenants,
        *,
        body_limit: int,
        deadline: float,
        max_in_flight: int = MAX_IN_FLIGHT,
        stall: float = Timeouts().body,
        proxies: Proxies | None = None,
    ) -> None:
        self._publisher = publisher
        self._tenants = tenants
        self._labeller = Labeller(tenants)
        self._body_limit = body_limit
        self._deadline = deadline
        self._max_in_flight = max_in_flight
        self._max_reading = max(body_limit, max_in_flight // _READING_SHARE)
        self._max_reading_of_client = max(body_limit, max_in_flight // _CLIENT_SHARE)
        self._stall = stall
        self._proxies = proxies or Proxies()
        self._reading = 0
        self._open = 0

    async def take(self, request: web.Request, provider: Provider, tenant_id: str | None = None) -> web.Response:
        """The answer to a webhook: 200, 400, 401, 413, 415 or 503."""
        return await self.admit(
            request,
            provider.name,
            lambda body: self._taken(request, body, provider, tenant_id),
            lambda: self._may_be_authentic(request, provider, tenant_id),
        )

    async def admit(self, request: web.Request, source: str, work: Work, check: Check) -> web.Response:
        """What `work` makes of the body, within the limits of the door; without it 400, 401, 413, 415 or 503.

        Args:
            check: asked before a body is waited for. One that is there already costs nothing more to look at.
        """
        status = self._refusal(request)
        if not status and not request.content.is_eof() and not check():
            status = 401
        response = await self._within(request, source, work) if not status else answer(status)
        _counter(source, response.status).inc()
        return response

    async def publish(
        self, request: web.Request, source: str, tenant_id: str | None, body: bytes, slices: Sequence[Slice]
    ) -> None:
        """Returns when every slice of `body` is acknowledged, in the caller's trace."""
        at_ms = time.time_ns() // 1_000_000
        given, ids = traceparent(request.headers.get("traceparent")), {"provider": source}
        with tracing.span("receive", given.decode(), SpanKind.SERVER, ids) as trace:
            arrival = Arrival(source, tenant_id, webhook_id(body), at_ms, (trace or "").encode())
            await self._publisher.publish(self._labeller.records(slices, arrival))

    async def _within(self, request: web.Request, source: str, work: Work) -> web.Response:
        self._open += 1
        try:
            async with asyncio.timeout(self._deadline):
                body = await self._read(request)
                start = time.perf_counter()
                response = await work(body)
                if response.status == 200:
                    _seconds(source).observe(time.perf_counter() - start)
                return response
        except OversizeRecord:
            return answer(413)
        except (TimeoutError, Unavailable):
            return answer(503)
        except (ConnectionError, web.RequestPayloadError):
            return answer(400)
        finally:
            self._open -= 1

    def _refusal(self, request: web.Request) -> int:
        """What the head of the request says already; 0: nothing against it."""
        if request.headers.get("Content-Type") != "application/json" and request.content_type != "application/json":
            return 415
        if (request.content_length or 0) > self._body_limit:
            return 413
        return 503 if self._in_flight + request.content.total_bytes > self._max_in_flight else 0

    def _may_be_authentic(self, request: web.Request, provider: Provider, tenant_id: str | None) -> bool:
        if not isinstance(provider, HeadAuthenticator):
            return True
        return provider.authenticate_head(self._webhook(request, b"", tenant_id), self._tenants)

    async def _taken(
        self, request: web.Request, body: bytes, provider: Provider, tenant_id: str | None
    ) -> web.Response:
        webhook = self._webhook(request, body, tenant_id)
        if not provider.authenticate(webhook, self._tenants):
            return answer(401)
        await self.publish(request, provider.name, tenant_id, body, provider.split(webhook, self._tenants))
        return answer(200)

    async def _read(self, request: web.Request) -> bytes:
        content = request.content
        body = content.read_nowait() if content.is_eof() else await self._receive(request)
        if len(body) > self._body_limit:
            raise OversizeRecord("the body is too large")
        return body

    async def _receive(self, request: web.Request) -> bytes:
        """A body that is still arriving. Only what has come is counted, and no longer than until it is whole."""
        if "Expect" in request.headers:
            await request.writer.write(_CONTINUE)
            request.writer.output_size = 0  # of the answer
        pieces: list[bytes] = []
        size = 0
        with _awaiting(request, self._client(request)) as client:
            try:
                while not request.content.at_eof():
                    async with asyncio.timeout(self._stall):
                        piece = await request.content.readany()
                    pieces.append(piece)
                    size += len(piece)
                    self._reading += len(piece)
                    client.reading += len(piece)
                    self._require_room(client, size)
                return b"".join(pieces)
            finally:
                self._reading -= size
                client.reading -= size

    def _require_room(self, client: Client, size: int) -> None:
        """Raises for a body that is too large, and for the one with which there are too many bytes in hand."""
        if size > self._body_limit:
            raise OversizeRecord("the body is too large")
        if client.reading > self._max_reading_of_client or self._reading > self._max_reading:
            raise Unavailable("too many bodies are arriving")
        if self._in_flight - REQUEST_BYTES > self._max_in_flight:
            raise Unavailable("too much is in hand")

    def _client(self, request: web.Request) -> str | None:
        """The client behind trusted proxies; None if it can't be known."""
        remote = self._remote(request)
        return None if remote is None else client_of(remote)

    def _remote(self, request: web.Request) -> str | None:
        return self._proxies.caller(request.remote, request.headers.getall("X-Forwarded-For", ()))

    def _webhook(self, request: web.Request, body: bytes, tenant_id: str | None) -> WebhookRequest:
        """aiohttp's headers are found by their names in lower case as well."""
        query = request.query if request.query_string else _NO_QUERY
        return WebhookRequest(body, request.headers, query, tenant_id, self._remote(request))

    @property
    def _in_flight(self) -> int:
        return self._reading + self._publisher.unacknowledged + self._open * REQUEST_BYTES


def _awaiting(request: web.Request, client: str | None) -> AbstractContextManager[Client]:
    """`Connection.awaiting`; under another server (tests) no connection is counted."""
    connection = request.protocol
    return connection.awaiting(request.content, client) if isinstance(connection, Connection) else nullcontext(Client())


@lru_cache(maxsize=256)
def _counter(provider: str, status: int) -> Counter:
    return WEBHOOKS.labels(provider, str(status))


@lru_cache(maxsize=64)
def _seconds(provider: str) -> Histogram:
    return WEBHOOK_SECONDS.labels(provider)
