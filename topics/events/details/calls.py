"""Calls."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.topics.events.details.base import AccountEventDetail, Number, Seconds


class Call(AccountEventDetail):
    """A call at one moment of it.

    Attributes:
        event: `connect`, `terminate`; gateways: `offer`, `accepted`, `rejected`, `received`, …
        direction: USER_INITIATED or BUSINESS_INITIATED.
        status: how it ended: COMPLETED, FAILED.
        duration: seconds.
        session: the WebRTC offer.
    """

    id: str | None = None
    event: str | None = None
    direction: str | None = None
    timestamp: Seconds | None = None
    from_: str | None = Field(None, alias="from")
    from_bsuid: str | None = Field(None, alias="from_user_id")
    to: str | None = None
    to_bsuid: str | None = Field(None, alias="to_user_id")
    status: str | None = None
    start_time: Seconds | None = None
    end_time: Seconds | None = None
    duration: Number | None = None
    session: dict[str, Any] | None = Field(None, repr=False)
    biz_opaque_callback_data: str | None = None
    group_id: str | None = None
    video: bool | None = None


class CallStatus(AccountEventDetail):
    """The status of a call to a user: RINGING, ACCEPTED, REJECTED."""

    id: str | None = None
    status: str | None = None
    timestamp: Seconds | None = None
    recipient_id: str | None = None
    recipient_bsuid: str | None = Field(None, alias="recipient_user_id")
    biz_opaque_callback_data: str | None = None
