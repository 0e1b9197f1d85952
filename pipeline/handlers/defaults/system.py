"""Counts and logs account events, and events without a model."""

from __future__ import annotations

from typing import Any

from pipeline.handlers.defaults.base import DefaultHandler
from pipeline.handlers.statistics import BoundedCounter
from pipeline.handlers.statistics_shapes import SystemStats
from pipeline.topics.events import EventBase


class DefaultSystemHandler(DefaultHandler[EventBase]):
    """Counts and logs events that are neither messages nor statuses nor errors."""

    def reset_stats(self) -> None:
        """Set all counts to 0."""
        super().reset_stats()
        self._types = BoundedCounter[str]("(others)", 100)

    def get_stats(self) -> SystemStats:
        """Return the counts; a copy."""
        counts = self._types.counts()
        return {
            "total_events": sum(counts.values()),
            "by_type": counts,
            "handler_failures": self._failures,
            "last_processed": self._last,
        }

    def count(self, event: EventBase) -> None:
        """Count an event."""
        self._types.add(event.event_type)

    def entry(self, event: EventBase) -> dict[str, Any] | None:
        """Return the fields of this event's log line."""
        return {"account": event.account}
