"""The types of a handler's statistics. Times are aware UTC datetimes, None before the first event."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict


class MessageStats(TypedDict):
    """The counts of messages, the first thousand names of each kind.

    `by_user` is by user id, `by_tenant` by the id in the tenants file, `by_inbox` by account.
    `sensitive_content_detected` counts messages with an apparent phone or card number or e-mail address.
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
    """The counts of statuses. `failed` counts failed messages, `handler_failures` events whose hook raised."""

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
    """One error of `ErrorStats.recent_errors`."""

    error_code: int
    error_title: str
    critical: bool
    tenant: str
    timestamp: datetime


class ErrorStats(TypedDict):
    """The counts of platform errors.

    `error_types` is by code, for the first hundred codes; further codes are counted together as 0. `recent_errors` has
    the
    last ten, newest last. `escalated_errors` counts events that came while errors were escalated
    (`DefaultErrorHandler`).
    """

    total_errors: int
    critical_errors: int
    escalated_errors: int
    error_types: dict[int, int]
    recent_errors: list[RecentError]
    last_error: datetime | None
    handler_failures: int


class SystemStats(TypedDict):
    """The counts of account events and unknown events, by `event_type`."""

    total_events: int
    by_type: dict[str, int]
    handler_failures: int
    last_processed: datetime | None


class AllStats(TypedDict):
    """The counts of all kinds of events."""

    messages: MessageStats
    status: StatusStats
    errors: ErrorStats
    system: SystemStats
