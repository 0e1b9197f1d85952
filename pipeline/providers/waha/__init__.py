"""WAHA, the WhatsApp HTTP API that one runs oneself, and all that who runs its engines shares with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from aiohttp import ClientSession

from pipeline.providers.base import Delivery, Slice, WebhookRequest
from pipeline.providers.waha.authenticate import authenticate, authenticate_head
from pipeline.providers.waha.bodies import BUILDERS
from pipeline.providers.waha.deliver import DIALECT, carry_out
from pipeline.providers.waha.jids import recipient_contact
from pipeline.providers.waha.parse import parse
from pipeline.providers.waha.split import split
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.records import Incoming


class Waha:
    """WAHA as a `pipeline.providers.base.Provider`; each account is a session of an installation."""

    name: Final = "waha"
    kinds: Final = frozenset(BUILDERS)

    def contact(self, recipient: str) -> str:
        return recipient_contact(recipient)

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return authenticate(self.name, request, tenants)

    def authenticate_head(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return authenticate_head(self.name, request, tenants)

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        return split(self.name, request, tenants)

    def parse(self, record: Incoming) -> Iterable[WireEvent]:
        return parse(self.name, record)

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> Delivery:
        return await carry_out(DIALECT, command, account, session)
