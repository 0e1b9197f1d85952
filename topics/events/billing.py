"""The price of a message, as statuses report it. All names in it are open sets."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.topics.events.model import EventModel, Seconds


class Pricing(EventModel):
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


class ConversationOrigin(EventModel):
    """The opener of the window; the same names as `Pricing.category`."""

    type: str | None = None


class ConversationWindow(EventModel):
    """The provider's 24-hour conversation. Absent since v24 of the API except for free entry points."""

    id: str | None = None
    expiration_timestamp: Seconds | None = None
    origin: ConversationOrigin | None = None

    @property
    def conversation_id(self) -> str | None:
        """The id of the billing conversation."""
        return self.id

    @property
    def origin_type(self) -> str | None:
        """The category by which the conversation was opened, if the provider says so."""
        return self.origin.type if self.origin else None

    @property
    def category(self) -> str | None:
        """The same as `origin_type`."""
        return self.origin_type

    def is_expired(self, now: datetime | None = None) -> bool:
        """Return True if the window is over at `now` (by default the current time); False if its end is unknown."""
        if self.expiration_timestamp is None:
            return False
        return (now or datetime.now(UTC)).timestamp() >= self.expiration_timestamp


class ConversationBase(EventModel):
    """Window and price in one, as handlers written for Wappa read them. None where the status does not tell."""

    conversation_id: str | None = None
    expiration_timestamp: int | None = None
    category: str | None = None
    origin_type: str | None = None
    is_billable: bool | None = None
    pricing_model: str | None = None
    pricing_category: str | None = None
    pricing_type: str | None = None

    @classmethod
    def of(cls, window: ConversationWindow | None, pricing: Pricing | None) -> ConversationBase:
        """Join a window and a price, either of which may be missing."""
        window, pricing = window or ConversationWindow(), pricing or Pricing()
        return cls(
            conversation_id=window.id,
            expiration_timestamp=window.expiration_timestamp,
            category=window.category or pricing.category,
            origin_type=window.origin_type,
            is_billable=pricing.billable,
            pricing_model=pricing.pricing_model,
            pricing_category=pricing.category,
            pricing_type=pricing.type,
        )

    def is_free_conversation(self) -> bool:
        """Return True if the status says that nothing is charged."""
        return self.is_billable is False

    def is_expired(self, now: datetime | None = None) -> bool:
        """Return True if the window is over at `now` (by default the current time); False if its end is unknown."""
        return ConversationWindow(expiration_timestamp=self.expiration_timestamp).is_expired(now)
