"""The input of all event builders: one part of a webhook. And the fields that all events have in common.

A person whose phone number is hidden is known by a linked id (LID) only. It takes the place of the business-scoped user
id: it identifies the person while the number is hidden, and answers are sent to it. If a webhook contains both, the
user has both: `lid` beside the number.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from pipeline.providers.shared import event_body
from pipeline.providers.shared.event_body import WebhookMeta
from pipeline.providers.shared.times import instant
from pipeline.providers.wasender.envelope import WebhookPart
from pipeline.providers.wasender.identity import PROVIDER, content_event_id, key_chat, key_member, resolve_contact
from pipeline.providers.wasender.jids import GROUP, LID, normalize_jid, phone_number
from pipeline.topics.types import Json

DUPLICATE_WINDOW: Final = 600
"""Seconds in which equal content without a time is the same event. Wasender publishes no schedule of retries."""
_NEVER_REPEATED: Final = ("qrcode.updated", "session.qr_code.updated")
"""Events without a time whose content is unique."""
_LINKED_IDS: Final = ("participantLid", "senderLid", "participant", "remoteJid")


class WasenderEventSource(NamedTuple):
    """A part of a Wasender webhook, as the event builders need it.

    Attributes:
        account: the session.
        chat: the contact's part of the conversation key.
        sent: the envelope's `timestamp`, unparsed.
        raw: a webhook that contains this part alone.
    """

    account: str
    part: WebhookPart
    chat: str | None
    sent: Any
    raw: Json
    meta: WebhookMeta

    @property
    def item(self) -> Any:
        return self.part.item

    @property
    def at(self) -> datetime:
        """The time of the event: the envelope's, which some events lack, else its time of arrival."""
        return instant(self.sent) or self.meta.received_at

    @property
    def content_id(self) -> str:
        """The id of an event without an id of its own."""
        return content_event_id(self.account, self.part, self.sent if instant(self.sent) else self._window)

    @property
    def _window(self) -> str | None:
        arrived = int(self.meta.received_at.timestamp())
        return None if self.part.event in _NEVER_REPEATED else f"window {arrived // DUPLICATE_WINDOW}"


def event_source(account: str, part: WebhookPart, webhook: Json, raw: Json, meta: WebhookMeta) -> WasenderEventSource:
    return WasenderEventSource(account, part, resolve_contact(part), webhook.get("timestamp"), raw, meta)


def base_event(source: WasenderEventSource) -> Json:
    """Return the fields that all kinds of events have."""
    return event_body.base_event(PROVIDER, source.account, source.chat, source.raw, source.meta, timestamp=source.at)


def is_group(chat: str | None) -> bool:
    return chat is not None and chat.endswith(GROUP)


def sender(key: dict[str, Any]) -> str | None:
    """Return the author of a message: the member of a group, else the chat."""
    chat = key_chat(key)
    return key_member(key) if is_group(chat) else chat


def event_user(key: dict[str, Any], name: object = None) -> dict[str, str]:
    """Return the sender as an event's user; empty if the key names nobody."""
    who = sender(key)
    if who is None:
        return {}
    linked = _linked_id(key)
    profile = {"profile_name": name} if type(name) is str and name else {}
    return person_field(who, "phone_number", "bsuid") | ({"lid": linked} if linked else {}) | profile


def person_field(who: str, phone_field: str, id_field: str) -> dict[str, str]:
    """Return the field that names a person: `phone_field` for a phone number, `id_field` for any other address."""
    return {phone_field if phone_number(who) else id_field: who}


def _linked_id(key: dict[str, Any]) -> str | None:
    named = (normalize_jid(key[name]) for name in _LINKED_IDS if type(key.get(name)) is str)
    return next((found for found in named if found.endswith(LID)), None)
