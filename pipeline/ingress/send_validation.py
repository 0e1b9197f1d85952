"""Find out who sends, and let the messenger check a send as it does in a handler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from aiohttp import web

from pipeline.handlers.api.paths import dry_run
from pipeline.handlers.context import activate
from pipeline.handlers.media.library import MediaLibrary
from pipeline.handlers.results import SendResult
from pipeline.handlers.services import Services, languages_of
from pipeline.handlers.unit_of_work import UnitOfWork
from pipeline.ingress.send_errors import InvalidSend
from pipeline.ingress.send_headers import KEY_HEADER, BadHeaders, account_of, event_id_of
from pipeline.providers import CLOUD
from pipeline.providers.api import event_body
from pipeline.providers.base import Provider
from pipeline.state import MemoryStore
from pipeline.tenants import Account, Tenant, Tenants
from pipeline.topics.commands import Command
from pipeline.topics.events import APIMessageEvent
from pipeline.topics.events.api import READ
from pipeline.topics.types import Json


class Sender(NamedTuple):
    """The account that sends, and the id of the event that the send becomes.

    Attributes:
        has_key: True if the id comes from an idempotency key.
    """

    tenant: Tenant
    account: Account
    provider: Provider
    event_id: str
    has_key: bool


class SendValidator:
    """Checks requests and sends. Its methods raise `InvalidSend`."""

    def __init__(self, tenants: Tenants, providers: Mapping[str, Provider]) -> None:
        self._tenants = tenants
        self._providers = providers
        self._store = MemoryStore()
        capabilities = {name: provider.kinds for name, provider in providers.items()}
        self._services = Services(MediaLibrary(self._store), capabilities, languages_of(tenants))

    def sender(self, request: web.Request, tenant: Tenant) -> Sender:
        """Return who sends, by the headers of the request."""
        try:
            account = account_of(request, tenant, self._tenants, self._providers)
            event_id = event_id_of(request, tenant)
        except BadHeaders as error:
            raise InvalidSend.because(str(error)) from None
        return Sender(tenant, account, self._providers[account.provider], event_id, KEY_HEADER in request.headers)

    def content(self, sender: Sender, path: str, payload: Json) -> Json:
        """Return the event that the send becomes."""
        _, account, provider, event_id, _ = sender
        content = event_body(path, payload, event_id, account, provider)
        if content["message_type"] == READ and content["contact"] is None and account.provider != CLOUD.name:
            raise InvalidSend.because(f"{account.provider} marks the messages of a chat: add its recipient", 422)
        return content

    async def check(self, content: Json, tenant: Tenant) -> tuple[SendResult, list[Command]]:
        """Return the messenger's result and commands, as the worker will get them. The commands are not executed."""
        now = datetime.now(UTC)
        event = APIMessageEvent.model_validate(content | {"tenant_id": tenant.id, "timestamp": now, "received_at": now})
        unit = UnitOfWork(self._store, tenant.id, event.event_id)
        with activate(event, unit, self._services):
            result = await dry_run(event)
        if not result.success:
            raise InvalidSend(422, result)
        return result, unit.commands
