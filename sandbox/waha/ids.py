"""JIDs and composite message ids: `{fromMe}_{chat}_{id}`."""

from __future__ import annotations

import secrets
from typing import Final

PERSON: Final = "@c.us"


def jid(given: str) -> str:
    """Return a chat as WhatsApp writes it; a bare number is a person's."""
    return given if "@" in given else given.lstrip("+") + PERSON


def contact(chat: str) -> str:
    """Return the recipient as `/_sandbox` shows it: the phone number of a person, the JID of anything else."""
    return chat.removesuffix(PERSON)


def outbound_id(chat: str) -> str:
    return f"true_{chat}_{_bare()}"


def inbound_id(chat: str) -> str:
    return f"false_{chat}_{_bare()}"


def _bare() -> str:
    return "3EB0" + secrets.token_hex(9).upper()
