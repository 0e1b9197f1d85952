"""The HTTP API for sends: other systems send through the pipeline, with its guarantees.

The messenger validates a send here exactly as it does in a handler; an invalid send is not published. A 200 contains
the id of the command: the send will be executed once.

Quotas (`send_quotas`) are asked twice: for a send of any priority before its body is read, and for an interactive one
when its priority is known. A send over the interactive quota is rejected, and never made bulk in silence: the order of
a conversation holds within one priority.
"""

from __future__ import annotations

import math
import time
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
from pipeline.ingress.admission import Rejected
from pipeline.ingress.receiver import WebhookReceiver
from pipeline.ingress.rejections import Quota
from pipeline.ingress.responses import BareResponse
from pipeline.ingress.send_headers import BadHeaders, account_of, bearer_token, event_id_of
from pipeline.ingress.send_quotas import SendDefaults, SendQuotas
from pipeline.metrics import WEBHOOKS
from pipeline.providers import CLOUD
from pipeline.providers.api import SEND_API, event_body, slice_of
from pipeline.providers.base import Provider, Slice
from pipeline.providers.shared.loading import load_object
from pipeline.state import MemoryStore
from pipeline.tenants import Tenant, Tenants
from pipeline.topics.commands import Command, Priority
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
_QUOTA_NAMES: Final = {Quota.SENDS: "sends", Quota.INTERACTIVE: "interactive sends"}


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


class OverQuota(Rejected):
    """The tenant or its key has used its quota up: 429, and `Retry-After` says when the next send is admitted.

    Args:
        seconds: until then.
    """

    def __init__(self, tenant: Tenant, quota: Quota, seconds: float) -> None:
        super().__init__(429)
        self._retry_after = max(1, math.ceil(seconds))
        advice = f"ask again after {self._retry_after} s" + ("" if quota is Quota.SENDS else ", or send it as bulk")
        error = f"the quota of {_QUOTA_NAMES[quota]} is used up: {advice}"
        self._result = SendResult(False, error=error, error_code="RATE_LIMITED", tenant_id=tenant.id)

    def response(self) -> web.Response:
        """Return the result as JSON, with `Retry-After` in seconds."""
        made = _response(self.status, self._result)
        made.headers["Retry-After"] = str(self._retry_after)
        return made


class SendEndpoint:
    """Handles `POST /api/whatsapp/{family}/{name}`.

    Args:
        quotas: of tenants that have none of their own.
    """

    def __init__(
        self, receiver: WebhookReceiver, tenants: Tenants, providers: Mapping[str, Provider], quotas: SendDefaults
    ) -> None:
        self._quotas = SendQuotas(quotas)
        self._receiver = receiver
        self._tenants = tenants
        self._providers = providers
        capabilities = {name: provider.kinds for name, provider in providers.items()}
        self._store = MemoryStore()
        self._services = Services(MediaLibrary(self._store), capabilities)

    async def handle_send(self, request: web.Request, path: str) -> web.Response:
        """Publish a send and return 200 with its `SendResult`.

        Raise `InvalidSend` (400 and 422), `OverQuota` (429), or `Rejected` as for webhooks: 401, 404, 413, 415, 503.
        """
        if path not in PATHS:
            WEBHOOKS.labels(SEND_API.name, "404").inc()
            raise Rejected(404)
        key = bearer_token(request)
        tenant = self._tenants.keyholder(key)
        rejection = Rejected(401) if tenant is None else self._over_quota(tenant, key, Quota.SENDS)
        async with self._receiver.admission(request, SEND_API.name, rejection) as body:
            assert tenant is not None
            if len(body) > MAX_SEND_BYTES:
                raise Rejected(413)
            part, result, commands = await self._validated(request, tenant, path, body)
            if any(command.priority is Priority.INTERACTIVE for command in commands):
                self._require_interactive(tenant, key)
            await self._receiver.publish(request, SEND_API.name, tenant.id, part.body, [part])
        return _response(200, result)

    def _require_interactive(self, tenant: Tenant, key: str) -> None:
        if over := self._over_quota(tenant, key, Quota.INTERACTIVE):
            raise over

    def _over_quota(self, tenant: Tenant, key: str, quota: Quota) -> OverQuota | None:
        """Count the send for a quota. Return the rejection if it is used up."""
        seconds = self._quotas.take(tenant, key, time.monotonic(), interactive=quota is Quota.INTERACTIVE)
        if not seconds:
            return None
        self._receiver.admission.rejections.report(tenant.id, quota)
        return OverQuota(tenant, quota, seconds)

    async def _validated(
        self, request: web.Request, tenant: Tenant, path: str, body: bytes
    ) -> tuple[Slice, SendResult, list[Command]]:
        """Return the slice to publish, the messenger's result and its commands. Raise `InvalidSend`."""
        content = self._content(request, tenant, path, body)
        result, commands = await self._dry_run(content, tenant)
        if not result.success:
            raise InvalidSend(422, result)
        return slice_of(content), result, commands

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

    async def _dry_run(self, content: dict[str, Any], tenant: Tenant) -> tuple[SendResult, list[Command]]:
        """Return the messenger's result and commands, as the worker will get them. The commands are not executed."""
        now = datetime.now(UTC)
        event = APIMessageEvent.model_validate(content | {"tenant_id": tenant.id, "timestamp": now, "received_at": now})
        unit = UnitOfWork(self._store, tenant.id, event.event_id)
        with activate(event, unit, self._services):
            return await dry_run(event), unit.commands


def _response(status: int, result: SendResult) -> web.Response:
    content = asdict(result) | {name: getattr(result, name) for name in _DERIVED}
    return BareResponse(status=status, body=orjson.dumps(content), content_type="application/json")
