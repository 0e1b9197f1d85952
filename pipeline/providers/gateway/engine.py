"""Read an engine's own data (`_data`), whose form depends on the engine.

    WEBJS   {"type": "chat", "notifyName": …, "id": {"fromMe": …}}
    NOWEB   {"key": {"remoteJid": …, "remoteJidAlt": …}, "message": {the protocol's message}, "messageStubType": …}
    GOWS    {"Info": {"Chat": …, "Sender": …, "SenderAlt": …}, "Message": {the same in Go's spelling}}

A receipt of GOWS has the fields of `Info` at its top level. Sources: WAHA, engines; Baileys; whatsmeow,
`types.MessageSource`.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.gateway.go_names import to_protocol_names
from pipeline.providers.gateway.jids import normalize_jid
from pipeline.providers.shared.fields import flag
from pipeline.topics.types import Json

_CHAT: Final = ("remoteJidAlt", "senderPn", "senderLid")
_OWN_CHAT: Final = ("remoteJidAlt",)
_AUTHOR: Final = ("participantAlt", "participantPn", "participantLid", "senderPn", "senderLid")
"""Fields of NOWEB's `key` with the alternative address of a chat, of an own message's chat, and of a group's member."""
_OWN: Final = (("key", "fromMe"), ("Info", "IsFromMe"), ("id", "fromMe"))
_SENDER: Final = (("Sender", "SenderAlt"), ("CallCreator", "CallCreatorAlt"))
_RECIPIENT: Final = (("Chat", "RecipientAlt"),)
"""Fields of GOWS with an address, and with the same person's alternative address."""


def nested_object(payload: Json, *names: str) -> Json:
    """Return the object under a path of names; empty without one."""
    found: Any = payload
    for name in names:
        found = found.get(name) if type(found) is dict else None
    return found if type(found) is dict else {}


def protocol_message(data: Json) -> Json:
    """Return the message of WhatsApp's protocol; empty for WEBJS, which does not keep it."""
    message = data.get("message")
    return message if type(message) is dict else to_protocol_names(nested_object(data, "Message"))


def flags_of_origin(data: Json) -> list[Any]:
    """Return the engine's flags of whether the account itself wrote the message."""
    found = ((data.get(holder), name) for holder, name in _OWN)
    return [holder.get(name) for holder, name in found if type(holder) is dict]


def other_addresses(data: Json, jid: str, *, member: bool, ours: bool) -> list[str]:
    """Return alternative addresses of a person: the phone number of a linked id, or the linked id.

    Args:
        member: True for the author in a group, False for the contact of a chat.
        ours: True if the account itself wrote the message, so that the sender is not the contact.
    """
    key, source = nested_object(data, "key"), nested_object(data, "Info") or data
    flagged = flag(source.get("IsFromMe"))
    own = (ours if flagged is None else flagged) and not member
    names = _AUTHOR if member else _OWN_CHAT if ours else _CHAT
    found = [key.get(name) for name in names] if key else []
    for named, other in _RECIPIENT if own else _SENDER:
        if source.get(other) and normalize_jid(source.get(named)) in (None, jid):
            found.append(source[other])
    return [address for each in found if (address := normalize_jid(each))]
