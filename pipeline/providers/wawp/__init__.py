"""Wawp: WAHA's engines as a service. Its webhooks are WAHA's; secrets, calls and errors are its own."""

from __future__ import annotations

from typing import ClassVar

from pipeline.providers.base import WebhookRequest
from pipeline.providers.gateway import WhatsAppWebGateway
from pipeline.providers.gateway.deliver import Dialect
from pipeline.providers.wawp.authenticate import is_authentic, may_be_authentic
from pipeline.providers.wawp.deliver import DIALECT
from pipeline.tenants import Tenants


class Wawp(WhatsAppWebGateway):
    """Wawp as a `pipeline.providers.base.Provider`. Each account is an instance."""

    name: ClassVar[str] = "wawp"
    dialect: ClassVar[Dialect] = DIALECT

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return is_authentic(self.name, request, tenants)

    def authenticate_head(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return may_be_authentic(self.name, request, tenants)
