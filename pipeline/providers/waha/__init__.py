"""WAHA, the WhatsApp HTTP API that you host yourself."""

from __future__ import annotations

from typing import ClassVar

from pipeline.providers.base import WebhookRequest
from pipeline.providers.gateway import WhatsAppWebGateway
from pipeline.providers.gateway.deliver import Dialect
from pipeline.providers.waha.authenticate import is_authentic, may_be_authentic
from pipeline.providers.waha.deliver import DIALECT
from pipeline.tenants import Tenants


class Waha(WhatsAppWebGateway):
    """WAHA as a `pipeline.providers.base.Provider`. Each account is a session of an installation."""

    name: ClassVar[str] = "waha"
    dialect: ClassVar[Dialect] = DIALECT

    def authenticate(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return is_authentic(self.name, request, tenants)

    def authenticate_head(self, request: WebhookRequest, tenants: Tenants) -> bool:
        return may_be_authentic(self.name, request, tenants)
