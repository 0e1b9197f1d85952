"""The common base of WAHA and Wawp, which run the same WhatsApp Web engines behind different HTTP APIs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from aiohttp import ClientSession

from pipeline.providers.base import SendAttempt, Slice, WebhookRequest
from pipeline.providers.code_policy import CodeTable
from pipeline.providers.gateway.deliver import Dialect, send_command
from pipeline.providers.gateway.jids import recipient_contact
from pipeline.providers.gateway.parse import parse_record
from pipeline.providers.gateway.split import split_webhook
from pipeline.tenants import Account, Tenants
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.events.wire import ParsedEvent
from pipeline.topics.records import ConsumedRecord


class WhatsAppWebGateway:
    """A gateway with WAHA's webhooks, as a `pipeline.providers.base.Provider`. A subclass adds `authenticate`.

    Attributes:
        name: the provider's name.
        dialect: the HTTP calls of the gateway.
    """

    name: ClassVar[str]
    dialect: ClassVar[Dialect]

    contact = staticmethod(recipient_contact)

    @property
    def kinds(self) -> frozenset[CommandKind]:
        return frozenset(self.dialect.builders)

    @property
    def codes(self) -> CodeTable:
        return self.dialect.codes

    def split(self, request: WebhookRequest, tenants: Tenants) -> Sequence[Slice]:
        return split_webhook(self.name, request, tenants)

    def parse(self, record: ConsumedRecord) -> Iterable[ParsedEvent]:
        return parse_record(self.name, record)

    async def deliver(self, command: Command, account: Account, session: ClientSession) -> SendAttempt:
        return await send_command(self.dialect, command, account, session)
