"""The way of one request through the ingress: look at it, authenticate it, publish it, answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from aiohttp import web
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram

from pipeline import tracing
from pipeline.errors import OversizeRecord, Unavailable
from pipeline.ingress.answers import answer
from pipeline.ingress.publisher import Publisher
from pipeline.ingress.records import Arrival, Labeller, webhook_id
from pipeline.ingress.remote import Proxies
from pipeline.ingress.trace import traceparent
from pipeline.metrics import WEBHOOK_SECONDS, WEBHOOKS
from pipeline.providers.base import Provider, Slice, WebhookRequest
from pipeline.tenants import Tenants

MAX_IN_FLIGHT: Final = 64 * 1024 * 1024
"""Bytes of webhooks being read or waiting for their acknowledgement; more are refused until these are gone."""
REQUEST_BYTES: Final = 16 * 1024
"""What a request in hand takes beside its body: a flood of small ones would grow the process all the same."""
_NO_QUERY: Final[Mapping[str, str]] = {}

Work = Callable[[bytes], Awaitable[web.Response]]
"""From the body of a request to its answer."""


class Door:
    """Takes webhooks, and sends by the HTTP API. 200 means that every record of it is acknowledged by the broker.

    Args:
        body_limit: bytes.
        deadline: seconds from the head of the request to its answer.
        max_in_flight: bytes.
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
        proxies: Proxies | None = None,
    ) -> None:
        self._publisher = publisher
        self._tenants = tenants
        self._labeller = Labeller(tenants)
        self._body_limit = body_limit
        self._deadline = deadline
        self._max_in_flight = max_in_flight
        self._proxies = proxies or Proxies()
        self._reading = 0
        self._open = 0

    async def take(self, request: web.Request, provider: Provider, tenant_id: str | None = None) -> web.Response:
        """The answer to a webhook: 200, 400, 401, 413, 415 or 503."""
        return await self.admit(request, provider.name, lambda body: self._taken(request, body, provider, tenant_id))

    async def admit(self, request: web.Request, source: str, work: Work) -> web.Response:
        """What `work` makes of the body, within the limits of the door; without it 400, 413, 415 or 503."""
        status = self._refusal(request)
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
        except (web.HTTPRequestEntityTooLarge, OversizeRecord):
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
        if self._length(request) > self._body_limit:
            return 413
        return 503 if self._in_flight + self._length(request) > self._max_in_flight else 0

    async def _taken(
        self, request: web.Request, body: bytes, provider: Provider, tenant_id: str | None
    ) -> web.Response:
        webhook = self._webhook(request, body, tenant_id)
        if not provider.authenticate(webhook, self._tenants):
            return answer(401)
        await self.publish(request, provider.name, tenant_id, body, provider.split(webhook, self._tenants))
        return answer(200)

    async def _read(self, request: web.Request) -> bytes:
        length = self._length(request)
        self._reading += length
        try:
            return await request.read()
        finally:
            self._reading -= length

    def _webhook(self, request: web.Request, body: bytes, tenant_id: str | None) -> WebhookRequest:
        """aiohttp's headers are found by their names in lower case as well."""
        query = request.query if request.query_string else _NO_QUERY
        remote = self._proxies.caller(request.remote, request.headers.getall("X-Forwarded-For", ()))
        return WebhookRequest(body, request.headers, query, tenant_id, remote)

    @property
    def _in_flight(self) -> int:
        return self._reading + self._publisher.unacknowledged + self._open * REQUEST_BYTES

    def _length(self, request: web.Request) -> int:
        """The body's; as large as allowed where the request does not say."""
        length = request.content_length
        return self._body_limit if length is None else length


@lru_cache(maxsize=256)
def _counter(provider: str, status: int) -> Counter:
    return WEBHOOKS.labels(provider, str(status))


@lru_cache(maxsize=64)
def _seconds(provider: str) -> Histogram:
    return WEBHOOK_SECONDS.labels(provider)
