"""WhatsApp's addresses (JIDs), with one spelling per chat.

15550001111@s.whatsapp.net   a person by phone number; other libraries write @c.us
777000111@lid                a person by linked id, which hides the number
120363000000000001@g.us      a group
120363111111111111@newsletter, status@broadcast
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.topics.numbers import phone_digits

PERSON: Final = "@s.whatsapp.net"
LID: Final = "@lid"
GROUP: Final = "@g.us"

_OLD_PERSON: Final = "@c.us"
_DEVICE: Final = re.compile(r"(?<=[0-9])(?:_\d+)?(?::\d+)?(?=@)", re.ASCII)
"""`15550001111:12@s.whatsapp.net` is the twelfth device of a person."""


def normalize_jid(jid: str) -> str:
    """Return the address without its device, and with the canonical server for persons."""
    bare = _DEVICE.sub("", jid, count=1)
    return bare.removesuffix(_OLD_PERSON) + PERSON if bare.endswith(_OLD_PERSON) else bare


def phone_number(address: object) -> str | None:
    """Return the digits of a person's address or of a plain phone number; None for anything else."""
    if type(address) is not str:
        return None
    return phone_digits(normalize_jid(address).removesuffix(PERSON))


def contact_key(address: object) -> str | None:
    """Return a chat's part of the key: a phone number's digits, else the normalized address; None without any."""
    if type(address) is not str or not address:
        return None
    return phone_number(address) or normalize_jid(address)
