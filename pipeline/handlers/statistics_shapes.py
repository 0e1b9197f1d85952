"""The shapes of a handler's statistics. Times are aware UTC datetimes, None before the first event."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict


class MessageStats(TypedDict):
    """`by_user` is by user id, `by_tenant` by the tenants file's id; the first thousand of each."""

    total_messages: int
    by_type: dict[str, int]
    by_user: dict[str, int]
    by_tenant: dict[str, int]
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
    tenant: str
    timestamp: datetime


class ErrorStats(TypedDict):
    """`error_types` is by code; `recent_errors` holds the last ten, newest last."""

    total_errors: int
    critical_errors: int
    error_types: dict[str, int]
    recent_errors: list[RecentError]
    last_error: RecentError | None
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
