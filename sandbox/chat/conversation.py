"""One conversation of a user with a business: what happened in it, as events for the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from pipeline.sandbox.chat.bubbles import bubble, users_bubble
from pipeline.sandbox.ledger import Ledger, ReadMark, ReceivedMessage, SentMessage, StatusChange
from pipeline.sandbox.types import JsonObject

SHOWN: Final = 200
"""Messages of the past that a page begins with."""


class Conversation:
    """The events of one conversation: `message`, `status`, `read`, `reaction`, `edit`, `revoke` and `pin`.

    It remembers its messages' ids, by which marks and statuses are found.
    """

    def __init__(self, provider: str, account: str, contact: str) -> None:
        self._provider = provider
        self._account = account
        self._contact = contact
        self._ids: set[str] = set()

    def past(self, ledger: Ledger) -> Iterator[JsonObject]:
        """Yield the events of the last messages, oldest first, and how each of these messages stands now."""
        sent = ledger.sent.select(self._account, self._contact, None)[-SHOWN:]
        received = ledger.received.select(self._account, self._contact, None)[-SHOWN:]
        for row in sorted((*sent, *received), key=lambda row: row.at)[-SHOWN:]:
            if (event := self.event(row)) is not None:
                yield event
        for mark in (*ledger.statuses, *ledger.reads.last(SHOWN)):
            if (event := self.event(mark)) is not None:
                yield event | ({"typing": False} if isinstance(mark, ReadMark) else {})

    def event(self, row: object) -> JsonObject | None:
        """Return the event of an entry of the ledger; None if it belongs to another conversation."""
        if isinstance(row, StatusChange):
            return self._status(row)
        if not isinstance(row, SentMessage | ReceivedMessage | ReadMark) or not self._is_accounts(row):
            return None
        if isinstance(row, ReadMark):
            return self._mark(row)
        return self._users(row) if isinstance(row, ReceivedMessage) else self._bots(row)

    def _is_accounts(self, row: SentMessage | ReceivedMessage | ReadMark) -> bool:
        return (row.provider, row.account) == (self._provider, self._account)

    def _status(self, row: StatusChange) -> JsonObject | None:
        if row.message_id not in self._ids:
            return None
        return {"kind": "status", "id": row.message_id, "status": row.status, "code": row.code}

    def _mark(self, row: ReadMark) -> JsonObject | None:
        if row.message_id and row.message_id not in self._ids:
            return None
        return {"kind": "read", "id": row.message_id, "typing": row.typing}

    def _users(self, row: ReceivedMessage) -> JsonObject | None:
        if row.sender != self._contact:
            return None
        content = orjson.loads(row.content)
        if row.type == "reaction":
            return _reaction("user", content)
        self._ids.add(row.message_id)
        return _message("user", row.message_id, row.at, users_bubble(row.type, content))

    def _bots(self, row: SentMessage) -> JsonObject | None:
        content = orjson.loads(row.body)
        target = content.get("messageId") or content.get("message_id") or content.get("msgId") if _is(content) else None
        if row.to != self._contact and target not in self._ids:
            return None
        if row.type == "reaction":
            return _reaction("bot", content)
        if row.type in ("edit", "revoke", "pin"):
            return {"kind": row.type, "id": str(target), "text": content.get("text")}
        self._ids.add(row.message_id)
        return _message("bot", row.message_id, row.at, bubble(row.provider, row.account, row.type, content))


def _is(content: Any) -> bool:
    return isinstance(content, dict)


def _message(side: str, message_id: str, at: float, shown: JsonObject) -> JsonObject:
    return {"kind": "message", "side": side, "id": message_id, "at": at, "bubble": shown}


def _reaction(side: str, content: JsonObject) -> JsonObject:
    """Return a reaction: `message_id` and `emoji` at the Cloud API, `messageId` and `reaction` at the gateways."""
    emoji = content.get("emoji") or content.get("reaction") or ""
    return {
        "kind": "reaction",
        "side": side,
        "id": content.get("message_id") or content.get("messageId"),
        "emoji": emoji,
    }
