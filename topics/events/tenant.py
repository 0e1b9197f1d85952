"""Which business an event belongs to, under the names of both generations of handlers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TenantBase:
    """The business side of an event: `webhook.tenant`, later called `webhook.inbox`.

    Attributes:
        phone_number_id: the provider's account (Cloud API: phone_number_id; elsewhere the session).
        business_id: the WABA id, empty where the provider has none.
        display_phone_number: the business' number as people read it.
    """

    phone_number_id: str
    business_id: str
    display_phone_number: str

    @property
    def business_phone_number_id(self) -> str:
        return self.phone_number_id

    @property
    def platform_tenant_id(self) -> str:
        return self.business_id

    @property
    def inbox_id(self) -> str:
        return self.phone_number_id

    @property
    def display_address(self) -> str:
        return self.display_phone_number

    @property
    def platform_account_id(self) -> str:
        return self.business_id

    def get_tenant_key(self) -> str:
        return self.phone_number_id

    def get_inbox_key(self) -> str:
        return self.phone_number_id
