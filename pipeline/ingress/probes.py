"""What the platform asks: does the process live, may it get traffic, how is it doing."""

from __future__ import annotations

import orjson
from aiohttp import web

from pipeline.ingress.answers import Answer, expected
from pipeline.ingress.publisher import Publisher
from pipeline.metrics import exposition


class Probes:
    """`/healthz`, `/readyz` and `/metrics`.

    Attributes:
        closing: set when the process has been told to stop, so that no new traffic is sent to it.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.closing = False

    def serve(self, app: web.Application) -> None:
        """Adds the three paths."""
        for path, probe in (("/healthz", self.healthz), ("/readyz", self.readyz), ("/metrics", self.metrics)):
            app.router.add_get(path, probe, expect_handler=expected)

    async def healthz(self, _: web.Request) -> web.Response:
        """200 while the process can do its work; 503 once only a new one could."""
        return _probe(not self._publisher.lost.done(), b'{"status":"alive"}\n', b'{"status":"lost"}\n')

    async def readyz(self, _: web.Request) -> web.Response:
        """200 while the broker answers and has the topic as it was made."""
        ready = not self.closing and await self._publisher.ready()
        why = self._publisher.fault
        no = b'{"status":"not ready"}\n' if why is None else orjson.dumps({"status": "not ready", "why": why}) + b"\n"
        return _probe(ready, b'{"status":"ready"}\n', no)

    async def metrics(self, _: web.Request) -> web.Response:
        return Answer(body=exposition(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _probe(good: bool, yes: bytes, no: bytes) -> web.Response:
    return Answer(status=200 if good else 503, body=yes if good else no, headers={"Content-Type": "application/json"})
