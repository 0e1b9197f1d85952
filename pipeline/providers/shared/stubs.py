"""Name the protocol's stub types, which stand in place of a message's content.

A message that can't be decrypted yet has one, and so have messages of the platform: a missed call, a new group.
Source: WhatsApp Web's protocol, `WebMessageInfo.StubType`.
"""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = {2: "ciphertext", 39: "e2e_encrypted", 40: "call_missed_voice", 41: "call_missed_video"}
_NONE: Final = ("", "0", "UNKNOWN")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)


def stub_name(stub: object) -> str | None:
    """Return the name of a stub type, given by number or by name; None without one."""
    text = str(stub) if type(stub) in (int, str) else ""
    if text in _NONE or not text.isascii():
        return None
    if text.isdecimal() and len(text) <= 4:
        return _NAMES.get(int(text), f"stub_{text}")
    return text.lower() if _NAME.fullmatch(text) else None
