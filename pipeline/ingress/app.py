"""The paths of the ingress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from pipeline.ingress.answers import Answer, answer, expected
from pipeline.ingress.door import Door
from pipeline.ingress.probes import Probes
from pipeline.ingress.sends import Sends
from pipeline.metrics import WEBHOOKS
from pipeline.providers import CLOUD
from pipeline.providers.base import Provider
from pipeline.tenants import Tenants

CLOUD_PATH = "/webhooks/cloud"

Handler = Callable[[web.Request], Awaitable[web.Response]]


def create_app(
    door: Door, probes: Probes, tenants: Tenants, providers: Mapping[str, Provider], *, body_limit: int
) -> web.Application:
    """The application. No middleware: what every webhook needs is in `Door`."""
    paths, sends = Paths(door, tenants, providers), Sends(door, tenants, providers)
    app = web.Application(client_max_size=body_limit)
    for slash in ("", "/"):
        _add(app, "POST", CLOUD_PATH + slash, paths.cloud)
        _add(app, "GET", CLOUD_PATH + slash, paths.verification)
        _add(app, "POST", "/webhooks/{provider}/{tenant}" + slash, paths.tenant)
    _add(app, "POST", "/api/whatsapp/{family}/{name}", sends.take)
    probes.serve(app)
    _add(app, "*", "/{anything:.*}", nothing)
    return app


def create_admin_app(probes: Probes) -> web.Application:
    """The probes alone, for a port of their own."""
    app = web.Application()
    probes.serve(app)
    _add(app, "*", "/{anything:.*}", nothing)
    return app


def _add(app: web.Application, method: str, path: str, handler: Handler) -> None:
    app.router.add_route(method, path, handler, expect_handler=expected)


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
        return Answer(text=challenge, headers={"X-Content-Type-Options": "nosniff"})

    async def tenant(self, request: web.Request) -> web.Response:
        """Of the providers that are told apart by path; the Cloud API has a path of its own.

        A tenant that is not there is a secret that is wrong: the answer does not tell whether it is a customer.
        """
        name = request.match_info["provider"]
        provider = self._providers.get(name) if name != CLOUD.name else None
        if provider is None:
            WEBHOOKS.labels("unknown", "404").inc()
            return answer(404)
        return await self._door.take(request, provider, request.match_info["tenant"])


async def nothing(_: web.Request) -> web.Response:
    return answer(404)
