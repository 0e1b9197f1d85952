"""What became of what the account sent.

Source: WAHA, message acks: ERROR -1, PENDING 0, SERVER 1, DEVICE 2, READ 3, PLAYED 4. The name is preferred: Wawp's
pages pair a wrong number with a right name.
"""

from __future__ import annotations

from typing import Final

from pipeline.providers.cloud.wire import Body
from pipeline.providers.shared.fields import identifier
from pipeline.providers.waha.happening import Happening
from pipeline.providers.waha.identity import Payload, message_event_id
from pipeline.providers.waha.jids import bare_id, contact, is_many, message_id
from pipeline.providers.waha.people import names

EVENTS: Final = frozenset({"message.ack", "message.ack.group"})

_BY_NAME: Final = {
    "ERROR": "failed",
    "PENDING": "pending",
    "SERVER": "sent",
    "DEVICE": "delivered",
    "READ": "read",
    "PLAYED": "played",
}
_BY_NUMBER: Final[dict[str | None, str]] = {str(number): name for number, name in enumerate(_BY_NAME.values(), -1)}


def status(found: Happening, body: Body) -> bool:
    """Makes `body` a status. False for other events, and where message of ours, status or chat are not named."""
    payload = found.payload
    if found.event not in EVENTS or not found.origin.surely_ours:
        return False
    message, bare = message_id(payload.get("id")), bare_id(payload.get("id"))
    name, where = status_name(payload), found.origin.chat
    if message is None or bare is None or name is None or where is None:
        return False
    member = found.origin.writer if is_many(where) and found.origin.writer != where else None
    body |= {
        "kind": "status",
        "event_type": f"status.{name}",
        "event_id": f"{message_event_id(found.provider, found.account, where, bare)}:{name}:{contact(member or where)}",
        "message_id": message,
        "status": name,
        **_recipient(where, member),
    }
    return True


def status_name(payload: Payload) -> str | None:
    """The status that an ack stands for; None for one that nobody knows."""
    name, number = payload.get("ackName"), payload.get("ack")
    known = _BY_NAME.get(name.upper()) if type(name) is str else None
    return known or _BY_NUMBER.get(identifier(number))


def _recipient(where: str, member: str | None) -> dict[str, str]:
    if not is_many(where):
        return names(where, "recipient_phone_id", "recipient_bsuid")
    group = {"recipient_type": "group", "recipient_phone_id": where}
    if member is None:
        return group
    return group | names(member, "recipient_participant_phone_id", "recipient_participant_bsuid")
