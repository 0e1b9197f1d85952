"""What a message costs, as statuses tell it. All names in it are open sets."""

from __future__ import annotations

from datetime import UTC, datetime

from topics.events.model import Model


class Pricing(Model):
    """The one place that says whether a message is billed; `conversation` has not said it since July 2025.

    Attributes:
        pricing_model: `PMP` (per message) or `CBP` (per conversation, before).
        type: `regular`, `free_customer_service`, `free_entry_point`.
        category: marketing, utility, authentication, service, …
    """

    billable: bool | None = None
    pricing_model: str | None = None
    type: str | None = None
    category: str | None = None


class ConversationOrigin(Model):
    """Who opened the window; the same names as `Pricing.category`."""

    type: str | None = None


class ConversationWindow(Model):
    """The provider's 24-hour conversation. Absent since v24 of the API except for free entry points."""

    id: str | None = None
    expiration_timestamp: int | None = None
    origin: ConversationOrigin | None = None

    @property
    def conversation_id(self) -> str | None:
        return self.id

    @property
    def origin_type(self) -> str | None:
        return self.origin.type if self.origin else None

    @property
    def category(self) -> str | None:
        return self.origin_type

    def is_expired(self, now: datetime | None = None) -> bool:
        if self.expiration_timestamp is None:
            return False
        return (now or datetime.now(UTC)).timestamp() >= self.expiration_timestamp
