"""Who is on the other side, in the words of the event models.

A person whose phone number is hidden is known by a linked id alone. It takes the place of the business-scoped user id:
it names the person as long as the number is hidden, and it is what an answer is sent to. Where a webhook tells both,
the user has both: `lid` beside the number.
"""

from __future__ import annotations

from typing import Any

from pipeline.providers.wasender.identity import key_chat, key_member
from pipeline.providers.wasender.jids import GROUP, LID, normalised, phone

_LINKED_IDS = ("participantLid", "senderLid", "participant", "remoteJid")


def is_group(chat: str | None) -> bool:
    return chat is not None and chat.endswith(GROUP)


def sender(key: dict[str, Any]) -> str | None:
    """Who wrote a message: the member of the group, else the chat's other side."""
    chat = key_chat(key)
    return key_member(key) if is_group(chat) else chat


def user(key: dict[str, Any], name: object = None) -> dict[str, str]:
    """The sender as an event's user; empty if the key names nobody."""
    who = sender(key)
    if who is None:
        return {}
    linked = _linked_id(key)
    profile = {"profile_name": name} if type(name) is str and name else {}
    return names(who, "phone_number", "bsuid") | ({"lid": linked} if linked else {}) | profile


def names(who: str, by_phone: str, by_id: str) -> dict[str, str]:
    """The field that names somebody: one for phone numbers, the other for every other address."""
    return {by_phone if phone(who) else by_id: who}


def _linked_id(key: dict[str, Any]) -> str | None:
    named = (normalised(key[name]) for name in _LINKED_IDS if type(key.get(name)) is str)
    return next((found for found in named if found.endswith(LID)), None)
