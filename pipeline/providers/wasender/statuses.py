"""What became of what the session sent: `messages.update`, `message.sent` and, in groups, `message-receipt.update`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pipeline.providers.cloud.shapes import settled
from pipeline.providers.cloud.wire import Body
from pipeline.providers.shared.fields import as_object, field, flag, identifier, may_be_ours
from pipeline.providers.times import instant
from pipeline.providers.wasender.envelope import RECEIPT, SENT, STATUS
from pipeline.providers.wasender.identity import key_member, message_event_id
from pipeline.providers.wasender.jids import contact
from pipeline.providers.wasender.people import is_group, names
from pipeline.providers.wasender.wire import Happening

EVENTS: Final = frozenset({STATUS, SENT, RECEIPT})

_SCALE: Final = ("failed", "pending", "sent", "delivered", "read", "played")
"""Wasender's numbers from 0 to 5."""
_WORDS: Final = {
    **{name: name for name in _SCALE},
    **{str(number): name for number, name in enumerate(_SCALE)},
    "error": "failed",
    "in_progress": "pending",
    "server_ack": "sent",
    "delivery_ack": "delivered",
}
_RECEIPTS: Final = (("playedTimestamp", "played"), ("readTimestamp", "read"), ("receiptTimestamp", "delivered"))
"""Of a receipt that has several times the last step counts."""


def status(found: Happening, body: Body) -> bool:
    """Makes `body` a status event. False, if it does not say of which message or what, or a user wrote the message."""
    item = as_object(found.item)
    key = as_object(item.get("key"))
    message_id, told = identifier(key.get("id")), None if _is_theirs(found, key) else _told(found.part.event, item)
    if message_id is None or told is None:
        return False
    participant = _participant(found, item, key)
    event_id = f"{message_event_id(found.account, found.chat, message_id)}:{told}"
    body |= {
        "kind": "status",
        "event_type": f"status.{told}",
        "event_id": f"{event_id}:{participant}" if participant else event_id,
        "timestamp": _time(item) or found.at,
        "message_id": message_id,
        "status": told,
        **_recipient(found.chat, participant),
        **_numbered(item, key),
    }
    return settled(body)


def _is_theirs(found: Happening, key: Body) -> bool:
    """Whether a user wrote the message: that the account read it is no status of a send."""
    return found.part.event != SENT and flag(key.get("fromMe")) is False


def _told(event: str, item: Body) -> str | None:
    if event == STATUS:
        return _named(field(item.get("update"), "status"))
    if event == RECEIPT:
        return _of_receipt(as_object(item.get("receipt")))
    success = item.get("success")
    return _named(item.get("status")) or ({True: "sent", False: "failed"}[success] if type(success) is bool else None)


def _named(value: object) -> str | None:
    return _WORDS.get(str(value).lower()) if type(value) is int or type(value) is str else None


def _of_receipt(receipt: Body) -> str | None:
    timed = next((name for field, name in _RECEIPTS if receipt.get(field)), None)
    return _named(receipt.get("status")) or timed


def _participant(found: Happening, item: Body, key: Body) -> str | None:
    """Whose status it is: the recipient, or the member of the group."""
    member = contact(field(item.get("receipt"), "userJid"))
    if not is_group(found.chat):
        return found.chat
    return member or (key_member(key) if key.get("participant") and not may_be_ours(key.get("fromMe")) else None)


def _recipient(chat: str | None, participant: str | None) -> Body:
    if chat is None:
        return {}
    if not is_group(chat):
        return dict(names(chat, "recipient_phone_id", "recipient_bsuid"))
    group = {"recipient_type": "group", "recipient_phone_id": chat}
    fields = ("recipient_participant_phone_id", "recipient_participant_bsuid")
    return group | (names(participant, *fields) if participant else {})


def _time(item: Body) -> datetime | None:
    receipt = as_object(item.get("receipt"))
    return next((at for field in (*dict(_RECEIPTS), "t") if (at := instant(receipt.get(field)))), None)


def _numbered(item: Body, key: Body) -> Body:
    """Wasender's own number of the message, which `deliver` gave back when it was sent; and why it failed."""
    number = key.get("msgId") or item.get("msgId")
    told = {"msg_id": str(number)} if type(number) in (int, str) else {}
    return told | ({"error": item["error"]} if type(item.get("error")) is str else {})
