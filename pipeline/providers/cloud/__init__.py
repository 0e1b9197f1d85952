"""Meta's WhatsApp Cloud API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from aiohttp import ClientSession

from pipeline.providers.base import Delivery, Slice, WebhookRequest
from pipeline.providers.cloud.authenticate import authenticate, verify
from pipeline.providers.cloud.deliver import deliver
from pipeline.providers.cloud.identity import PROVIDER
from pipeline.providers.cloud.parse import parse
from pipeline.providers.cloud.split import split
from pipeline.tenants import Account, Tenants
from topics.commands import Command
from topics.events.wire import WireEvent
from topics.records import Incoming


class Cloud:
    """The Cloud API as a `pipeline.providers.base.Provider`; one app's secret covers all of its numbers."""

    name: Final = PROVIDER

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return authenticate(request, tenants)

    def verify(self, query: Mapping[str, str], tenants: Tenants) -> str | None:
        """The challenge of a subscription handshake, or None when it is refused."""
        return verify(query, tenants)

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        return split(request.body)

    def parse(self, record: Incoming) -> Iterable[WireEvent]:
        return parse(record)

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> Delivery:
        return await deliver(command, account, session)
