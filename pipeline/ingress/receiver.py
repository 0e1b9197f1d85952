"""The way of one webhook through the ingress: admit, authenticate, split, publish, answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web
from opentelemetry.trace import SpanKind

from pipeline import tracing
from pipeline.ingress.admission import Admission, Rejected, is_complete
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
        async with self.admission(request, provider.name, may_be_authentic=may_be_authentic) as body:
            webhook = self._webhook(request, body, tenant_id)
            if not provider.authenticate(webhook, self._tenants):
                raise Rejected(401)
            await self.publish(request, provider.name, tenant_id, body, provider.split(webhook, self._tenants))
        return response(200)

    async def publish(
        self, request: web.Request, source: str, tenant_id: str | None, body: bytes, slices: Sequence[Slice]
    ) -> None:
        """Publish the slices of `body` in the caller's trace; return when every one is acknowledged."""
        at_ms = time.time_ns() // 1_000_000
        given, ids = traceparent(request.headers.get("traceparent")), {"provider": source}
        with tracing.span("receive", given.decode(), SpanKind.SERVER, ids) as trace:
            metadata = IngressMetadata(source, tenant_id, webhook_id(body), at_ms, (trace or "").encode())
            await self._publisher.publish(self._records.build(slices, metadata))

    def _may_be_authentic(self, request: web.Request, provider: Provider, tenant_id: str | None) -> bool:
        """Return False if the head alone shows that the request is not authentic."""
        if not isinstance(provider, HeadAuthenticator):
            return True
        return provider.authenticate_head(self._webhook(request, b"", tenant_id), self._tenants)

    def _webhook(self, request: web.Request, body: bytes, tenant_id: str | None) -> WebhookRequest:
        # aiohttp's headers are found by their names in lower case as well
        query = request.query if request.query_string else _NO_QUERY
        return WebhookRequest(body, request.headers, query, tenant_id, self.admission.client_ip(request))
