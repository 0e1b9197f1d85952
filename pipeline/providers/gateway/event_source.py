"""The input of all event builders: one webhook, read once. And the fields that all events have in common.

A person whose phone number is hidden is known by a linked id (LID) only. It takes the place of the business-scoped user
id: it identifies the user while the number is hidden, and answers are sent to it. If a webhook contains both, the user
has both: `lid` beside the number.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from pipeline.providers.gateway.engine import nested_object, protocol_message
from pipeline.providers.gateway.envelope import WebhookEnvelope
from pipeline.providers.gateway.identity import MessageOrigin, engine_data, resolve_origin
from pipeline.providers.gateway.jids import contact_key, normalize_jid, phone_number
from pipeline.providers.shared import event_body
from pipeline.providers.shared.event_body import WebhookMeta
from pipeline.providers.shared.times import instant
from pipeline.topics.types import Json


class GatewayEventSource(NamedTuple):
    """A webhook of a gateway, as the event builders need it.

    Attributes:
        origin: the chat, the author, and whether the account wrote it itself.
        protocol: the message of WhatsApp's protocol; empty if the engine does not keep it.
        raw: the whole webhook.
    """

    provider: str
    account: str
    envelope: WebhookEnvelope
    origin: MessageOrigin
    protocol: Json
    raw: Json
    meta: WebhookMeta

    @property
    def event(self) -> str:
        return self.envelope.event

    @property
    def payload(self) -> Json:
        return self.envelope.payload

    @property
    def contact(self) -> str | None:
        """The contact's part of the conversation key."""
        return contact_key(self.origin.chat) if self.origin.chat else None

    @property
    def at(self) -> datetime:
        """The time of the event: the envelope's, else the payload's, else its time of arrival."""
        return self.envelope.timestamp or instant(self.payload.get("timestamp")) or self.meta.received_at


def event_source(
    provider: str, account: str, envelope: WebhookEnvelope, raw: Json, meta: WebhookMeta
) -> GatewayEventSource:
    payload = envelope.payload
    protocol = protocol_message(nested_object(payload, "_data"))
    return GatewayEventSource(provider, account, envelope, resolve_origin(payload), protocol, raw, meta)


def base_event(source: GatewayEventSource) -> Json:
    """Return the fields that all kinds of events have."""
    own = normalize_jid(source.envelope.me.get("id"))
    return event_body.base_event(
        source.provider,
        source.account,
        source.contact,
        source.raw,
        source.meta,
        timestamp=source.at,
        display_phone_number=phone_number(own) if own else None,
    )


def event_user(origin: MessageOrigin, payload: Json) -> dict[str, str]:
    """Return the author as an event's user; empty without an author."""
    jid = origin.author
    if jid is None:
        return {}
    named = person_field(jid, "phone_number", "bsuid") | {"jid": jid}
    if origin.linked_id:
        named["lid"] = origin.linked_id
    profile = _profile_name(engine_data(payload))
    return named | ({"profile_name": profile} if profile else {})


def person_field(jid: str, phone_field: str, id_field: str) -> dict[str, str]:
    """Return the field that names a person: `phone_field` for a phone number, `id_field` for any other JID."""
    number = phone_number(jid)
    return {phone_field: number} if number else {id_field: jid}


def _profile_name(data: dict[str, Any]) -> str | None:
    """Return the author's name, whose field differs between engines."""
    found = (data.get("notifyName"), data.get("pushName"), nested_object(data, "Info").get("PushName"))
    return next((name for name in found if type(name) is str and name), None)
