"""Quotas of 24 hours, counted in slots of a quarter of an hour. They err on the safe side, by one slot at most.

A row says more than was spent, so that few calls need one. It is written again once more than that is spent.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import orjson

from pipeline.messenger.limits.rows import ReadRow, decode_counts, decode_slot

WINDOW: Final = 86_400.0
"""Seconds of a quota."""
SLOT: Final = 900.0
"""Seconds of a slot. What was counted in it leaves the window with its end."""
SLOTS: Final = int(WINDOW / SLOT)
AHEAD_SHARE: Final = 0.001
"""Share of a quota that a row counts as spent before it is."""
MANY_PEOPLE: Final = 10_000
"""People of a quota in memory from which on they are forgotten: each has a row."""


class DailyQuota:
    """Counts what was spent in the last 24 hours.

    Args:
        key: the key of its row.
        limit: the most that any 24 hours may hold.
        read: reads a row.

    Attributes:
        used: what was spent in the last 24 hours, as last looked at.
    """

    __slots__ = ("_counts", "_key", "_promises", "_saved", "_saved_slot", "_spent", "limit", "used")

    def __init__(self, key: str, limit: int, read: ReadRow, now: float) -> None:
        self._key = key
        self.limit = limit
        self._counts: dict[int, int] = {}
        for slot, count in decode_counts(read(key) or b"[]"):
            past = min(slot, slot_of(now))  # the clock may have been set back
            self._counts[past] = self._counts.get(past, 0) + count
        self.used = self._spent = self._saved = sum(self._counts.values())
        self._saved_slot = self._newest
        self._promises: dict[bytes, tuple[int, int]] = {}
        self._forget(now)

    def wait(self, now: float) -> float:
        """Return the seconds until one more may be spent."""
        self._forget(now)
        over, until = self.used - self.limit + 1, now
        for slot, count in self._counts.items():
            if over <= 0:
                break
            until, over = (slot + 1) * SLOT + WINDOW, over - count
        return max(0.0, until - now)

    wait_for_one_more = wait

    def spend(self, now: float) -> int:
        """Spend one, which `wait` has allowed. Return its slot."""
        self.used += 1
        return self._count(now)

    def renew(self, slot: int, now: float) -> int:
        """Move one that was spent in a slot to now. Return its new slot."""
        if slot >= slot_of(now) or not self._counts.get(slot):
            return slot
        self._counts[slot] -= 1
        return self._count(now)

    def _count(self, now: float) -> int:
        slot = max(slot_of(now), self._newest)
        self._counts[slot] = self._counts.get(slot, 0) + 1
        self._spent += 1
        return slot

    def rows(self) -> dict[str, bytes]:
        """Return the row that must be durable before what was spent is used; empty if an earlier one will do.

        One of an earlier slot will not: what it says more would leave the window with that slot.
        """
        if not self._counts or (self._spent <= self._saved and self._newest == self._saved_slot):
            return {}
        *before, (slot, count) = self._counts.items()
        row = orjson.dumps([*before, (slot, count + self._ahead)])
        self._promises[row] = self._spent + self._ahead, slot
        return {self._key: row}

    def saved(self, rows: dict[str, bytes]) -> None:
        """Note that rows are durable, in the order in which they were made."""
        if (promise := self._promises.get(rows.get(self._key, b""))) is None:
            return
        self._saved, self._saved_slot = max((self._saved, self._saved_slot), promise)
        self._promises = {row: other for row, other in self._promises.items() if other > promise}

    @property
    def _newest(self) -> int:
        """The slot in which was spent last; 0 without one."""
        return next(reversed(self._counts), 0)

    @property
    def _ahead(self) -> int:
        return int(self.limit * AHEAD_SHARE)

    def _forget(self, now: float) -> None:
        oldest = slot_of(now) - SLOTS
        while self._counts and (slot := next(iter(self._counts))) < oldest:
            self.used -= self._counts.pop(slot)


class RecipientQuota:
    """Counts people, each once in 24 hours. Every one has a row, so that nobody is counted twice after a restart.

    Args:
        key: the prefix of its rows.
        limit: the most people in any 24 hours.
    """

    __slots__ = ("_key", "_known", "_quota", "_read")

    def __init__(self, key: str, limit: int, read: ReadRow, now: float) -> None:
        self._key = key
        self._read = read
        self._quota = DailyQuota(key, limit, read, now)
        self._known: dict[str, int] = {}

    @property
    def used(self) -> int:
        """The number of people in the last 24 hours, as last looked at."""
        return self._quota.used

    @property
    def limit(self) -> int:
        """The most people in any 24 hours."""
        return self._quota.limit

    def wait(self, now: float, person: str) -> float:
        """Return the seconds until a person may get a template."""
        return 0.0 if self._is_counted(person, now) else self._quota.wait(now)

    def wait_for_one_more(self, now: float) -> float:
        """Return the seconds until another person may get a template."""
        return self._quota.wait(now)

    def spend(self, now: float, person: str) -> None:
        """Count a person, which `wait` has allowed: one who was counted is so for another day from now on."""
        if self._is_counted(person, now):
            self._known[person] = self._quota.renew(self._known[person], now)
        else:
            self._known[person] = self._quota.spend(now)

    def rows(self, person: str) -> dict[str, bytes]:
        """Return the rows that must be durable before a person gets a template."""
        return self._quota.rows() | {self._row_key(person): orjson.dumps(self._known[person])}

    def saved(self, rows: dict[str, bytes]) -> None:
        """Note that rows are durable."""
        self._quota.saved(rows)

    def _is_counted(self, person: str, now: float) -> bool:
        oldest = slot_of(now) - SLOTS
        if len(self._known) >= MANY_PEOPLE:
            self._known = {}
        if (slot := self._known.get(person)) is None and (row := self._read(self._row_key(person))) is not None:
            slot = self._known[person] = min(decode_slot(row), slot_of(now))  # the clock may have been set back
        if slot is not None and slot >= oldest:
            return True
        self._known.pop(person, None)
        return False

    def _row_key(self, person: str) -> str:
        return f"{self._key}:{digest(person)}"


def digest(person: str) -> str:
    """Return a short name of a person for the keys of rows, the same in every process."""
    return blake2b(person.encode(), digest_size=12).hexdigest()


def slot_of(now: float) -> int:
    return int(now // SLOT)
