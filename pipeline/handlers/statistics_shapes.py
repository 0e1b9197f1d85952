"""The shapes of a handler's statistics. Times are aware UTC datetimes, None before the first event."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict


class MessageStats(TypedDict):
    """`by_user` is by user id, `by_tenant` by the tenants file's id, `by_inbox` by account; the first thousand of each.

    `sensitive_content_detected` counts messages with what looks like a phone or card number or an e-mail address.
    """

    total_messages: int
    by_type: dict[str, int]
    by_user: dict[str, int]
    by_tenant: dict[str, int]
    by_inbox: dict[str, int]
    sensitive_content_detected: int
    handler_failures: int
    last_reset: datetime


class StatusStats(TypedDict):
    """`failed` counts messages that failed; `handler_failures` events whose handling did."""

    total_processed: int
    sent: int
    delivered: int
    read: int
    played: int
    failed: int
    deleted: int
    handler_failures: int
    last_processed: datetime | None


class RecentError(TypedDict):
    error_code: int
    error_title: str
    critical: bool
    tenant: str
    timestamp: datetime


class ErrorStats(TypedDict):
    """`error_types` is by code, from the hundred and first on together as 0; `recent_errors` the last ten, newest last.

    `escalated_errors` counts events that came while errors were many or grave (`DefaultErrorHandler`).
    """

    total_errors: int
    critical_errors: int
    escalated_errors: int
    error_types: dict[int, int]
    recent_errors: list[RecentError]
    last_error: datetime | None
    handler_failures: int


class SystemStats(TypedDict):
    """Account events and events of unknown type, by `event_type`."""

    total_events: int
    by_type: dict[str, int]
    handler_failures: int
    last_processed: datetime | None


class AllStats(TypedDict):
    messages: MessageStats
    status: StatusStats
    errors: ErrorStats
    system: SystemStats
