"""Probes of the platform: liveness, readiness and metrics."""

from __future__ import annotations

import orjson
from aiohttp import web

from pipeline.ingress.publisher import WebhookPublisher
from pipeline.ingress.responses import BareResponse, check_expect
from pipeline.metrics import exposition


class Probes:
    """`/healthz`, `/readyz` and `/metrics`.

    Attributes:
        closing: True once the process stops, so that it gets no new traffic.
    """

    def __init__(self, publisher: WebhookPublisher) -> None:
        self._publisher = publisher
        self.closing = False

    def serve(self, app: web.Application) -> None:
        """Add the three paths to an application."""
        for path, probe in (("/healthz", self.healthz), ("/readyz", self.readyz), ("/metrics", self.metrics)):
            app.router.add_get(path, probe, expect_handler=check_expect)

    async def healthz(self, _: web.Request) -> web.Response:
        """Return 200, or 503 once only a restart helps."""
        return _probe(not self._publisher.fatal_error.done(), b'{"status":"alive"}\n', b'{"status":"lost"}\n')

    async def readyz(self, _: web.Request) -> web.Response:
        """Return 200 while the broker answers and the topic has the recorded partition count."""
        ready = not self.closing and await self._publisher.ready()
        why = self._publisher.misconfiguration
        no = b'{"status":"not ready"}\n' if why is None else orjson.dumps({"status": "not ready", "why": why}) + b"\n"
        return _probe(ready, b'{"status":"ready"}\n', no)

    async def metrics(self, _: web.Request) -> web.Response:
        """Return all metrics in Prometheus' text format."""
        return BareResponse(body=exposition(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _probe(good: bool, yes: bytes, no: bytes) -> web.Response:
    return BareResponse(
        status=200 if good else 503, body=yes if good else no, headers={"Content-Type": "application/json"}
    )
