"""WasenderAPI: sessions of WhatsApp Web behind an HTTP API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from aiohttp import ClientSession

from pipeline.providers.base import Delivery, Slice, WebhookRequest
from pipeline.providers.wasender.authenticate import authenticate
from pipeline.providers.wasender.bodies import KINDS
from pipeline.providers.wasender.deliver import deliver
from pipeline.providers.wasender.identity import PROVIDER
from pipeline.providers.wasender.jids import contact
from pipeline.providers.wasender.parse import parse
from pipeline.providers.wasender.split import split
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.records import Incoming


class Wasender:
    """Wasender as a `pipeline.providers.base.Provider`; each session has a secret and a key of its own."""

    name: Final = PROVIDER
    kinds: Final = KINDS

    def contact(self, recipient: str) -> str:
        return contact(recipient) or recipient

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return authenticate(request, tenants)

    def authenticate_head(self, request: WebhookRequest, tenants: Tenants) -> bool:
        """All of it is in the head."""
        return authenticate(request, tenants)

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        return split(request, tenants)

    def parse(self, record: Incoming) -> Iterable[WireEvent]:
        return parse(record)

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> Delivery:
        return await deliver(command, account, session)
