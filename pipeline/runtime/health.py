"""What a worker says of itself over HTTP: `/healthz` (progress), `/readyz` (recovered and taking in), `/metrics`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from pipeline.metrics import COMMIT_AGE, exposition

if TYPE_CHECKING:
    from pipeline.runtime.app import PipelineApp

STUCK_AFTER = 120.0
"""Seconds without progress, while there is work, after which a worker calls itself dead."""


class Health:
    """The health server of one worker process."""

    def __init__(self, apps: Sequence[PipelineApp], host: str, port: int) -> None:
        self._apps = apps
        self._host = host
        self._port = port
        server = web.Application()
        server.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(server, access_log=None)

    async def start(self) -> int:
        """Listens; gives the port."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        stuck = {app.conf.id: round(app.progress(), 1) for app in self._apps if app.progress() > STUCK_AFTER}
        return web.json_response({"stuck": stuck} if stuck else {"status": "ok"}, status=503 if stuck else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        waiting = [app.conf.id for app in self._apps if not app.ready]
        stopped = {app.conf.id: app.stopped for app in self._apps if app.stopped}
        wrong = {name: found for name, found in (("waiting", waiting), ("stopped", stopped)) if found}
        return web.json_response(wrong or {"status": "ok"}, status=503 if wrong else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        for app in self._apps:
            COMMIT_AGE.labels(app.conf.id).set(app.progress())
        return web.Response(body=exposition(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
