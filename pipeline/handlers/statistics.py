"""What one handler object has seen, in bounded memory.

Counts are of this process and since its start (or `reset`); `pipeline_handled_total` on `/metrics` counts over all
workers. Names that come from outside (users, types, error codes) are counted one by one up to a limit, and together
under `OTHERS` beyond it.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Final

from pipeline.handlers.statistics_shapes import (
    AllStats,
    ErrorStats,
    MessageStats,
    RecentError,
    StatusStats,
    SystemStats,
)
from topics.events import ErrorEvent, EventBase, MessageEvent, StatusEvent

OTHERS: Final = "(others)"


class Tally:
    """Counts by name, for at most `limit` names."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._counts: dict[str, int] = {}

    def add(self, name: str) -> None:
        if name not in self._counts and len(self._counts) >= self._limit:
            name = OTHERS
        self._counts[name] = self._counts.get(name, 0) + 1

    def counts(self) -> dict[str, int]:
        return dict(self._counts)


class Statistics:
    """Counts events by kind; each method called `…_stats` gives a copy."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._since = datetime.now(UTC)
        self._totals = Tally()
        self._failures = Tally()
        self._statuses = Tally()
        self._critical = 0
        self._types, self._users, self._tenants = Tally(100), Tally(), Tally()
        self._codes, self._system = Tally(100), Tally(100)
        self._recent: deque[RecentError] = deque(maxlen=10)
        self._last: dict[str, datetime] = {}

    def handled(self, event: EventBase) -> None:
        """Counts an event whose hook returned."""
        group = _group(event)
        self._totals.add(group)
        self._last[group] = datetime.now(UTC)
        if isinstance(event, MessageEvent):
            self._message(event)
        elif isinstance(event, StatusEvent):
            self._statuses.add(event.status.value)
        elif isinstance(event, ErrorEvent):
            self._error(event)
        else:
            self._system.add(event.event_type)

    def failed(self, event: EventBase) -> None:
        """Counts an event whose hook raised; it will be tried again."""
        self._failures.add(_group(event))

    def message_stats(self) -> MessageStats:
        return {
            "total_messages": self._total("messages"),
            "by_type": self._types.counts(),
            "by_user": self._users.counts(),
            "by_tenant": self._tenants.counts(),
            "handler_failures": self._failed("messages"),
            "last_reset": self._since,
        }

    def status_stats(self) -> StatusStats:
        counts = self._statuses.counts()
        return {
            "total_processed": self._total("status"),
            "sent": counts.get("sent", 0),
            "delivered": counts.get("delivered", 0),
            "read": counts.get("read", 0),
            "played": counts.get("played", 0),
            "failed": counts.get("failed", 0),
            "deleted": counts.get("deleted", 0),
            "handler_failures": self._failed("status"),
            "last_processed": self._last.get("status"),
        }

    def error_stats(self) -> ErrorStats:
        return {
            "total_errors": sum(self._codes.counts().values()),
            "critical_errors": self._critical,
            "error_types": self._codes.counts(),
            "recent_errors": list(self._recent),
            "last_error": self._recent[-1] if self._recent else None,
            "handler_failures": self._failed("errors"),
        }

    def system_stats(self) -> SystemStats:
        return {
            "total_events": self._total("system"),
            "by_type": self._system.counts(),
            "handler_failures": self._failed("system"),
            "last_processed": self._last.get("system"),
        }

    def all_stats(self) -> AllStats:
        return {
            "messages": self.message_stats(),
            "status": self.status_stats(),
            "errors": self.error_stats(),
            "system": self.system_stats(),
        }

    def _message(self, event: MessageEvent) -> None:
        self._types.add(event.message.type)
        self._users.add(event.user.user_id)
        self._tenants.add(event.tenant_id)

    def _error(self, event: ErrorEvent) -> None:
        for error in event.errors:
            self._codes.add(str(error.error_code))
            self._critical += error.is_critical
            self._recent.append(
                {
                    "error_code": error.error_code,
                    "error_title": error.error_title,
                    "tenant": event.tenant_id,
                    "timestamp": event.timestamp,
                }
            )

    def _total(self, group: str) -> int:
        return self._totals.counts().get(group, 0)

    def _failed(self, group: str) -> int:
        return self._failures.counts().get(group, 0)


_GROUPS: Final = {"message": "messages", "status": "status", "error": "errors"}


def _group(event: EventBase) -> str:
    return _GROUPS.get(event.kind, "system")
