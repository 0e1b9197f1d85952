"""WhatsApp's addresses (JIDs): one spelling for one chat.

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


def normalised(jid: str) -> str:
    """The address without its device, and with the one spelling of a person's server."""
    bare = _DEVICE.sub("", jid, count=1)
    return bare.removesuffix(_OLD_PERSON) + PERSON if bare.endswith(_OLD_PERSON) else bare


def phone(address: object) -> str | None:
    """The digits of a person's address or of a plain phone number; None for anything else."""
    if type(address) is not str:
        return None
    return phone_digits(normalised(address).removesuffix(PERSON))


def contact(address: object) -> str | None:
    """The name of a chat in a key: a phone number's digits, else the normalised address; None where there is none."""
    if type(address) is not str or not address:
        return None
    return phone(address) or normalised(address)
