"""The HTTP paths of the ingress."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from pipeline.ingress.admission import Rejected
from pipeline.ingress.api_description import ApiDescription
from pipeline.ingress.probes import Probes
from pipeline.ingress.receiver import WebhookReceiver
from pipeline.ingress.responses import BareResponse, check_expect, response
from pipeline.ingress.send_api import SendEndpoint, SendServices
from pipeline.metrics import WEBHOOKS
from pipeline.providers import CLOUD
from pipeline.providers.base import Provider
from pipeline.tenants import Tenants

CLOUD_PATH = "/webhooks/cloud"
SEND_PREFIX = "/api/whatsapp/"
OPENAPI_PATH = "/api/openapi.json"

Handler = Callable[[web.Request], Awaitable[web.Response]]


def create_app(
    receiver: WebhookReceiver,
    probes: Probes,
    tenants: Tenants,
    providers: Mapping[str, Provider],
    services: SendServices,
    *,
    body_limit: int,
) -> web.Application:
    """Create the application. It has no middleware: `Admission` does all that every request needs."""
    routes = Routes(receiver, SendEndpoint(receiver, tenants, providers, services), tenants, providers)
    app = web.Application(client_max_size=body_limit)
    for slash in ("", "/"):
        _add(app, "POST", CLOUD_PATH + slash, routes.cloud)
        _add(app, "GET", CLOUD_PATH + slash, routes.verification)
        _add(app, "POST", "/webhooks/{provider}/{tenant}" + slash, routes.tenant)
    _add(app, "POST", SEND_PREFIX + "{family}/{name}", routes.send)
    _add(app, "GET", OPENAPI_PATH, ApiDescription(tenants).get)
    probes.serve(app)
    _add(app, "*", "/{anything:.*}", not_found)
    return app


def create_admin_app(probes: Probes) -> web.Application:
    """Create the application of the admin port, which has the probes alone."""
    app = web.Application()
    probes.serve(app)
    _add(app, "*", "/{anything:.*}", not_found)
    return app


def _add(app: web.Application, method: str, path: str, handler: Handler) -> None:
    app.router.add_route(method, path, handler, expect_handler=check_expect)


class Routes:
    """Finds the provider and the tenant of a path, and turns `Rejected` into its response."""

    def __init__(
        self,
        receiver: WebhookReceiver,
        send_api: SendEndpoint,
        tenants: Tenants,
        providers: Mapping[str, Provider],
    ) -> None:
        self._receiver = receiver
        self._send_api = send_api
        self._tenants = tenants
        self._providers = providers

    async def cloud(self, request: web.Request) -> web.Response:
        """`POST /webhooks/cloud`."""
        return await _answered(self._receiver.handle_webhook(request, CLOUD))

    async def verification(self, request: web.Request) -> web.Response:
        """`GET /webhooks/cloud`, Meta's handshake: return the challenge as plain text if the verify token is ours."""
        challenge = CLOUD.verify(request.query, self._tenants)
        if challenge is None:
            return response(401)
        return BareResponse(text=challenge, headers={"X-Content-Type-Options": "nosniff"})

    async def tenant(self, request: web.Request) -> web.Response:
        """`POST /webhooks/{provider}/{tenant}`; the Cloud API has a path of its own.

        An unknown tenant is answered as a wrong secret, so that callers can't find out who is a customer.
        """
        name = request.match_info["provider"]
        provider = self._providers.get(name) if name != CLOUD.name else None
        if provider is None:
            WEBHOOKS.labels("unknown", "404").inc()
            return response(404)
        return await _answered(self._receiver.handle_webhook(request, provider, request.match_info["tenant"]))

    async def send(self, request: web.Request) -> web.Response:
        """`POST /api/whatsapp/{family}/{name}`."""
        path = "{family}/{name}".format_map(request.match_info)
        return await _answered(self._send_api.handle_send(request, path))


async def _answered(handling: Awaitable[web.Response]) -> web.Response:
    try:
        return await handling
    except Rejected as rejected:
        return rejected.response()


async def not_found(_: web.Request) -> web.Response:
    """Return 404 for any other path."""
    return response(404)
