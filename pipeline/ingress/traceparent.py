"""The `traceparent` of a webhook, as W3C Trace Context defines it."""

from __future__ import annotations

import os
import re
from typing import Final

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def traceparent(given: str | None) -> bytes:
    """Return the caller's trace if it is valid, else a new, sampled one."""
    if given is not None and _TRACEPARENT.fullmatch(given):
        return given.encode()
    made = os.urandom(24).hex()
    return f"00-{made[:32]}-{made[32:]}-01".encode()
