"""Counting and logging account events, and what has no model."""

from __future__ import annotations

from typing import Any

from pipeline.handlers.defaults.base import DefaultHandler
from pipeline.handlers.statistics import BoundedCounter
from pipeline.handlers.statistics_shapes import SystemStats
from pipeline.topics.events import EventBase


class DefaultSystemHandler(DefaultHandler[EventBase]):
    """Counts and logs events that are neither messages nor statuses nor errors."""

    def reset_stats(self) -> None:
        super().reset_stats()
        self._types = BoundedCounter[str]("(others)", 100)

    def get_stats(self) -> SystemStats:
        counts = self._types.counts()
        return {
            "total_events": sum(counts.values()),
            "by_type": counts,
            "handler_failures": self._failures,
            "last_processed": self._last,
        }

    def count(self, event: EventBase) -> None:
        self._types.add(event.event_type)

    def entry(self, event: EventBase) -> dict[str, Any] | None:
        return {"account": event.account}
