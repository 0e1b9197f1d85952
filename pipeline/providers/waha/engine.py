"""Reads an engine's own data (`_data`), which has a form for each engine.

    WEBJS   {"type": "chat", "notifyName": …, "id": {"fromMe": …}}
    NOWEB   {"key": {"remoteJid": …, "remoteJidAlt": …}, "message": {the protocol's message}, "messageStubType": …}
    GOWS    {"Info": {"Chat": …, "Sender": …, "SenderAlt": …}, "Message": {the same in Go's spelling}}

A receipt of GOWS is what is in `Info` elsewhere. Sources: WAHA, engines; Baileys; whatsmeow, `types.MessageSource`.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.providers.shared.fields import flag
from pipeline.providers.shared.go_names import renamed
from pipeline.providers.waha.jids import normalised

Json = dict[str, Any]

_CHAT: Final = ("remoteJidAlt", "senderPn", "senderLid")
_OWN_CHAT: Final = ("remoteJidAlt",)
_AUTHOR: Final = ("participantAlt", "participantPn", "participantLid", "senderPn", "senderLid")
"""Fields of NOWEB's `key` with the other address of a chat, of the chat of an own message, of a group's member."""
_OWN: Final = (("key", "fromMe"), ("Info", "IsFromMe"), ("id", "fromMe"))
_SENDER: Final = (("Sender", "SenderAlt"), ("CallCreator", "CallCreatorAlt"))
_RECIPIENT: Final = (("Chat", "RecipientAlt"),)
"""Fields of GOWS with an address, and with the other address of the same person."""


def inner(payload: Json, *names: str) -> Json:
    """The object under a path of names; empty where there is none."""
    found: Any = payload
    for name in names:
        found = found.get(name) if type(found) is dict else None
    return found if type(found) is dict else {}


def protocol_message(data: Json) -> Json:
    """The message of WhatsApp's protocol that an engine read; empty where it keeps none, as WEBJS does."""
    message = data.get("message")
    return message if type(message) is dict else renamed(inner(data, "Message"))


def flags_of_origin(data: Json) -> list[Any]:
    """What an engine says itself of whether a message is the account's own."""
    found = ((data.get(holder), name) for holder, name in _OWN)
    return [holder.get(name) for holder, name in found if type(holder) is dict]


def other_addresses(data: Json, jid: str, *, member: bool, ours: bool) -> list[str]:
    """Further addresses of a person: the number beside a linked id, and the linked id, where an engine names both.

    Args:
        member: whether it is who wrote in a group; else the other side of a chat.
        ours: whether the message is the account's own: whoever sent it is not the other side then.
    """
    key, source = inner(data, "key"), inner(data, "Info") or data
    told = flag(source.get("IsFromMe"))
    own = (ours if told is None else told) and not member
    names = _AUTHOR if member else _OWN_CHAT if ours else _CHAT
    found = [key.get(name) for name in names] if key else []
    for named, other in _RECIPIENT if own else _SENDER:
        if source.get(other) and normalised(source.get(named)) in (None, jid):
            found.append(source[other])
    return [address for each in found if (address := normalised(each))]
