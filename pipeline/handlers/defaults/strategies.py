"""Log strategies: which events are logged. Every event is counted, whatever the strategy."""

from __future__ import annotations

from enum import Enum


class LogLevel(Enum):
    """The level of log lines."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class MessageLogStrategy(Enum):
    """The messages that are logged.

    `FILTERED`: with apparent personal data. `STATS_ONLY`: totals every hundred messages.
    """

    ALL = "all"
    SUMMARIZED = "summarized"
    FILTERED = "filtered"
    STATS_ONLY = "stats_only"
    NONE = "none"


class StatusLogStrategy(Enum):
    """The statuses that are logged. `IMPORTANT_ONLY`: all but sent and pending."""

    ALL = "all"
    FAILURES_ONLY = "failures_only"
    IMPORTANT_ONLY = "important_only"
    NONE = "none"


class ErrorLogStrategy(Enum):
    """The errors that are logged.

    `ERRORS_ONLY`: those that don't pass by themselves. `SUMMARY_ONLY`: their number, and the first.
    """

    ALL = "all"
    ERRORS_ONLY = "errors_only"
    CRITICAL_ONLY = "critical_only"
    SUMMARY_ONLY = "summary_only"
