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
    told = str(stub) if type(stub) in (int, str) else ""
    if told in _NONE or not told.isascii():
        return None
    if told.isdecimal() and len(told) <= 4:
        return _NAMES.get(int(told), f"stub_{told}")
    return told.lower() if _NAME.fullmatch(told) else None
