"""The HTTP API for tests: the real ingress over HTTP, with a publisher that keeps the records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import orjson
from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer

from pipeline.errors import Unavailable
from pipeline.ingress.admission import Admission
from pipeline.ingress.probes import Probes
from pipeline.ingress.publisher import WebhookPublisher
from pipeline.ingress.receiver import WebhookReceiver
from pipeline.ingress.routes import create_app
from pipeline.ingress.send_api import SendServices
from pipeline.ingress.send_quotas import SendDefaults
from pipeline.providers import PROVIDERS
from pipeline.state import MemoryStore, Store
from pipeline.tenants import Tenants, TenantsFile
from pipeline.testing import TestRecord
from pipeline.topics.records import Record
from pipeline.topics.uploads import Assembly, StoredUpload
from pipeline.uploads.writer import Position
from tests.support.waiting import HANG

LIMIT = 10_000
USER = "15550001111"
TEXT = "messages/send-text"
QUOTAS = SendDefaults(400.0, 4000.0, 100.0, 1000.0, 0.5)


class File(NamedTuple):
    """A file of a form."""

    content: bytes
    name: str = "photo.jpg"
    mime_type: str = "image/jpeg"


JPEG = File(b"\xff\xd8\xff\xe0 a picture")


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


class MemoryPieces:
    """The topic `uploads` in memory, with one partition. It takes nothing while `away`, and waits while not `open`."""

    def __init__(self) -> None:
        self.records: list[TestRecord] = []
        self.away = False
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0

    async def publish(self, record: Record) -> Position:
        if self.away:
            raise Unavailable("no connection to the broker")
        self.waiting += 1
        await self.open.wait()
        self.waiting -= 1
        self.records.append(TestRecord.of(record))
        return Position(0, len(self.records) - 1)

    async def read(self, upload: StoredUpload) -> bytes:
        if self.away:
            raise Unavailable("no connection to the broker")
        file = Assembly(upload)
        for record in self.records[upload.first : upload.last + 1]:
            file.add(record)
        return file.finish()


class Caller:
    """Another system. Answers are a status and the JSON."""

    def __init__(
        self, client: TestClient[Any, Any], publisher: Kept, pieces: MemoryPieces, admission: Admission
    ) -> None:
        self.client = client
        self.publisher = publisher
        self.pieces = pieces
        self.admission = admission
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

    async def upload(
        self, path: str, fields: Mapping[str, str], file: File | None, key: str | None = "acme-new", **headers: str
    ) -> tuple[int, Any]:
        """Post a form: the fields, then the file. `headers` as for `post`."""
        form = FormData(default_to_multipart=True)
        for name, text in fields.items():
            form.add_field(name, text)
        if file is not None:
            form.add_field("media_source", file.content, filename=file.name, content_type=file.mime_type)
        return await self.post_form(path, form, key, **headers)

    async def post_form(self, path: str, form: Any, key: str | None = "acme-new", **headers: str) -> tuple[int, Any]:
        """Post a form, or bytes with their `Content_Type`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named |= {"Authorization": f"Bearer {key}"} if key else {}
        async with self.client.post(f"/api/whatsapp/{path}", data=form, headers=named) as response:
            self.headers = response.headers
            return response.status, orjson.loads(await response.read())


@asynccontextmanager
async def api(
    owners: Tenants | None = None,
    limit: int = LIMIT,
    quotas: SendDefaults = QUOTAS,
    store: Store | None = None,
    **options: Any,
) -> AsyncIterator[Caller]:
    publisher, owners = Kept(), owners or tenants()
    admission, pieces = Admission(publisher, body_limit=limit, deadline=HANG, **options), MemoryPieces()
    receiver = WebhookReceiver(admission, publisher, owners)
    services = SendServices(quotas, store or MemoryStore(), pieces, HANG)
    app = create_app(receiver, Probes(publisher), owners, PROVIDERS, services, body_limit=limit)
    async with TestClient(TestServer(app)) as client:
        yield Caller(client, publisher, pieces, admission)
