"""Flows, detected events, and who holds a conversation."""

from __future__ import annotations

from typing import Any

from pipeline.topics.events.details.base import AccountEventDetail, Seconds, Text


class FlowUpdate(AccountEventDetail):
    """A flow's status or the health of its endpoint. `event`: FLOW_STATUS_CHANGE, ENDPOINT_ERROR_RATE, …"""

    event: str | None = None
    message: str | None = None
    flow_id: Text | None = None
    old_status: str | None = None
    new_status: str | None = None
    alert_state: str | None = None


class AutomaticEvent(AccountEventDetail):
    """A lead or a purchase that the platform saw in an ad's thread."""

    id: str | None = None
    event_name: str | None = None
    timestamp: Seconds | None = None
    ctwa_clid: str | None = None
    custom_data: dict[str, Any] | None = None


class Handover(AccountEventDetail):
    """The present owner of a conversation. The exact shape is not documented."""

    timestamp: Seconds | None = None
