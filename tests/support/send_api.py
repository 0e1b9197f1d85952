"""The HTTP API for tests: the real ingress over HTTP, with a publisher that keeps the records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp.test_utils import TestClient, TestServer

from pipeline.errors import Unavailable
from pipeline.ingress.admission import Admission
from pipeline.ingress.probes import Probes
from pipeline.ingress.publisher import WebhookPublisher
from pipeline.ingress.receiver import WebhookReceiver
from pipeline.ingress.routes import create_app
from pipeline.ingress.send_quotas import SendDefaults
from pipeline.providers import PROVIDERS
from pipeline.tenants import Tenants, TenantsFile
from pipeline.topics.records import Record
from tests.support.waiting import HANG

LIMIT = 10_000
USER = "15550001111"
TEXT = "messages/send-text"
QUOTAS = SendDefaults(400.0, 4000.0, 100.0, 1000.0, 0.5)


class Kept(WebhookPublisher):
    """Acknowledges everything at once, or, while `away`, nothing."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.away = False
        self.unacknowledged = 0

    async def publish(self, records: Sequence[Record]) -> None:
        if self.away:
            raise Unavailable("no connection to the broker")
        self.records += records


def tenants() -> Tenants:
    """`acme` has a number and two keys, `globex` one account at each gateway, `closed` no key."""
    gateways = [{"provider": name, "id": f"{name}-1", "token": "t"} for name in ("wasender", "wawp", "waha")]
    number = {"provider": "cloud", "id": "106", "business_id": "102", "token": "t"}
    content = [
        {"id": "acme", "accounts": [number], "api_keys": ["acme-old", "acme-new"]},
        {"id": "globex", "accounts": gateways, "api_keys": ["globex-key"]},
        {"id": "closed", "accounts": [{"provider": "cloud", "id": "999", "token": "t"}]},
    ]
    return Tenants(TenantsFile.model_validate({"tenants": content}))


class Caller:
    """Another system. Answers are a status and the JSON."""

    def __init__(self, client: TestClient[Any, Any], publisher: Kept) -> None:
        self.client = client
        self.publisher = publisher
        self.headers: Mapping[str, str] = {}

    async def post(
        self, path: str = TEXT, body: object = None, key: str | None = "acme-new", **headers: str
    ) -> tuple[int, Any]:
        """`headers` with underscores for dashes; a body of bytes goes as it is."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {}) | named
        sent = {"recipient": USER, "text": "hi"} if body is None else body
        data = sent if isinstance(sent, bytes) else orjson.dumps(sent)
        async with self.client.post(f"/api/whatsapp/{path}", data=data, headers=named) as response:
            self.headers = response.headers
            return response.status, orjson.loads(await response.read())


@asynccontextmanager
async def api(
    owners: Tenants | None = None, limit: int = LIMIT, quotas: SendDefaults = QUOTAS, **options: Any
) -> AsyncIterator[Caller]:
    publisher, owners = Kept(), owners or tenants()
    receiver = WebhookReceiver(Admission(publisher, body_limit=limit, deadline=HANG, **options), publisher, owners)
    app = create_app(receiver, Probes(publisher), owners, PROVIDERS, quotas, body_limit=limit)
    async with TestClient(TestServer(app)) as client:
        yield Caller(client, publisher)
