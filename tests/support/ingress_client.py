"""An ingress for tests: the real server on a free port, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession

from pipeline.ingress.connection import Timeouts
from pipeline.ingress.server import RunningIngress, serving
from pipeline.settings import Settings
from pipeline.tenants import Tenants
from tests.support.cloud_webhooks import signature, tenants
from tests.support.waiting import HANG

CLOUD = "/webhooks/cloud"
JSON = {"Content-Type": "application/json"}


class Client:
    """Posts to a running ingress. Answers are `(status, text, headers)`."""

    def __init__(self, session: ClientSession, ingress: RunningIngress) -> None:
        self.session = session
        self.ingress = ingress

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(path) as response:
            return response.status, await response.text()

    async def post(self, body: Any, path: str = CLOUD, **headers: str) -> tuple[int, str, dict[str, str]]:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        async with self.session.post(path, data=body, headers=JSON | named) as response:
            return response.status, await response.text(), dict(response.headers)

    async def signed(self, body: bytes, **headers: str) -> int:
        """Posts it as Meta does; the status of the answer."""
        return (await self.post(body, x_hub_signature_256=signature(body), **headers))[0]


@asynccontextmanager
async def ingress(kafka: str = "127.0.0.1:1", owners: Tenants | None = None, **options: Any) -> AsyncIterator[Client]:
    """An ingress whose broker is `kafka`; nobody listens on the usual one. `options`: `Settings` and `serving`.

    What is not named is so long that no busy machine misses it.
    """
    for name in ("ingress_deadline", "ingress_keepalive"):
        options.setdefault(name, 2 * HANG)
    options.setdefault("timeouts", Timeouts(idle=options["ingress_keepalive"], body=2 * HANG))
    of_serving = ("providers", "max_in_flight", "max_publishing", "timeouts")
    own = {name: options.pop(name) for name in of_serving if name in options}
    settings = Settings(kafka=kafka, ingress_port=0, **options)
    async with (
        serving(settings, owners or tenants(), **own) as running,
        ClientSession(f"http://127.0.0.1:{running.port}") as session,
    ):
        yield Client(session, running)
