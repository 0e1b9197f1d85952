"""One event on its way from the engine's form to the pipeline's."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from pipeline.providers.cloud.wire import Body, Delivery
from pipeline.providers.times import instant
from pipeline.providers.waha.engine import Json, inner, protocol_message
from pipeline.providers.waha.envelope import Envelope
from pipeline.providers.waha.identity import Origin, Payload, conversation, origin
from pipeline.providers.waha.jids import contact, normalised, phone


class Happening(NamedTuple):
    """What every kind of event is made from.

    Attributes:
        origin: where it comes from: chat, writer, whether it is the account's own.
        protocol: the message of WhatsApp's protocol, where the engine keeps it; else empty.
        raw: the whole webhook.
    """

    provider: str
    account: str
    enveloped: Envelope
    origin: Origin
    protocol: Json
    raw: Body
    delivered: Delivery

    @property
    def event(self) -> str:
        return self.enveloped.event

    @property
    def payload(self) -> Payload:
        return self.enveloped.payload

    @property
    def contact(self) -> str | None:
        """The other side's part of the conversation key."""
        return contact(self.origin.chat) if self.origin.chat else None

    @property
    def at(self) -> datetime:
        """When it happened: the envelope's time, else the payload's, else the arrival."""
        return self.enveloped.at or instant(self.payload.get("timestamp")) or self.delivered[1]


def happening(provider: str, account: str, enveloped: Envelope, raw: Body, delivered: Delivery) -> Happening:
    payload = enveloped.payload
    protocol = protocol_message(inner(payload, "_data"))
    return Happening(provider, account, enveloped, origin(payload), protocol, raw, delivered)


def begin(found: Happening) -> Body:
    """The envelope of an event. Its kind, its id and what belongs to them follow."""
    webhook_id, received_at, traceparent = found.delivered
    own, other = normalised(found.enveloped.me.get("id")), found.contact
    return {
        "provider": found.provider,
        "account": found.account,
        "display_phone_number": phone(own) if own else None,
        "conversation": conversation(found.provider, found.account, other),
        "contact": other,
        "webhook_id": webhook_id,
        "timestamp": found.at,
        "received_at": received_at,
        "traceparent": traceparent,
        "raw": found.raw,
    }
