"""Journals: messages of users, accepted messages, broken limits, messages marked as read, and uploaded files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
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


class ReceivedMessage(NamedTuple):
    """A user's message that was posted to the ingress. `content` is JSON, in the Cloud API's form."""

    provider: str
    account: str
    sender: str
    type: str
    content: str
    message_id: str
    at: float

    def entry(self) -> Entry:
        entry = self._asdict() | {"content": orjson.Fragment(self.content)}
        return {"from" if name == "sender" else name: value for name, value in entry.items()}


class StatusChange(NamedTuple):
    """A status of a message that the ingress took, or `taken` or `refused` for a user's message itself."""

    message_id: str
    status: str
    code: int | None = None


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


Row = SentMessage | ReceivedMessage | Violation | ReadMark | StoredFile
Listener = Callable[[object], None]


class Journal:
    """The last `cap` rows of one kind, oldest first, and the total number."""

    def __init__(self, cap: int, listen: Listener | None = None) -> None:
        self._rows: deque[Row] = deque(maxlen=cap)
        self._listen = listen
        self.total = 0

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def add(self, row: Row) -> None:
        self._rows.append(row)
        self.total += 1
        if self._listen:
            self._listen(row)

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
        """Return the rows of an account, to a recipient or from a sender, later than a time; None for any."""
        return [
            row
            for row in self._rows
            if (account is None or row.account == account)
            and (to is None or getattr(row, "to", getattr(row, "sender", None)) == to)
            and (since is None or row.at > since)
        ]


JOURNALS: Final = ("sent", "received", "violations", "reads", "media")
STATUSES_KEPT: Final = 10_000
"""Messages whose last status is known."""


class Ledger:
    """The journals, and the last status of each message.

    Attributes:
        listener: is told of messages, read marks and statuses as they come; None for nobody.
    """

    def __init__(self, cap: int) -> None:
        self.listener: Listener | None = None
        self.sent = Journal(cap, self._listen)
        self.received = Journal(cap, self._listen)
        self.violations = Journal(cap)
        self.reads = Journal(cap, self._listen)
        self.media = Journal(cap)
        self._statuses: dict[str, StatusChange] = {}

    @property
    def statuses(self) -> Iterator[StatusChange]:
        return iter(self._statuses.values())

    def change_status(self, change: StatusChange) -> None:
        self._statuses[change.message_id] = change
        if len(self._statuses) > STATUSES_KEPT:
            del self._statuses[next(iter(self._statuses))]
        self._listen(change)

    def counts(self) -> Entry:
        return {name: self.journal(name).counts() for name in JOURNALS}

    def journal(self, name: str) -> Journal:
        found: Journal = getattr(self, name)
        return found

    def _listen(self, row: object) -> None:
        if self.listener:
            self.listener(row)
