"""Message ids in Meta's form: `wamid.` and the base64 of the contact's number and a random part."""

from __future__ import annotations

import base64
import secrets
from typing import Final

_INBOUND: Final = b"\x15\x02\x00\x12\x18\x14"
_OUTBOUND: Final = b"\x15\x02\x00\x11\x18\x12"


def outbound_id(contact: str) -> str:
    """Return the id of a message to `contact`."""
    return _wamid(contact, _OUTBOUND, secrets.token_hex(9))


def inbound_id(contact: str) -> str:
    """Return the id of a message from `contact`."""
    return _wamid(contact, _INBOUND, secrets.token_hex(10))


def _wamid(contact: str, marker: bytes, unique: str) -> str:
    name = contact.encode()[:255]
    packed = b"\x1c\x18%c%b%b%b\x00" % (len(name), name, marker, unique.upper().encode())
    return "wamid." + base64.b64encode(packed).decode()
