"""Counts and logs messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline.handlers.defaults.base import DefaultHandler
from pipeline.handlers.defaults.sensitive import is_sensitive, masked
from pipeline.handlers.defaults.strategies import LogLevel, MessageLogStrategy
from pipeline.handlers.statistics import BoundedCounter
from pipeline.handlers.statistics_shapes import MessageStats
from pipeline.topics.events import MessageEvent

_EVERY = 100


class DefaultMessageHandler(DefaultHandler[MessageEvent]):
    """Counts and logs messages.

    Args:
        log_strategy: the messages that are logged, and the detail.
        log_level: the level of their log lines.
        content_preview_length: characters of the text in the log line. By default none: users' texts are private.
        mask_sensitive_data: True to mask what looks like personal data in the preview.
    """

    def __init__(
        self,
        log_strategy: MessageLogStrategy = MessageLogStrategy.SUMMARIZED,
        log_level: LogLevel = LogLevel.INFO,
        content_preview_length: int = 0,
        mask_sensitive_data: bool = True,
    ) -> None:
        super().__init__(log_level)
        self.log_strategy = log_strategy
        self.content_preview_length = content_preview_length
        self.mask_sensitive_data = mask_sensitive_data

    def reset_stats(self) -> None:
        """Set all counts to 0."""
        super().reset_stats()
        self._total = self._sensitive = 0
        self._types, self._users = BoundedCounter[str]("(others)", 100), BoundedCounter[str]("(others)")
        self._tenants, self._inboxes = BoundedCounter[str]("(others)"), BoundedCounter[str]("(others)")
        self._since = datetime.now(UTC)

    def get_stats(self) -> MessageStats:
        """Return the counts; a copy."""
        return {
            "total_messages": self._total,
            "by_type": self._types.counts(),
            "by_user": self._users.counts(),
            "by_tenant": self._tenants.counts(),
            "by_inbox": self._inboxes.counts(),
            "sensitive_content_detected": self._sensitive,
            "handler_failures": self._failures,
            "last_reset": self._since,
        }

    def count(self, event: MessageEvent) -> None:
        """Count an event."""
        self._total += 1
        self._types.add(event.message.type)
        self._users.add(event.user.user_id)
        self._tenants.add(event.tenant_id)
        self._inboxes.add(event.account)
        self._sensitive += is_sensitive(event.get_message_text())

    def entry(self, event: MessageEvent) -> dict[str, Any] | None:
        """Return the fields of this event's log line; None for no line."""
        match self.log_strategy:
            case MessageLogStrategy.NONE:
                return None
            case MessageLogStrategy.STATS_ONLY:
                return None if self._total % _EVERY else {"messages": self._total, "by_type": self._types.counts()}
            case MessageLogStrategy.FILTERED if not is_sensitive(event.get_message_text()):
                return None
            case MessageLogStrategy.ALL:
                return {**self._summary(event), "message_id": event.message.message_id, "at": str(event.timestamp)}
        return self._summary(event)

    def _summary(self, event: MessageEvent) -> dict[str, Any]:
        summary = {"type": event.message.type, "user": event.user.user_id}
        return {**summary, "preview": self._preview(event)} if self.content_preview_length else summary

    def _preview(self, event: MessageEvent) -> str:
        text = event.get_message_text()
        return (masked(text) if self.mask_sensitive_data else text)[: self.content_preview_length]
