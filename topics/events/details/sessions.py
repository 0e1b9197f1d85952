"""The gateways' sessions: a phone that has to stay connected."""

from __future__ import annotations

from pydantic import Field

from pipeline.topics.events.details.base import AccountEventDetail

CONNECTED = frozenset({"CONNECTED", "WORKING"})


class SessionStatus(AccountEventDetail):
    """`status` in upper case, in the provider's words: CONNECTED, NEED_SCAN, LOGGED_OUT; WORKING, SCAN_QR_CODE, …"""

    status: str | None = None
    reason: str | None = None

    @property
    def is_connected(self) -> bool:
        """True if the session can send."""
        return (self.status or "").upper() in CONNECTED


class SessionQr(AccountEventDetail):
    """The code that links a device. `qr` is a fingerprint of it: whoever reads the code itself could link a device."""

    qr: str | None = Field(None, repr=False)
