"""Counts and logs statuses."""

from __future__ import annotations

from typing import Any, Final

from pipeline.handlers.defaults.base import DefaultHandler
from pipeline.handlers.defaults.strategies import LogLevel, StatusLogStrategy
from pipeline.handlers.statistics import BoundedCounter
from pipeline.handlers.statistics_shapes import StatusStats
from pipeline.topics.events import StatusEvent

_SHOWN: Final = {
    StatusLogStrategy.FAILURES_ONLY: {"failed"},
    StatusLogStrategy.IMPORTANT_ONLY: {"delivered", "read", "played", "failed", "deleted"},
}


class DefaultStatusHandler(DefaultHandler[StatusEvent]):
    """Counts and logs statuses of sent messages. A failed one is logged as a warning at least."""

    def __init__(
        self,
        log_strategy: StatusLogStrategy = StatusLogStrategy.IMPORTANT_ONLY,
        log_level: LogLevel = LogLevel.INFO,
    ) -> None:
        super().__init__(log_level)
        self.log_strategy = log_strategy

    def reset_stats(self) -> None:
        """Set all counts to 0."""
        super().reset_stats()
        self._statuses = BoundedCounter[str]("(others)", 100)

    def get_stats(self) -> StatusStats:
        """Return the counts; a copy."""
        counts = self._statuses.counts()
        return {
            "total_processed": sum(counts.values()),
            "sent": counts.get("sent", 0),
            "delivered": counts.get("delivered", 0),
            "read": counts.get("read", 0),
            "played": counts.get("played", 0),
            "failed": counts.get("failed", 0),
            "deleted": counts.get("deleted", 0),
            "handler_failures": self._failures,
            "last_processed": self._last,
        }

    def count(self, event: StatusEvent) -> None:
        """Count an event."""
        self._statuses.add(event.status.value)

    def entry(self, event: StatusEvent) -> dict[str, Any] | None:
        """Return the fields of this event's log line; None for no line."""
        if self.log_strategy is StatusLogStrategy.NONE:
            return None
        status = event.status.value
        if status not in _SHOWN.get(self.log_strategy, {status}):
            return None
        return {"status": status, "message_id": event.message_id, "recipient": event.recipient_id}

    def level(self, event: StatusEvent) -> LogLevel:
        """Return `warning` at least for a failed status, else the handler's level."""
        quiet = self.log_level in (LogLevel.DEBUG, LogLevel.INFO)
        return LogLevel.WARNING if quiet and event.status.value == "failed" else self.log_level
