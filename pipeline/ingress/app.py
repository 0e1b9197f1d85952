"""The paths of the ingress."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from pipeline.ingress.answers import answer
from pipeline.ingress.door import Door
from pipeline.ingress.probes import Probes
from pipeline.ingress.sends import Sends
from pipeline.metrics import WEBHOOKS
from pipeline.providers import CLOUD
from pipeline.providers.base import Provider
from pipeline.tenants import Tenants

CLOUD_PATH = "/webhooks/cloud"


def create_app(
    door: Door, probes: Probes, tenants: Tenants, providers: Mapping[str, Provider], *, body_limit: int
) -> web.Application:
    """The application. No middleware: what every webhook needs is in `Door`."""
    paths = Paths(door, tenants, providers)
    app = web.Application(client_max_size=body_limit)
    app.router.add_post(CLOUD_PATH, paths.cloud)
    app.router.add_get(CLOUD_PATH, paths.verification)
    app.router.add_post("/webhooks/{provider}/{tenant}", paths.tenant)
    app.router.add_post("/api/whatsapp/{family}/{name}", Sends(door, tenants, providers).take)
    app.router.add_get("/healthz", probes.healthz)
    app.router.add_get("/readyz", probes.readyz)
    app.router.add_get("/metrics", probes.metrics)
    app.router.add_route("*", "/{anything:.*}", paths.nothing)
    return app


class Paths:
    """From a path to the provider and the tenant that it names."""

    def __init__(self, door: Door, tenants: Tenants, providers: Mapping[str, Provider]) -> None:
        self._door = door
        self._tenants = tenants
        self._providers = providers

    async def cloud(self, request: web.Request) -> web.Response:
        return await self._door.take(request, CLOUD)

    async def verification(self, request: web.Request) -> web.Response:
        """Meta's handshake: the challenge as plain text, if the verify token is ours."""
        challenge = CLOUD.verify(request.query, self._tenants)
        if challenge is None:
            return answer(401)
        return web.Response(text=challenge, headers={"X-Content-Type-Options": "nosniff"})

    async def tenant(self, request: web.Request) -> web.Response:
        """Of the providers that are told apart by path; the Cloud API has a path of its own."""
        name, tenant_id = request.match_info["provider"], request.match_info["tenant"]
        provider = self._providers.get(name) if name != CLOUD.name else None
        tenant = self._tenants.get(tenant_id)
        if provider is None or tenant is None or all(account.provider != name for account in tenant.accounts):
            WEBHOOKS.labels(provider.name if provider else "unknown", "404").inc()
            return answer(404)
        return await self._door.take(request, provider, tenant.id)

    async def nothing(self, _: web.Request) -> web.Response:
        return answer(404)
