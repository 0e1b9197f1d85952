"""Wawp: WAHA's engines as a service. Its webhooks are WAHA's; the secret, the calls and the errors are its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from aiohttp import ClientSession

from pipeline.providers.base import Delivery, Slice, WebhookRequest
from pipeline.providers.waha.deliver import carry_out
from pipeline.providers.waha.jids import recipient_contact
from pipeline.providers.waha.parse import parse
from pipeline.providers.waha.split import split
from pipeline.providers.wawp.authenticate import authenticate, authenticate_head
from pipeline.providers.wawp.bodies import BUILDERS
from pipeline.providers.wawp.deliver import DIALECT
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command
from pipeline.topics.events.wire import WireEvent
from pipeline.topics.records import Incoming


class Wawp:
    """Wawp as a `pipeline.providers.base.Provider`; each account is an instance."""

    name: Final = "wawp"
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
