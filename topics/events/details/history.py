"""Messages from before the number was connected."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipeline.topics.events.details.base import AccountEventDetail


class HistoryThread(AccountEventDetail):
    """One conversation; its messages are in the Cloud API's shape with a `history_context` (their status)."""

    id: str | None = None
    context: dict[str, Any] | None = Field(None, repr=False)
    messages: list[dict[str, Any]] = Field(default_factory=list, repr=False)


class History(AccountEventDetail):
    """One chunk. `metadata` holds `phase` (0 to 2), `chunk_order` and `progress` (percent)."""

    metadata: dict[str, Any] | None = None
    threads: list[HistoryThread] = Field(default_factory=list)
    errors: list[dict[str, Any]] | None = None
