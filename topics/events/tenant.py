"""The business that an event belongs to, under its names in Wappa 0.1 and 0.31."""

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
        """The account, by another name."""
        return self.phone_number_id

    @property
    def platform_tenant_id(self) -> str:
        """The WABA id, by another name."""
        return self.business_id

    @property
    def inbox_id(self) -> str:
        """The account, by its name in Wappa 0.31."""
        return self.phone_number_id

    @property
    def display_address(self) -> str:
        """The number as people read it, by its name in Wappa 0.31."""
        return self.display_phone_number

    @property
    def platform_account_id(self) -> str:
        """The WABA id, by its name in Wappa 0.31."""
        return self.business_id

    def get_tenant_key(self) -> str:
        """Return the account."""
        return self.phone_number_id

    def get_inbox_key(self) -> str:
        """Return the account."""
        return self.phone_number_id
