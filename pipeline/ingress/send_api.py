"""The HTTP API for sends: other systems send through the pipeline, with its guarantees.

The messenger validates a send here exactly as it does in a handler; an invalid send is not published. A 200 contains
the id of the command: the send will be executed once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.errors import InvalidRecord
from pipeline.handlers.api.paths import PATHS, dry_run
from pipeline.handlers.context import activate
from pipeline.handlers.media.library import MediaLibrary
from pipeline.handlers.results import SendResult
from pipeline.handlers.services import Services
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.ingress.admission import Rejected, is_complete
from pipeline.ingress.receiver import WebhookReceiver
from pipeline.ingress.responses import BareResponse
from pipeline.ingress.send_headers import BadHeaders, account_of, bearer_token, event_id_of
from pipeline.metrics import WEBHOOKS
from pipeline.providers import CLOUD
from pipeline.providers.api import SEND_API, event_body, slice_of
from pipeline.providers.base import Provider, Slice
from pipeline.providers.shared.loading import load_object
from pipeline.state import MemoryStore
from pipeline.tenants import Tenant, Tenants
from pipeline.topics.events import APIMessageEvent
from pipeline.topics.events.api import READ

MAX_SEND_BYTES: Final = 256 * 1024
"""Bytes of the body of a send, which holds texts and URLs and no media."""
_DERIVED: Final = (
    "command_id",
    "recipient_bsuid",
    "recipient_phone",
    "recipient_parent_bsuid",
    "recipient_username",
)


class InvalidSend(Rejected):
    """The request or the message in it is not valid: the response is its `SendResult`. `status` is 400 or 422."""

    def __init__(self, status: int, result: SendResult) -> None:
        super().__init__(status)
        self.result = result

    @classmethod
    def because(cls, reason: str, status: int = 400) -> InvalidSend:
        """Return a validation error with a reason in one line."""
        return cls(status, SendResult(False, error=reason, error_code="VALIDATION"))

    def response(self) -> web.Response:
        """Return the result as JSON."""
        return _response(self.status, self.result)


class SendEndpoint:
    """Handles `POST /api/whatsapp/{family}/{name}`."""

    def __init__(self, receiver: WebhookReceiver, tenants: Tenants, providers: Mapping[str, Provider]) -> None:
        self._receiver = receiver
        self._tenants = tenants
        self._providers = providers
        capabilities = {name: provider.kinds for name, provider in providers.items()}
        self._store = MemoryStore()
        self._services = Services(MediaLibrary(self._store), capabilities)

    async def handle_send(self, request: web.Request, path: str) -> web.Response:
        """Publish a send and return 200 with its `SendResult`.

        Raise `InvalidSend` (400 and 422), or `Rejected` as for webhooks: 401, 404, 413, 415 or 503.
        """
        if path not in PATHS:
            WEBHOOKS.labels(SEND_API.name, "404").inc()
            raise Rejected(404)
        tenant = self._tenants.keyholder(bearer_token(request))
        may_be_authentic = is_complete(request) or tenant is not None
        async with self._receiver.admission(request, SEND_API.name, may_be_authentic=may_be_authentic) as body:
            if tenant is None:
                raise Rejected(401)
            if len(body) > MAX_SEND_BYTES:
                raise Rejected(413)
            part, result = await self._validated(request, tenant, path, body)
            await self._receiver.publish(request, SEND_API.name, tenant.id, part.body, [part])
        return _response(200, result)

    async def _validated(
        self, request: web.Request, tenant: Tenant, path: str, body: bytes
    ) -> tuple[Slice, SendResult]:
        """Return the slice to publish and the messenger's result. Raise `InvalidSend`."""
        content = self._content(request, tenant, path, body)
        result = await self._dry_run(content, tenant)
        if not result.success:
            raise InvalidSend(422, result)
        return slice_of(content), result

    def _content(self, request: web.Request, tenant: Tenant, path: str, body: bytes) -> dict[str, Any]:
        """Return the event that the send becomes. Raise `InvalidSend`."""
        try:
            account = account_of(request, tenant, self._tenants, self._providers)
            event_id = event_id_of(request, tenant)
            payload = load_object(body)
        except BadHeaders as error:
            raise InvalidSend.because(str(error)) from None
        except InvalidRecord as error:
            raise InvalidSend.because(f"the body is {error}") from None
        content = event_body(path, payload, event_id, account, self._providers[account.provider])
        if content["message_type"] == READ and content["contact"] is None and account.provider != CLOUD.name:
            raise InvalidSend.because(f"{account.provider} marks the messages of a chat: add its recipient", 422)
        return content

    async def _dry_run(self, content: dict[str, Any], tenant: Tenant) -> SendResult:
        """Return the messenger's result, as the worker will get it. The commands that it makes here are discarded."""
        now = datetime.now(UTC)
        event = APIMessageEvent.model_validate(content | {"tenant_id": tenant.id, "timestamp": now, "received_at": now})
        with activate(event, UnitOfWork(self._store, tenant.id, event.event_id), self._services):
            return await dry_run(event)


def _response(status: int, result: SendResult) -> web.Response:
    content = asdict(result) | {name: getattr(result, name) for name in _DERIVED}
    return BareResponse(status=status, body=orjson.dumps(content), content_type="application/json")
