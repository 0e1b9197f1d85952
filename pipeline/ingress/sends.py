"""The HTTP API for sends: other systems send through the pipeline, with its guarantees.

What the messenger would refuse in a handler is refused here, by the same messenger, and nothing is published. What is
taken has its command's id already: 200 says that it will be carried out, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final
from uuid import uuid4

import orjson
from aiohttp import web

from pipeline.errors import InvalidRecord
from pipeline.handlers.api.paths import PATHS, dry_run
from pipeline.handlers.context import activate
from pipeline.handlers.media.library import MediaLibrary
from pipeline.handlers.results import SendResult
from pipeline.handlers.services import Services
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.ingress.answers import Answer, answer
from pipeline.ingress.door import Door
from pipeline.metrics import WEBHOOKS
from pipeline.providers import CLOUD
from pipeline.providers.api import API, send, slice_of
from pipeline.providers.base import Provider
from pipeline.providers.loading import load
from pipeline.state import MemoryStore
from pipeline.tenants import Account, Tenant, Tenants
from pipeline.topics.events import APIMessageEvent
from pipeline.topics.events.api import READ

Body = dict[str, Any]

KEY_HEADER: Final = "Idempotency-Key"
INBOX_HEADERS: Final = ("X-Wappa-Inbox-ID", "X-Inbox-ID")
LONGEST_KEY: Final = 255
LARGEST: Final = 256 * 1024
"""Bytes of a send, which holds words and addresses and no media."""
_DERIVED: Final = (
    "command_id",
    "recipient_bsuid",
    "recipient_phone",
    "recipient_parent_bsuid",
    "recipient_username",
)


class BadRequest(Exception):
    """What is wrong with a request whatever it sends, in one line for its author. `status`: 400 or 422."""

    def __init__(self, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.status = status


class Sends:
    """Takes `POST /api/whatsapp/{family}/{name}`."""

    def __init__(self, door: Door, tenants: Tenants, providers: Mapping[str, Provider]) -> None:
        self._door = door
        self._tenants = tenants
        self._providers = providers
        capabilities = {name: provider.kinds for name, provider in providers.items()}
        self._store = MemoryStore()
        self._services = Services(MediaLibrary(self._store), capabilities)

    async def take(self, request: web.Request) -> web.Response:
        """200 and 422 with a `SendResult`, 400 too; 401, 404, 413, 415 and 503 as webhooks are answered."""
        path = "{family}/{name}".format_map(request.match_info)
        if path not in PATHS:
            WEBHOOKS.labels(API.name, "404").inc()
            return answer(404)
        tenant = self._tenants.keyholder(_bearer(request))
        return await self._door.admit(
            request, API.name, lambda body: self._taken(request, tenant, path, body), lambda: tenant is not None
        )

    async def _taken(self, request: web.Request, tenant: Tenant | None, path: str, body: bytes) -> web.Response:
        if tenant is None:
            return answer(401)
        if len(body) > LARGEST:
            return answer(413)
        try:
            made = self._made(request, tenant, path, body)
        except BadRequest as error:
            return _answered(error.status, SendResult(False, error=str(error), error_code="VALIDATION"))
        result = await self._asked(made, tenant)
        if not result.success:
            return _answered(422, result)
        part = slice_of(made)
        await self._door.publish(request, API.name, tenant.id, part.body, [part])
        return _answered(200, result)

    def _made(self, request: web.Request, tenant: Tenant, path: str, body: bytes) -> Body:
        account, event_id = self._account(request, tenant), _event_id(request, tenant)
        try:
            payload = load(body)
        except InvalidRecord as error:
            raise BadRequest(f"the body is {error}") from None
        made = send(path, payload, event_id, account, self._providers[account.provider])
        if made["message_type"] == READ and made["contact"] is None and account.provider != CLOUD.name:
            raise BadRequest(f"{account.provider} marks the messages of a chat: add its recipient", 422)
        return made

    async def _asked(self, made: Body, tenant: Tenant) -> SendResult:
        """What the messenger says, as it will to whoever carries the send out. What it queues here goes nowhere."""
        now = datetime.now(UTC)
        event = APIMessageEvent.model_validate(made | {"tenant_id": tenant.id, "timestamp": now, "received_at": now})
        with activate(event, UnitOfWork(self._store, tenant.id, event.event_id), self._services):
            return await dry_run(event)

    def _account(self, request: web.Request, tenant: Tenant) -> Account:
        """The tenant's account that the request names; its only one where it names none. Raises `BadRequest`."""
        name = next((given for header in INBOX_HEADERS if (given := request.headers.get(header))), None)
        ours = [each for each in tenant.accounts if each.provider in self._providers]
        found = [each for each in ours if name is None or name in (each.id, f"{each.provider}:{each.id}")]
        if len(found) != 1:
            hint = f"name one of your accounts in {INBOX_HEADERS[0]}"
            raise BadRequest(f"there is no such account: {hint}" if not found else f"you have several accounts: {hint}")
        return found[0]


def _bearer(request: web.Request) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _event_id(request: web.Request, tenant: Tenant) -> str:
    """The same for the same key of the same tenant. Raises `BadRequest`."""
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return f"{API.name}:{tenant.id}:{uuid4().hex}"
    if not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise BadRequest(f"{KEY_HEADER} is not 1 to {LONGEST_KEY} printable ASCII characters")
    return f"{API.name}:{tenant.id}:key-{blake2b(key.encode(), digest_size=16).hexdigest()}"


def _answered(status: int, result: SendResult) -> web.Response:
    content = asdict(result) | {name: getattr(result, name) for name in _DERIVED}
    return Answer(status=status, body=orjson.dumps(content), content_type="application/json")
