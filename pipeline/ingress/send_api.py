"""The HTTP API for sends: other systems send through the pipeline, with its guarantees.

The messenger validates a send here exactly as it does in a handler; an invalid send is not published. A 200 contains
the id of the command: the send will be executed once.

Quotas (`send_quotas`) are asked twice: for a send of any priority before its body is read, and for an interactive one
when its priority is known. A send over the interactive quota is rejected, and never made bulk in silence: the order of
a conversation holds within one priority.

A form brings a file (`send_upload`), which is stored on the topic `uploads` while it arrives. What is wrong with a send
is found before its file's last piece is stored, and nothing names a file that is not whole.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import web

from pipeline.errors import InvalidRecord
from pipeline.handlers.api.paths import PATHS, UPLOAD_PATHS
from pipeline.handlers.results import SendResult
from pipeline.ingress.admission import Rejected
from pipeline.ingress.idempotency import KeyUses
from pipeline.ingress.receiver import WebhookReceiver
from pipeline.ingress.rejections import Quota
from pipeline.ingress.send_errors import InvalidSend, OverQuota, result_response
from pipeline.ingress.send_form import FORM_TYPE, typed
from pipeline.ingress.send_headers import bearer_token
from pipeline.ingress.send_quotas import SendDefaults, SendQuotas
from pipeline.ingress.send_upload import UploadReceiver
from pipeline.ingress.send_validation import Sender, SendValidator
from pipeline.metrics import WEBHOOKS
from pipeline.providers.api import SEND_API, slice_of
from pipeline.providers.base import Provider
from pipeline.providers.shared.loading import load_object
from pipeline.state import Store
from pipeline.tenants import Tenant, Tenants
from pipeline.topics.commands import Priority
from pipeline.topics.types import Json
from pipeline.uploads.writer import PieceStore

MAX_SEND_BYTES: Final = 256 * 1024
"""Bytes of the body of a send, which holds texts and URLs and no media."""


class SendServices(NamedTuple):
    """The parts that the HTTP API needs beside the broker.

    Attributes:
        quotas: of tenants that have none of their own.
        store: remembers idempotency keys.
        uploads: keeps the pieces of files.
        upload_deadline: seconds from the head of a request with a file to its response.
    """

    quotas: SendDefaults
    store: Store
    uploads: PieceStore
    upload_deadline: float


class SendEndpoint:
    """Handles `POST /api/whatsapp/{family}/{name}`."""

    def __init__(
        self, receiver: WebhookReceiver, tenants: Tenants, providers: Mapping[str, Provider], services: SendServices
    ) -> None:
        self._quotas = SendQuotas(services.quotas)
        self._receiver = receiver
        self._tenants = tenants
        self._validator = SendValidator(tenants, providers)
        self._key_uses = KeyUses(services.store)
        self._uploads = UploadReceiver(receiver.admission, services.uploads, services.upload_deadline)

    async def handle_send(self, request: web.Request, path: str) -> web.Response:
        """Publish a send and return 200 with its `SendResult`.

        Raise `InvalidSend` (400, 409, 413 and 422), `OverQuota` (429), or `Rejected` as for webhooks: 401, 404, 413,
        415, 503.
        """
        if path not in PATHS:
            WEBHOOKS.labels(SEND_API.name, "404").inc()
            raise Rejected(404)
        key = bearer_token(request)
        tenant = self._tenants.keyholder(key)
        rejection = Rejected(401) if tenant is None else self._over_quota(tenant, key, Quota.SENDS)
        if path in UPLOAD_PATHS and request.content_type == FORM_TYPE:
            return await self._handle_form(request, path, tenant, key, rejection)
        async with self._receiver.admission(request, SEND_API.name, rejection) as body:
            assert tenant is not None
            if len(body) > MAX_SEND_BYTES:
                raise Rejected(413)
            sender = self._validator.sender(request, tenant)
            content = self._validator.content(sender, path, _payload(body))
            result = await self._checked(content, tenant, key)
            result = await self._record_key(sender, content, result)
            return await self._publish(request, tenant, content, result)

    async def _handle_form(
        self, request: web.Request, path: str, tenant: Tenant | None, key: str, rejection: Rejected | None
    ) -> web.Response:
        """Publish a send with a file."""
        sender: Sender | None = None
        if tenant is not None and rejection is None:
            try:
                sender = self._validator.sender(request, tenant)
                rejection = self._uploads.rejection(request, path, sender)
            except InvalidSend as error:
                rejection = error
        async with self._uploads.admitted(request, path, sender, rejection) as body:
            assert tenant is not None and sender is not None
            first = await self._key_uses.find(tenant.id, sender.event_id) if sender.has_key else None
            fields, file = await self._uploads.receive(request, path, sender, body, keep=first is None)
            content = self._validator.content(sender, path, typed(PATHS[path].body, fields))
            content["upload"] = file.described().model_dump()
            result = await self._checked(content, tenant, key)
            if first is None:
                content["upload"] = (await file.finish()).model_dump()
                result = await self._record_key(sender, content, result)
            else:
                result = first.require_same(content, result)
            return await self._publish(request, tenant, content, result)

    async def _record_key(self, sender: Sender, content: Json, result: SendResult) -> SendResult:
        return await self._key_uses.record(sender.tenant.id, content, result) if sender.has_key else result

    async def _checked(self, content: Json, tenant: Tenant, key: str) -> SendResult:
        """Return the messenger's result. Raise `InvalidSend`, and `OverQuota` for one interactive send too many."""
        result, commands = await self._validator.check(content, tenant)
        if any(command.priority is Priority.INTERACTIVE for command in commands):
            over = self._over_quota(tenant, key, Quota.INTERACTIVE)
            if over is not None:
                raise over
        return result

    async def _publish(self, request: web.Request, tenant: Tenant, content: Json, result: SendResult) -> web.Response:
        part = slice_of(content)
        await self._receiver.publish(request, SEND_API.name, tenant.id, part.body, [part])
        return result_response(200, result)

    def _over_quota(self, tenant: Tenant, key: str, quota: Quota) -> OverQuota | None:
        """Count the send for a quota. Return the rejection if it is used up."""
        seconds = self._quotas.take(tenant, key, time.monotonic(), interactive=quota is Quota.INTERACTIVE)
        if not seconds:
            return None
        self._receiver.admission.rejections.report(tenant.id, quota)
        return OverQuota(tenant, quota, seconds)


def _payload(body: bytes) -> Json:
    try:
        return load_object(body)
    except InvalidRecord as error:
        raise InvalidSend.because(f"the body is {error}") from None
