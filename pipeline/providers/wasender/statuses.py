"""Build status events: `messages.update`, `message.sent` and, in groups, `message-receipt.update`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pipeline.providers.shared.fields import as_object, field, flag, identifier, may_be_from_me
from pipeline.providers.shared.shapes import validates
from pipeline.providers.shared.times import instant
from pipeline.providers.wasender.envelope import RECEIPT, SENT, STATUS
from pipeline.providers.wasender.event_source import WasenderEventSource, is_group, person_field
from pipeline.providers.wasender.identity import key_member, message_event_id
from pipeline.providers.wasender.jids import contact_key
from pipeline.topics.types import Json

EVENTS: Final = frozenset({STATUS, SENT, RECEIPT})

_SCALE: Final = ("failed", "pending", "sent", "delivered", "read", "played")
"""Status names by Wasender's numbers from 0 to 5."""
_WORDS: Final = {
    **{name: name for name in _SCALE},
    **{str(number): name for number, name in enumerate(_SCALE)},
    "error": "failed",
    "in_progress": "pending",
    "server_ack": "sent",
    "delivery_ack": "delivered",
}
_RECEIPTS: Final = (("playedTimestamp", "played"), ("readTimestamp", "read"), ("receiptTimestamp", "delivered"))
"""Times of a receipt and their statuses. The last step of a receipt counts."""


def status_event(source: WasenderEventSource, body: Json) -> bool:
    """Make `body` a status event. Returns False without a message or a status, or if a user wrote the message."""
    item = as_object(source.item)
    key = as_object(item.get("key"))
    message_id = identifier(key.get("id"))
    name = None if _is_from_user(source, key) else _status_name(source.part.event, item)
    if message_id is None or name is None:
        return False
    participant = _participant(source, item, key)
    event_id = f"{message_event_id(source.account, source.chat, message_id)}:{name}"
    body |= {
        "kind": "status",
        "event_type": f"status.{name}",
        "event_id": f"{event_id}:{participant}" if participant else event_id,
        "timestamp": _time(item) or source.at,
        "message_id": message_id,
        "status": name,
        **_recipient(source.chat, participant),
        **_message_number(item, key),
    }
    return validates(body)


def _is_from_user(source: WasenderEventSource, key: Json) -> bool:
    """Return True if a user wrote the message: that the account read it is no status of a send."""
    return source.part.event != SENT and flag(key.get("fromMe")) is False


def _status_name(event: str, item: Json) -> str | None:
    if event == STATUS:
        return _normalize_status(field(item.get("update"), "status"))
    if event == RECEIPT:
        return _receipt_status(as_object(item.get("receipt")))
    success = item.get("success")
    return _normalize_status(item.get("status")) or (
        {True: "sent", False: "failed"}[success] if type(success) is bool else None
    )


def _normalize_status(value: object) -> str | None:
    return _WORDS.get(str(value).lower()) if type(value) is int or type(value) is str else None


def _receipt_status(receipt: Json) -> str | None:
    timed = next((name for field, name in _RECEIPTS if receipt.get(field)), None)
    return _normalize_status(receipt.get("status")) or timed


def _participant(source: WasenderEventSource, item: Json, key: Json) -> str | None:
    """Return the person of the status: the recipient, or the member of the group."""
    member = contact_key(field(item.get("receipt"), "userJid"))
    if not is_group(source.chat):
        return source.chat
    return member or (key_member(key) if key.get("participant") and not may_be_from_me(key.get("fromMe")) else None)


def _recipient(chat: str | None, participant: str | None) -> Json:
    if chat is None:
        return {}
    if not is_group(chat):
        return dict(person_field(chat, "recipient_phone_id", "recipient_bsuid"))
    group = {"recipient_type": "group", "recipient_phone_id": chat}
    fields = ("recipient_participant_phone_id", "recipient_participant_bsuid")
    return group | (person_field(participant, *fields) if participant else {})


def _time(item: Json) -> datetime | None:
    receipt = as_object(item.get("receipt"))
    return next((at for field in (*dict(_RECEIPTS), "t") if (at := instant(receipt.get(field)))), None)


def _message_number(item: Json, key: Json) -> Json:
    """Return Wasender's own number of the message, which `deliver` returned for it, and the error of a failure."""
    number = key.get("msgId") or item.get("msgId")
    fields = {"msg_id": str(number)} if type(number) in (int, str) else {}
    return fields | ({"error": item["error"]} if type(item.get("error")) is str else {})
