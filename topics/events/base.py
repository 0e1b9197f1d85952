"""The envelope: the fields that every event carries."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import AwareDatetime, Field

from pipeline.topics.events.model import EventModel
from pipeline.topics.events.names import PlatformType
from pipeline.topics.events.tenant import TenantBase


class EventBase(EventModel):
    """One thing that happened, the same object on the topic and in a handler's hand.

    Attributes:
        kind: which model this is.
        event_type: what happened, finer than `kind`: `message.text`, `status.read`, `error`, `field.calls`.
        event_id: the same on every delivery of the same thing, e.g. `cloud:106540352242922:wamid.…`.
        tenant_id: set by `route`; empty before.
        provider: `cloud`, `wasender`, `wawp`.
        account: phone_number_id, session or instance; the WABA id where a webhook names no number.
        business_id: the WABA id, where the provider has one.
        conversation: partition key (`pipeline.topics.keys`).
        contact: the other side's part of that key; None for events of the account itself.
        webhook_id: the same for all events of one webhook and for its identical redeliveries.
        timestamp: the provider's time of the event; `received_at` where it gives none. UTC.
        received_at: when the webhook reached the ingress. UTC.
        traceparent: W3C trace context of the webhook.
        raw: a webhook of the provider's own form that holds this event and no other.
        ignored_fields: where in the event something is left out, e.g. `message.contacts.0.emails`: its value is not
            what the provider's documents promise, and it is in `raw` only. Nearly always empty.
    """

    webhook_type: ClassVar[str] = "event"

    kind: str
    event_type: str
    event_id: str
    tenant_id: str = ""
    provider: str
    account: str
    business_id: str | None = None
    display_phone_number: str | None = None
    conversation: str
    contact: str | None = None
    webhook_id: str = ""
    timestamp: AwareDatetime
    received_at: AwareDatetime
    traceparent: str | None = None
    raw: dict[str, Any] = Field(default_factory=dict, repr=False)
    ignored_fields: list[str] = Field(default_factory=list)

    @property
    def platform(self) -> PlatformType:
        """The messaging platform; WhatsApp, with every provider."""
        return PlatformType.WHATSAPP

    @property
    def tenant(self) -> TenantBase:
        """The business that the event belongs to. `tenant_id` is its id in the tenants file."""
        return TenantBase(self.account, self.business_id or "", self.display_phone_number or "")

    @property
    def inbox(self) -> TenantBase:
        """The business side, by its name in Wappa 0.31."""
        return self.tenant

    @property
    def raw_webhook_data(self) -> dict[str, Any]:
        """The provider's own webhook, holding only this event."""
        return self.raw

    def get_raw_webhook_data(self) -> dict[str, Any]:
        """Return the provider's own webhook, holding only this event."""
        return self.raw

    def get_summary(self) -> dict[str, Any]:
        """Return the fields that may be logged: ids and flags, never the text of a message."""
        return {
            "webhook_type": self.webhook_type,
            "platform": self.platform.value,
            "event_id": self.event_id,
            "tenant": self.tenant.get_tenant_key(),
            "inbox": self.tenant.get_inbox_key(),
            "timestamp": self.timestamp.isoformat(),
        }

    def to_json(self) -> bytes:
        """Return the event as a record's value; `pipeline.topics.events.decode` reads it back as an equal event."""
        return self.model_dump_json(exclude_unset=True).encode()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.event_type} {self.event_id}>"

    __str__ = __repr__
