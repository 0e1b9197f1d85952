"""The gateways' sessions: a phone that has to stay connected."""

from __future__ import annotations

from pydantic import Field

from pipeline.topics.events.details.base import Detail

CONNECTED = frozenset({"CONNECTED", "WORKING"})


class SessionStatus(Detail):
    """`status` in upper case, in the provider's words: CONNECTED, NEED_SCAN, LOGGED_OUT; WORKING, SCAN_QR_CODE, …"""

    status: str | None = None
    reason: str | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the session can send."""
        return (self.status or "").upper() in CONNECTED


class SessionQr(Detail):
    """Who reads `qr` can link a device: a provider puts a fingerprint of it here, never the code."""

    qr: str | None = Field(None, repr=False)
