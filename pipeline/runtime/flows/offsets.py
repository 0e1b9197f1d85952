"""The offset that may be committed: that of the first unfinished record, whichever finish behind it."""

from __future__ import annotations

from collections import deque


class OffsetTracker:
    """The offsets of one partition that were taken, in order, and which of them are unfinished.

    Attributes:
        size: bytes of the unfinished records.
    """

    def __init__(self) -> None:
        self.size = 0
        self._taken: deque[int] = deque()
        self._unfinished: dict[int, int] = {}
        self._parked: set[int] = set()

    @property
    def parked(self) -> int:
        """Number of records that were parked behind an unfinished one."""
        return len(self._parked)

    def park(self, offset: int) -> int | None:
        """Mark `offset` parked. Return as `finish` does."""
        self._parked.add(offset)
        return self.finish(offset)

    def track(self, offset: int, size: int = 0) -> None:
        """Add the offset of a record that was taken."""
        self._taken.append(offset)
        self._unfinished[offset] = size
        self.size += size

    def finish(self, offset: int) -> int | None:
        """Mark `offset` finished. Return the new position to commit, or None if it did not move."""
        self.size -= self._unfinished.pop(offset)
        last = None
        while self._taken and self._taken[0] not in self._unfinished:
            last = self._taken.popleft()
            self._parked.discard(last)
        return None if last is None else last + 1

    @property
    def finished(self) -> int:
        """Number of records that are finished or parked behind an unfinished one."""
        return len(self._taken) - len(self._unfinished)

    @property
    def unfinished(self) -> int:
        """Number of unfinished records."""
        return len(self._unfinished)

    @property
    def taken(self) -> int:
        """Number of taken records that are unfinished, or finished behind an unfinished one. Parked ones are not."""
        return len(self._taken) - len(self._parked)
