"""Journals: accepted messages, broken limits, messages marked as read, and uploaded files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

Entry = dict[str, Any]


class SentMessage(NamedTuple):
    """A message that was accepted. `body` is JSON; `at` is in seconds since the epoch."""

    provider: str
    account: str
    to: str
    type: str
    body: str
    message_id: str
    command_id: str | None
    at: float

    def entry(self) -> Entry:
        return self._asdict() | {"body": orjson.Fragment(self.body)}


class Violation(NamedTuple):
    """A message that exceeded a limit.

    Attributes:
        limit: the limit as the provider names it, e.g. `plan: trial`.
        code: the provider's error code.
        kind: the limit's setting, e.g. `messages_per_minute`.
    """

    provider: str
    account: str
    to: str
    limit: str
    code: int
    command_id: str | None
    at: float
    kind: str

    def entry(self) -> Entry:
        return self._asdict()


class ReadMark(NamedTuple):
    """A user's message that was marked as read. `typing`: a typing indicator was shown."""

    provider: str
    account: str
    message_id: str
    typing: bool
    at: float

    def entry(self) -> Entry:
        return self._asdict()


class StoredFile(NamedTuple):
    """A file that was uploaded. `size` is in bytes, `sha256` hexadecimal."""

    provider: str
    account: str
    media_id: str
    mime_type: str
    filename: str
    size: int
    sha256: str
    at: float

    def entry(self) -> Entry:
        return self._asdict()


Row = SentMessage | Violation | ReadMark | StoredFile


class Journal:
    """The last `cap` rows of one kind, oldest first, and the total number."""

    def __init__(self, cap: int) -> None:
        self._rows: deque[Row] = deque(maxlen=cap)
        self.total = 0

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def add(self, row: Row) -> None:
        self._rows.append(row)
        self.total += 1

    def clear(self) -> None:
        self._rows.clear()
        self.total = 0

    def counts(self) -> Entry:
        return {"total": self.total, "forgotten": self.total - len(self._rows)}

    def last(self, count: int) -> list[Row]:
        """Return at most `count` rows, newest first."""
        newest = reversed(self._rows)
        return [row for row, _ in zip(newest, range(count), strict=False)]

    def select(self, account: str | None, to: str | None, since: float | None) -> list[Row]:
        """Return the rows of an account, to a recipient, later than a time; None for any."""
        return [
            row
            for row in self._rows
            if (account is None or row.account == account)
            and (to is None or getattr(row, "to", None) == to)
            and (since is None or row.at > since)
        ]


JOURNALS: Final = ("sent", "violations", "reads", "media")


class Ledger:
    """The four journals."""

    def __init__(self, cap: int) -> None:
        self.sent = Journal(cap)
        self.violations = Journal(cap)
        self.reads = Journal(cap)
        self.media = Journal(cap)

    def counts(self) -> Entry:
        return {name: self.journal(name).counts() for name in JOURNALS}

    def journal(self, name: str) -> Journal:
        return {"sent": self.sent, "violations": self.violations, "reads": self.reads, "media": self.media}[name]
