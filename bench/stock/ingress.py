"""The HTTP door as a page of a Faust app."""

from __future__ import annotations

import time
from typing import Any

import faust
from faust.web import Request, Response, View

from bench.stock.app import raw_topic, stock_app
from pipeline.ingress.records import IngressMetadata, RecordBuilder, webhook_id
from pipeline.ingress.traceparent import traceparent
from pipeline.providers import CLOUD
from pipeline.providers.base import WebhookRequest
from pipeline.settings import Settings
from pipeline.tenants import Tenants
from pipeline.topics.catalogue import RAW
from pipeline.topics.records import Record


def ingress(settings: Settings, tenants: Tenants) -> faust.App:
    """Our own authentication, slices and headers, around Faust's web server and Faust's send.

    Unlike most users of Faust it awaits the second future of each send, the acknowledgement: without it, 200 would
    mean nothing. 1 ms of linger, as ours has: the 20 ms that suit stages would be added to every answer.
    """
    app = stock_app("ingress", settings, producer_linger=0.001)
    app.producer_only = True
    topic, builder = raw_topic(app, RAW.name), RecordBuilder(tenants)

    @app.page("/webhooks/cloud")
    class Webhooks(View):
        async def post(self, request: Request, **_: Any) -> Response:
            body = await request.read()
            webhook = WebhookRequest(body, request.headers, {})
            if not CLOUD.authenticate(webhook, tenants):
                return self.json({"error": "bad or missing secret"}, status=401)
            trace = traceparent(request.headers.get("traceparent"))
            metadata = IngressMetadata(CLOUD.name, None, webhook_id(body), time.time_ns() // 1_000_000, trace)
            records = builder.build(CLOUD.split(webhook, tenants), metadata)
            for future in [await _send(topic, record) for record in records]:
                await future
            return self.json({"status": "taken"})

    return app


async def _send(topic: Any, record: Record) -> Any:
    return await topic.send(key=record.key, value=record.value, headers=list(record.headers))
