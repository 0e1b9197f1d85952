"""Consumer lag in records and seconds, split into what can be worked on now and what something holds. No I/O, no clock.

A record is *held* while more workers would not help it: its account is over its limit, its retry is not due, an earlier
record of its key is held, or the flow accepts no records. All other records that are behind are *sendable*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class PartitionWork(NamedTuple):
    """The records of one partition that a flow has taken or parked, by their state. Timestamps are in ms, as Kafka's.

    Attributes:
        runnable: taken and unfinished records that nothing holds.
        held: taken and unfinished records that something holds. Their offsets are not committed.
        finished: finished records behind an unfinished one. Their offsets are not committed either.
        parked: held records whose offsets are committed, because they wait in a queue of their own.
        oldest_runnable: timestamp of the oldest record that is runnable or can be taken; None: there is none.
        oldest_held: timestamp of the oldest held or parked record; None: there is none.
        blocked: True if no record can be taken until held ones are finished. The rest of the log is held then, too.
        loaded: parked records that are in memory again and that nothing holds. `parked` leaves them out.
    """

    runnable: int = 0
    held: int = 0
    finished: int = 0
    parked: int = 0
    oldest_runnable: int | None = None
    oldest_held: int | None = None
    blocked: bool = False
    loaded: int = 0

    def hold(self) -> PartitionWork:
        """Return the same work with everything held."""
        oldest = earliest(self.oldest_held, self.oldest_runnable)
        return self._replace(
            runnable=0,
            held=self.held + self.runnable,
            parked=self.parked + self.loaded,
            loaded=0,
            oldest_runnable=None,
            oldest_held=oldest,
            blocked=True,
        )


class LogPosition(NamedTuple):
    """The position of a group in the log of one partition.

    Attributes:
        committed: the group's committed offset; None if it has none.
        start: the offset of the first record in the log.
        end: the offset after the last record in the log.
        first: the offset of the first unprocessed record, if it was looked up; `end` if there is none.
    """

    committed: int | None
    start: int
    end: int
    first: int = 0

    @property
    def next(self) -> int:
        """The offset at which the group goes on.

        A group without a position reads from the log's start. So does one whose position the log does not contain: its
        records were removed, or the topic was recreated.
        """
        outside = self.committed is None or not self.start <= self.committed <= self.end
        return self.start if outside or self.committed is None else self.committed

    @property
    def records(self) -> int:
        """The largest possible number of unprocessed records: markers and compacted records between them count."""
        return max(0, self.end - max(self.next, self.first))

    @property
    def trimmed(self) -> int:
        """The largest possible number of records that were removed before they were processed."""
        return max(0, self.start - (self.start if self.committed is None else self.committed))

    @property
    def is_beyond_end(self) -> bool:
        """True if the log ends before the committed offset: the topic was recreated or truncated."""
        return self.committed is not None and self.committed > self.end


class PartitionLag(NamedTuple):
    """The lag of one partition, or the sum of several: `records` is the sum of `sendable`, `held` and `unknown`.

    Attributes:
        records: unprocessed records, parked ones included.
        seconds: age of the oldest of them; None: unknown. 0 if there is none, here and below.
        sendable: those that can be worked on now.
        sendable_seconds: age of the oldest sendable record; None: unknown.
        held: those that something holds.
        held_seconds: age of the oldest held record; None: unknown.
        unknown: those of which no worker said what they are.
        trimmed: records that were removed before they were processed. They are no lag.
    """

    records: int = 0
    seconds: float | None = 0.0
    sendable: int = 0
    sendable_seconds: float | None = 0.0
    held: int = 0
    held_seconds: float | None = 0.0
    unknown: int = 0
    trimmed: int = 0


def measure(log: LogPosition, work: PartitionWork | None, oldest: int | None, now: int) -> PartitionLag:
    """Return the lag of one partition.

    Args:
        log: the group's position in the log.
        work: the records that the partition's worker has; None: no worker said.
        oldest: timestamp of the first unprocessed record in the log, in ms; None: unknown.
        now: time in ms since the epoch.
    """
    if work is None:
        age = _age(log.records, oldest, now)
        return PartitionLag(log.records, age, unknown=log.records, trimmed=log.trimmed)
    behind = max(0, log.records - work.finished)
    sendable_in_log = min(work.runnable, behind) if work.blocked else behind - min(work.held, behind)
    held_in_log = behind - sendable_in_log
    sendable, held = sendable_in_log + work.loaded, held_in_log + work.parked
    # Where all records of the log are of one kind, the first one is the oldest of that kind.
    sendable_at = oldest if work.oldest_runnable is None and not held_in_log else work.oldest_runnable
    held_at = oldest if work.oldest_held is None and not sendable else work.oldest_held
    known = (oldest if behind else None, sendable_at if sendable else None, held_at if held else None)
    return PartitionLag(
        records=sendable + held,
        seconds=_age(sendable + held, earliest(*known), now),
        sendable=sendable,
        sendable_seconds=_age(sendable, sendable_at, now),
        held=held,
        held_seconds=_age(held, held_at, now),
        trimmed=log.trimmed,
    )


def total(lags: Iterable[PartitionLag]) -> PartitionLag:
    """Return the sums of the records and the greatest of the known ages."""
    found = list(lags)
    return PartitionLag(
        records=sum(lag.records for lag in found),
        seconds=_greatest([lag.seconds for lag in found]),
        sendable=sum(lag.sendable for lag in found),
        sendable_seconds=_greatest([lag.sendable_seconds for lag in found]),
        held=sum(lag.held for lag in found),
        held_seconds=_greatest([lag.held_seconds for lag in found]),
        unknown=sum(lag.unknown for lag in found),
        trimmed=sum(lag.trimmed for lag in found),
    )


def earliest(*timestamps: int | None) -> int | None:
    """Return the earliest of the known timestamps; None if none is known. A negative one means none, as in Kafka."""
    return min((at for at in timestamps if at is not None and at >= 0), default=None)


def _age(records: int, timestamp: int | None, now: int) -> float | None:
    """Return the age of the oldest of `records` in seconds; 0 without records, or if clocks disagree."""
    if not records:
        return 0.0
    known = earliest(timestamp)
    return None if known is None else max(0.0, (now - known) / 1000)


def _greatest(ages: Sequence[float | None]) -> float | None:
    """Return the greatest known age. An age of 0 says nothing while another one is unknown: then the result is None."""
    greatest = max((age or 0.0 for age in ages), default=0.0)
    return None if not greatest and None in ages else greatest
