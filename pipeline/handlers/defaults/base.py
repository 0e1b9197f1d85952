"""The base of the default handlers."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from pipeline.handlers.defaults.strategies import LogLevel
from pipeline.logging import get_logger
from pipeline.topics.events import EventBase

E = TypeVar("E", bound=EventBase)

_LOGGER: Final = get_logger("pipeline.handlers")
_SHOWN: Final = logging.getLogger("pipeline.handlers")
_LEVELS: Final = {level.value: getattr(logging, level.name) for level in LogLevel}


class DefaultHandler(ABC, Generic[E]):
    """Counts and logs events of one kind. Subclasses choose the fields of the log line (`entry`).

    The counts are of this process, since its start or the last `reset_stats`; `pipeline_handled_total` on `/metrics`
    counts
    over all workers.
    """

    def __init__(self, log_level: LogLevel = LogLevel.INFO) -> None:
        self.log_level = log_level
        self.reset_stats()

    @abstractmethod
    def count(self, event: E) -> None:
        """Count an event."""

    @abstractmethod
    def entry(self, event: E) -> dict[str, Any] | None:
        """Return the fields of this event's log line; None for no line."""

    @abstractmethod
    def get_stats(self) -> Mapping[str, Any]:
        """Return the counts; a copy."""

    def level(self, event: E) -> LogLevel:
        """Return the level of this event's log line."""
        return self.log_level

    def reset_stats(self) -> None:
        """Set all counts to 0."""
        self._failures = 0
        self._last: datetime | None = None

    def record_success(self, event: E, seconds: float) -> None:
        """Count and log an event whose hook returned after `seconds`."""
        self._last = datetime.now(UTC)
        self.count(event)
        level = self.level(event).value
        if _SHOWN.isEnabledFor(_LEVELS[level]) and (entry := self.entry(event)) is not None:
            write = getattr(_LOGGER, level)
            write("event_handled", event_type=event.event_type, seconds=round(seconds, 6), **entry)

    def record_failure(self) -> None:
        """Count an event whose hook raised; it will be retried."""
        self._failures += 1
