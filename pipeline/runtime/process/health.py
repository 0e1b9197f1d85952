"""A worker's HTTP server: `/healthz` (liveness), `/readyz` (tables recovered, flows accept records), `/metrics`.

Besides, `/lag` has the records that were taken or parked, by app, partition and state, `/parked` the parked ones by
key, and `/accounts` what an app knows of its accounts. `pipeline lag`, `parked` and `accounts` ask for them.
`/topology` has what each app reads and keeps.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web

from pipeline.metrics import COMMIT_AGE, TENANT_BREAKER_OPEN, OwnSeries, exposition
from pipeline.runtime.process.accounts import AccountsQuery, AppAccounts, list_accounts
from pipeline.runtime.process.parked import ParkedQuery, list_parked
from pipeline.runtime.process.topology import describe

if TYPE_CHECKING:
    from pipeline.runtime.faust.app import PipelineApp

CHECKS_PER_TIMEOUT = 8
"""Observations of the partitions within the time after which one counts as stuck."""


class HealthServer:
    """The health server of one worker process.

    Args:
        stuck_after: seconds without activity after which a lagging partition counts as stuck.
    """

    def __init__(self, apps: Sequence[PipelineApp], host: str, port: int, stuck_after: float) -> None:
        self._apps = apps
        self._host = host
        self._port = port
        self._stuck_after = stuck_after
        self._open_tenants = OwnSeries(TENANT_BREAKER_OPEN)
        self._observing: asyncio.Task[None] | None = None
        server = web.Application()
        server.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/lag", self._lag),
                web.get("/parked", self._parked),
                web.get("/accounts", self._accounts),
                web.get("/topology", self._topology),
            ]
        )
        self._runner = web.AppRunner(server, access_log=None)

    async def start(self) -> int:
        """Start to listen; return the port."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._observing = asyncio.create_task(self._observe())
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        if self._observing is not None:
            self._observing.cancel()
            with suppress(asyncio.CancelledError):
                await self._observing
        await self._runner.cleanup()

    async def _observe(self) -> None:
        while True:
            for app in self._apps:
                await app.observe()
            await asyncio.sleep(self._stuck_after / CHECKS_PER_TIMEOUT)

    async def _healthz(self, _: web.Request) -> web.Response:
        stuck = {app.conf.id: found for app in self._apps if (found := self._stuck(app))}
        apart = {app.conf.id: round(age, 1) for app in self._apps if (age := app.apart) is not None}
        wrong = {name: found for name, found in (("stuck", stuck), ("apart", apart)) if found}
        return web.json_response(wrong or {"status": "ok"}, status=503 if wrong else 200)

    def _stuck(self, app: PipelineApp) -> dict[str, float]:
        """Return the stuck partitions as `topic/partition`, each with its seconds without activity."""
        return {f"{tp.topic}/{tp.partition}": round(age, 1) for tp, age in app.stuck(self._stuck_after).items()}

    async def _readyz(self, _: web.Request) -> web.Response:
        waiting = [app.conf.id for app in self._apps if not app.ready]
        stopped = {app.conf.id: app.open_breakers for app in self._apps if app.open_breakers}
        wrong = {name: found for name, found in (("waiting", waiting), ("stopped", stopped)) if found}
        status = {} if wrong else {"status": "ok"}
        return web.json_response(wrong | status | self._local_faults(), status=503 if wrong else 200)

    def _local_faults(self) -> dict[str, Any]:
        """Return faults that stop a part of the work, by app. The worker stays ready, because the rest goes on."""
        refused = [app.conf.id for app in self._apps if app.refused]
        failing = {app.conf.id: app.open_tenants for app in self._apps if app.open_tenants}
        full = {app.conf.id: app.full_parking for app in self._apps if app.full_parking}
        faults = {"other_version": refused, "failing_tenants": failing, "parking_full": full}
        return {name: found for name, found in faults.items() if found}

    async def _parked(self, request: web.Request) -> web.Response:
        views = {app.conf.id: app.parked for app in self._apps}
        return _answer(request, lambda *asked: list_parked(views, ParkedQuery.parse(*asked)))

    async def _accounts(self, request: web.Request) -> web.Response:
        apps = [
            AppAccounts(app.conf.id, app.accounts, app.parked, app.waits, app.own_partitions, app.pipeline.partitions)
            for app in self._apps
            if app.accounts is not None
        ]
        return _answer(request, lambda *asked: list_accounts(apps, AccountsQuery.parse(*asked)))

    async def _topology(self, _: web.Request) -> web.Response:
        return web.json_response({app.conf.id: describe(app) for app in self._apps})

    async def _lag(self, _: web.Request) -> web.Response:
        found = {app.conf.id: app.work() for app in self._apps}
        return web.json_response(
            {
                name: {f"{tp.topic}/{tp.partition}": each._asdict() for tp, each in work.items()}
                for name, work in found.items()
            }
        )

    def _count_open_tenants(self) -> Mapping[tuple[str, ...], int]:
        """Return the number of open breakers of each app and tenant."""
        return Counter(
            (app.conf.id, name) for app in self._apps for open_ in app.open_tenants.values() for name in open_
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        for app in self._apps:
            COMMIT_AGE.labels(app.conf.id).set(max(app.idle().values(), default=0.0))
        self._open_tenants.set(self._count_open_tenants())
        return web.Response(body=exposition(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _answer(request: web.Request, ask: Callable[[Mapping[str, str], str], dict[str, Any]]) -> web.Response:
    """Answer a request for a page. `ask` is given the fields of the query and the header `Authorization`."""
    try:
        return web.json_response(ask(request.query, request.headers.get("Authorization", "")))
    except ValueError as error:
        return web.json_response({"error": str(error)}, status=400)
    except PermissionError as error:
        return web.json_response({"error": str(error)}, status=403)
