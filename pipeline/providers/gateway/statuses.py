"""Build status events from message acks.

Source: WAHA, message acks: ERROR -1, PENDING 0, SERVER 1, DEVICE 2, READ 3, PLAYED 4. The name takes precedence,
because Wawp's documentation pairs a wrong number with a right name.
"""

from __future__ import annotations

from typing import Final

from pipeline.providers.gateway.event_source import GatewayEventSource, person_field
from pipeline.providers.gateway.identity import message_event_id
from pipeline.providers.gateway.jids import bare_id, contact_key, has_many_members, message_id
from pipeline.providers.shared.fields import identifier
from pipeline.topics.types import Json

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


def status_event(source: GatewayEventSource, body: Json) -> bool:
    """Make `body` a status. Returns False for other events, and without an own message, a status or a chat."""
    payload = source.payload
    if source.event not in EVENTS or not source.origin.is_own:
        return False
    message, bare = message_id(payload.get("id")), bare_id(payload.get("id"))
    name, where = status_name(payload), source.origin.chat
    if message is None or bare is None or name is None or where is None:
        return False
    member = source.origin.author if has_many_members(where) and source.origin.author != where else None
    message_event = message_event_id(source.provider, source.account, where, bare)
    body |= {
        "kind": "status",
        "event_type": f"status.{name}",
        "event_id": f"{message_event}:{name}:{contact_key(member or where)}",
        "message_id": message,
        "status": name,
        **_recipient(where, member),
    }
    return True


def status_name(payload: Json) -> str | None:
    """Return the status of an ack; None for an unknown ack."""
    name, number = payload.get("ackName"), payload.get("ack")
    known = _BY_NAME.get(name.upper()) if type(name) is str else None
    return known or _BY_NUMBER.get(identifier(number))


def _recipient(where: str, member: str | None) -> dict[str, str]:
    if not has_many_members(where):
        return person_field(where, "recipient_phone_id", "recipient_bsuid")
    group = {"recipient_type": "group", "recipient_phone_id": where}
    if member is None:
        return group
    return group | person_field(member, "recipient_participant_phone_id", "recipient_participant_bsuid")
