"""The way of one webhook through the ingress: admit, authenticate, split, publish, answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web
from opentelemetry.trace import SpanKind

from pipeline import tracing
from pipeline.ingress.admission import Admission, Rejected, is_complete
from pipeline.ingress.connection import IngressConnection
from pipeline.ingress.fair_queue import Origin
from pipeline.ingress.publisher import WebhookPublisher
from pipeline.ingress.records import IngressMetadata, RecordBuilder, webhook_id
from pipeline.ingress.responses import response
from pipeline.ingress.traceparent import traceparent
from pipeline.providers.base import HeadAuthenticator, Provider, Slice, WebhookRequest
from pipeline.tenants import Tenants

_NO_QUERY: Final[Mapping[str, str]] = {}


class WebhookReceiver:
    """Handles webhooks. A 200 means that the broker has acknowledged every record of the webhook.

    Attributes:
        admission: shared with everything else that takes requests.
    """

    def __init__(self, admission: Admission, publisher: WebhookPublisher, tenants: Tenants) -> None:
        self.admission = admission
        self._publisher = publisher
        self._tenants = tenants
        self._records = RecordBuilder(tenants)

    async def handle_webhook(
        self, request: web.Request, provider: Provider, tenant_id: str | None = None
    ) -> web.Response:
        """Publish a webhook and return 200. Raise `Rejected`: 400, 401, 413, 415 or 503."""
        may_be_authentic = is_complete(request) or self._may_be_authentic(request, provider, tenant_id)
        async with self.admission(request, provider.name, None if may_be_authentic else Rejected(401)) as body:
            webhook = self._webhook(request, body, tenant_id)
            if not provider.authenticate(webhook, self._tenants):
                raise Rejected(401)
            await self.publish(request, provider.name, tenant_id, body, provider.split(webhook, self._tenants))
        return response(200)

    async def publish(
        self, request: web.Request, source: str, tenant_id: str | None, body: bytes, slices: Sequence[Slice]
    ) -> None:
        """Publish the slices of `body` in the caller's trace, in its turn; return when every one is acknowledged.

        Raise `Rejected` (503) if the request lost its place to another tenant's.
        """
        at_ms = time.time_ns() // 1_000_000
        given, ids = traceparent(request.headers.get("traceparent")), {"provider": source}
        with tracing.span("receive", given.decode(), SpanKind.SERVER, ids) as trace:
            metadata = IngressMetadata(source, tenant_id, webhook_id(body), at_ms, (trace or "").encode())
            queue = self.admission.publish_queue
            if not queue.enter(len(body)):
                await self._wait_for_turn(request, self._origin(source, tenant_id, slices), len(body))
            try:
                await self._publisher.publish(self._records.build(slices, metadata))
            finally:
                queue.leave(len(body))

    async def _wait_for_turn(self, request: web.Request, origin: Origin, size: int) -> None:
        connection = request.protocol if isinstance(request.protocol, IngressConnection) else None
        if not await self.admission.publish_queue.wait(origin, size, connection):
            raise Rejected(503, closes=True)

    def _origin(self, source: str, tenant_id: str | None, slices: Sequence[Slice]) -> Origin:
        """Return the tenant and account of a webhook: those of its first slice, because it is answered as a whole."""
        account = slices[0].account if slices else ""
        tenant = self._tenants.get(tenant_id) if tenant_id else self._tenants.owner(source, account)
        return Origin(tenant.id, account, tenant.weight) if tenant else Origin("", account)

    def _may_be_authentic(self, request: web.Request, provider: Provider, tenant_id: str | None) -> bool:
        """Return False if the head alone shows that the request is not authentic."""
        if not isinstance(provider, HeadAuthenticator):
            return True
        return provider.authenticate_head(self._webhook(request, b"", tenant_id), self._tenants)

    def _webhook(self, request: web.Request, body: bytes, tenant_id: str | None) -> WebhookRequest:
        # aiohttp's headers are found by their names in lower case as well
        query = request.query if request.query_string else _NO_QUERY
        return WebhookRequest(body, request.headers, query, tenant_id, self.admission.client_ip(request))
