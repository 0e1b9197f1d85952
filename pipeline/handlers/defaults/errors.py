"""Counts and logs the platform's errors, and escalates when they accumulate."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.handlers.defaults.base import DefaultHandler
from pipeline.handlers.defaults.strategies import ErrorLogStrategy, LogLevel
from pipeline.handlers.statistics import BoundedCounter
from pipeline.handlers.statistics_shapes import ErrorStats, RecentError
from pipeline.topics.events import ErrorEvent


class DefaultErrorHandler(DefaultHandler[ErrorEvent]):
    """Counts and logs errors. They are escalated to the log level `error` while they are many or critical.

    Args:
        log_strategy: the errors that are logged.
        escalation_threshold: the number of errors within the window from which they are escalated; of critical ones, 2.
        escalation_window_minutes: the length of the window, in minutes.
    """

    def __init__(
        self,
        log_strategy: ErrorLogStrategy = ErrorLogStrategy.ALL,
        escalation_threshold: int = 5,
        escalation_window_minutes: int = 10,
    ) -> None:
        self.log_strategy = log_strategy
        self.escalation_threshold = escalation_threshold
        self.escalation_window_minutes = escalation_window_minutes
        super().__init__(LogLevel.WARNING)

    def reset_stats(self) -> None:
        """Set all counts to 0."""
        super().reset_stats()
        self._total = self._critical = self._escalations = 0
        self._escalated = False
        self._codes = BoundedCounter(0, 100)
        self._recent: deque[RecentError] = deque(maxlen=10)
        self._times: deque[datetime] = deque(maxlen=self.escalation_threshold)
        self._critical_times: deque[datetime] = deque(maxlen=2)

    def get_stats(self) -> ErrorStats:
        """Return the counts; a copy."""
        return {
            "total_errors": self._total,
            "critical_errors": self._critical,
            "escalated_errors": self._escalations,
            "error_types": self._codes.counts(),
            "recent_errors": list(self._recent),
            "last_error": self._last,
            "handler_failures": self._failures,
        }

    def count(self, event: ErrorEvent) -> None:
        """Count an event."""
        now = datetime.now(UTC)
        for error in event.errors:
            self._total += 1
            self._critical += error.is_critical
            self._codes.add(error.error_code)
            self._times.append(now)
            if error.is_critical:
                self._critical_times.append(now)
            self._recent.append(
                {
                    "error_code": error.error_code,
                    "error_title": error.error_title,
                    "critical": error.is_critical,
                    "tenant": event.tenant_id,
                    "timestamp": event.timestamp,
                }
            )
        self._escalated = self._too_many(now)
        self._escalations += self._escalated

    def entry(self, event: ErrorEvent) -> dict[str, Any] | None:
        """Return the fields of this event's log line; None for no line."""
        errors = event.errors
        match self.log_strategy:
            case ErrorLogStrategy.SUMMARY_ONLY:
                errors = errors[:1]
            case ErrorLogStrategy.CRITICAL_ONLY:
                errors = [error for error in errors if error.is_critical]
            case ErrorLogStrategy.ERRORS_ONLY:
                errors = [error for error in errors if not error.is_retryable]
        shown = [f"{error.error_code} {error.error_title}" for error in errors]
        return {"count": len(event.errors), "errors": shown, "escalated": self._escalated} if shown else None

    def level(self, event: ErrorEvent) -> LogLevel:
        """Return `error` while errors are escalated, else the handler's level."""
        return LogLevel.ERROR if self._escalated else self.log_level

    def _too_many(self, now: datetime) -> bool:
        return any(
            len(times) == times.maxlen and now - times[0] <= timedelta(minutes=self.escalation_window_minutes)
            for times in (self._times, self._critical_times)
        )
