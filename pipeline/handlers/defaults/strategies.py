"""What is logged of events. Whatever the strategy says, every event is counted."""

from __future__ import annotations

from enum import Enum


class LogLevel(Enum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class MessageLogStrategy(Enum):
    """`FILTERED`: messages that seem to hold personal data. `STATS_ONLY`: the totals, every hundred messages."""

    ALL = "all"
    SUMMARIZED = "summarized"
    FILTERED = "filtered"
    STATS_ONLY = "stats_only"
    NONE = "none"


class StatusLogStrategy(Enum):
    """`IMPORTANT_ONLY`: all but sent and pending."""

    ALL = "all"
    FAILURES_ONLY = "failures_only"
    IMPORTANT_ONLY = "important_only"
    NONE = "none"


class ErrorLogStrategy(Enum):
    """`ERRORS_ONLY`: without what goes away by itself. `SUMMARY_ONLY`: how many, and the first."""

    ALL = "all"
    ERRORS_ONLY = "errors_only"
    CRITICAL_ONLY = "critical_only"
    SUMMARY_ONLY = "summary_only"
