"""The gate that holds records back while it is found out which of them ends its process.

It stands between an app's fetch buffers and its loops, so one mechanism serves every kind of loop; `suspects` has the
rules. Before the first records of a partition run, and before each window of suspects does, the state is committed
beside the offset. In steady work no record is held back and nothing is written: a position that moves clears it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any, Final, Protocol

from faust.types import TP

from pipeline.errors import WorkerDied
from pipeline.runtime.quarantine.crash_marker import CrashHint
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.ledger import SuspectLedger
from pipeline.runtime.quarantine.parked_gate import Alone, ParkedGate
from pipeline.runtime.quarantine.partition_quarantine import PartitionQuarantine

RETRY_SECONDS: Final = 1.0
"""Seconds until a record that could not run alone is tried again, at least. Also the longest wait between commits."""
FIRST_RETRY_SECONDS: Final = 0.05
"""Seconds until a commit is tried again that moving partitions refused. Records wait for it. Each wait is doubled."""
TIMER_SECONDS: Final = 0.01
"""Seconds by which a timer of the event loop may be early. A check that comes too soon would not be repeated."""


class GatedBuffer(Protocol):
    """The part of a fetch buffer that a quarantine needs."""

    def blocked_heads(self) -> dict[TP, int]:
        """Return the offset of the next record of each blocked partition."""

    def head(self, tp: TP) -> int | None:
        """Return the offset of the partition's next record, or None."""

    def apply_gate(self) -> None:
        """Ask the gate anew which records may be taken."""


class NoteCommitter(Protocol):
    """The part of the consumer that a quarantine needs."""

    @property
    def buffers(self) -> Mapping[str, GatedBuffer]:
        """The fetch buffer of each topic."""

    async def commit_notes(self) -> bool:
        """Commit all positions, notes included. False: partitions move."""


class Quarantine:
    """The gate of one app's fetch buffers.

    Args:
        quiet: returns True if no stage's code is running in this app.

    Attributes:
        may_run: cleared while all records but one must wait.
        parked: the gate of parked records.
    """

    def __init__(
        self,
        app: str,
        committer: NoteCommitter,
        exclusive: ProcessExclusivity,
        quiet: Callable[[], bool] = lambda: True,
    ) -> None:
        self.may_run = asyncio.Event()
        self.may_run.set()
        self._ledger = SuspectLedger(app)
        self._committer = committer
        self._exclusive = exclusive
        self._quiet = quiet
        self._alone: tuple[TP, int] | None = None
        self._paused = False
        self._not_before = 0.0
        self._began = 0.0
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._resting = self._ending = False
        self._wake = asyncio.Event()
        self.parked = ParkedGate(app, self._ledger.partitions, self._wake.set, lambda: exclusive.possible)
        exclusive.join(self)

    # The partitions of this process

    def inherit(
        self, found: Mapping[TP, tuple[int | None, str]], ends: Mapping[TP, int], hint: CrashHint | None = None
    ) -> None:
        """Take over partitions when positions are set.

        Args:
            found: committed positions with their notes.
            ends: where partitions end, for those whose suspicion needs it.
            hint: the record in which the last process died, if that is known.
        """
        self._resting = self._ending
        self._ledger.inherit(found, ends, hint)
        self._wake.set()

    def restart(self, tp: TP, position: int) -> None:
        """Forget the suspects of a partition whose log was made anew, or cut short: they are not on it any more."""
        if self._ledger.restart(tp, position):
            self._wake.set()

    def reset(self) -> None:
        """Forget all partitions, because positions will be set anew."""
        self._ledger.clear()
        self._stop_alone()
        # Records of an earlier epoch that wait for this would keep newer ones of their ordering key back.
        self.may_run.set()
        if self._paused:
            self.may_run.clear()

    def rest(self, *, ending: bool = False) -> None:
        """Take no record until positions are set anew, or ever: a death from now on blames no record."""
        self._resting = True
        self._ending |= ending
        self._ledger.rest(ending=ending)
        self._close()

    # The gate of the buffers

    def first_blocked(self, tp: TP) -> float:
        partition = self._ledger.partitions.get(tp)
        return partition.first_blocked if partition is not None else 0

    def on_blocked(self, tp: TP) -> None:
        self._wake.set()

    def on_taken(self, tp: TP, offsets: Sequence[int]) -> None:
        self._ledger.partitions[tp].running.update(offsets)

    def on_returned(self, tp: TP, offsets: Sequence[int]) -> None:
        self._ledger.has_survived(tp, *offsets)

    def mark_buffered(self, tp: TP, position: int) -> None:
        """Note that all records before `position` are in the buffer; offsets without a record count too."""
        if self._ledger.is_buffered(tp, position):
            self._wake.set()

    # What loops ask and report

    @property
    def suspects(self) -> list[TP]:
        """The partitions that have suspect records."""
        return list(self._ledger.suspects)

    def survived(self, tp: TP, offset: int) -> None:
        """Note that a record is finished, or waits for another try: the process has survived it."""
        if self._ledger.has_survived(tp, offset):
            self._wake.set()
        self.parked.survived(tp, offset)

    def survived_below(self, tp: TP, position: int) -> None:
        """Note the same of all records before `position`."""
        if self._ledger.has_survived(tp, below=position):
            self._wake.set()

    @property
    def runs_alone(self) -> bool:
        """True if a record of this app may run alone. No other record of the process may run then."""
        return self._alone is not None

    def must_wait(self, tp: TP, offset: int) -> bool:
        """Return True if this record must wait for `may_run`, because another one runs alone."""
        return not (self.may_run.is_set() or self._alone == (tp, offset) or self.parked.is_alone(tp, offset))

    @property
    def held_back(self) -> list[TP]:
        """Partitions with records that wait for one that runs alone in the process, or is about to."""
        return list(self._heads()) if self._paused else []

    def give_up_error(self, tp: TP, offset: int) -> WorkerDied | None:
        """Return the error of a record that must be given up without being run; else None."""
        return self._ledger.give_up_error(tp, offset)

    def runnable_count(self, tp: TP, records: Sequence[Any]) -> int:
        """Return how many of these records come before the first that must be given up."""
        return self._ledger.runnable_count(tp, records)

    # Committing: see `SuspectLedger`

    @property
    def notes(self) -> Mapping[TP, str]:
        """Metadata of the commit that is under way, by partition."""
        return self._ledger.notes

    def begin_commit(self, offsets: Mapping[TP, int]) -> dict[TP, int]:
        """Return the offsets to commit: these, and unchanged positions of which only the note has changed."""
        return self._ledger.begin_commit(offsets)

    def finish_commit(self) -> bool:
        """Note that the commit is done. Return True if it shows that records make progress."""
        return self._ledger.finish_commit()

    def final_notes(self) -> dict[TP, tuple[int, str]]:
        """Return positions and notes that blame no record, for a process that ends at once."""
        return self._ledger.final_notes()

    # Another app's record must run alone

    @property
    def quiet(self) -> bool:
        """True if no record runs."""
        return self._quiet()

    @property
    def idle(self) -> bool:
        """True if no record runs and the broker knows it."""
        return self._quiet() and not self._ledger.dirty

    def pause(self) -> None:
        """Let no further record run: one is about to run alone in this process."""
        self._paused = True
        self.may_run.clear()
        for partition in self._ledger.partitions.values():
            partition.parked.close()
        self._close()

    def uncount(self) -> None:
        """Count no death against its records, now that none of them runs."""
        for partition in self._ledger.partitions.values():
            partition.uncount()
        self._wake.set()

    def resume(self) -> None:
        """Let records run again."""
        self._paused = False
        self._wake.set()

    def _close(self) -> None:
        for partition in self._ledger.partitions.values():
            partition.first_blocked = 0
        self._apply_gate()
        self._wake.set()

    # Deciding

    async def run(self) -> None:
        """Open and close the gate, each time after the new state is committed."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for tp, partition in list(self._ledger.suspects.items()):
                self._leave_survived_windows(tp, partition)
            if self._resting or (self._paused and self._exclusive.holder is not self):
                await self._commit()
            elif self.parked.over:
                await self._end_parked()
            elif self._alone is None and self.parked.alone is None and not await self._run_alone():
                await self._open()

    def _leave_survived_windows(self, tp: TP, partition: PartitionQuarantine) -> None:
        while partition.state.ends and not partition.running and self._is_exhausted(tp, partition):
            partition.frontier, partition.first_blocked = partition.state.ends[0], 0
            if partition.state.condemned(partition.frontier - 1):
                self._ledger.log("record_given_up", tp, "its process died again and again while only this record ran")
            partition.state = partition.state.survived(partition.frontier)
            if self._alone and self._alone[0] == tp:
                self._stop_alone()
        if not partition.state.ends:
            self._ledger.remove_cleared(tp)

    def _is_exhausted(self, tp: TP, partition: PartitionQuarantine) -> bool:
        """Return True if the window has no more records. Offsets of markers and compacted records hold none."""
        head = self._committer.buffers[tp.topic].head(tp)
        return (partition.buffered if head is None else head) >= partition.state.ends[0]

    async def _run_alone(self) -> bool:
        """Run a record alone once everything else in the process is idle. False: no record must run alone now."""
        source = self._next_alone()
        parked = self.parked.next_alone() if source is None else None
        if (
            (source is None and parked is None)
            or time.monotonic() < self._not_before
            or not self._exclusive.acquire(self)
        ):
            return False
        self._began = time.monotonic()
        await self._commit()
        is_idle = await self._exclusive.wait_until_idle(self)
        if is_idle and (await self._open_alone(*source) if source else parked and await self._open_parked(parked)):
            return True
        if source is not None:
            source[1].state = source[1].state.rested()  # it has not run: a later commit must not say so
        self._stop_for_a_while(RETRY_SECONDS)
        return True

    def _next_alone(self) -> tuple[TP, PartitionQuarantine] | None:
        heads, suspects = self._heads(), self._ledger.suspects.items()
        return next(((tp, each) for tp, each in suspects if tp in heads and each.must_run_alone), None)

    def _stop_for_a_while(self, least: float) -> None:
        """Give the others as much time as they had to stand still, before the next record runs alone."""
        wait = max(time.monotonic() - self._began, least)
        self._not_before = time.monotonic() + wait
        self._stop_alone()
        self._wake_later(wait)

    async def _open_alone(self, tp: TP, partition: PartitionQuarantine) -> bool:
        partition.state = partition.state.alone(partition.frontier)
        await self._commit()
        is_ours = self._exclusive.holder is self and self._ledger.suspects.get(tp) is partition
        if partition.dirty or self._resting or not is_ours:
            return False
        self._ledger.log("record_runs_alone", tp, "if the process dies now, this record is to blame")
        self._alone = (tp, partition.frontier)
        partition.first_blocked, partition.opened = partition.frontier + 1, True
        self._apply_gate()
        return True

    def _stop_alone(self) -> None:
        self._alone = None
        self.parked.forget_alone()
        self._exclusive.release(self)

    async def _open_parked(self, record: Alone) -> bool:
        if (partition := self._ledger.partitions.get(record.tp)) is None:
            return False
        partition.parked.state = partition.parked.state.alone(record.offset)
        await self._commit()
        is_ours = self._exclusive.holder is self and self._ledger.partitions.get(record.tp) is partition
        if partition.dirty or self._resting or not is_ours:
            partition.parked.state = partition.parked.state.not_alone()
            return False
        self.parked.begin_alone(record)
        return True

    async def _end_parked(self) -> None:
        """Let the others run again, once the broker knows that the process has survived a parked record."""
        await self._commit()
        if self._ledger.dirty:
            self._wake_later(FIRST_RETRY_SECONDS)
        else:
            self._stop_for_a_while(0.0)

    async def _open(self) -> None:
        """Open the gate for waiting records, and let those run again that waited for one that ran alone."""
        heads, opening = self._heads(), dict[TP, float]()
        for tp, partition in self._ledger.partitions.items():
            if not partition.first_blocked and (tp in heads or partition.opened):
                self._prepare(tp, partition, heads.get(tp), opening)
        self.parked.count()
        await self._commit()
        if self._paused or self._resting:
            return
        for tp, first_blocked in opening.items():
            current = self._ledger.partitions.get(tp)
            if current is not None and not current.dirty:
                current.first_blocked, current.opened = first_blocked, True
        if opening:
            self._apply_gate()
        self.parked.open_counted()
        self.may_run.set()

    def _prepare(self, tp: TP, partition: PartitionQuarantine, head: int | None, opening: dict[TP, float]) -> None:
        if partition.position is None and head is not None:
            partition.position = partition.frontier = head
        state = partition.state
        if not state.ends:
            partition.count()
            opening[tp] = inf
        elif state.single(partition.frontier) and state.condemned(partition.frontier):
            opening[tp] = state.ends[0]
        elif not (partition.must_run_alone and self._exclusive.possible):
            partition.state, opening[tp] = state.in_window(partition.frontier), state.ends[0]

    def _heads(self) -> dict[TP, int]:
        return {tp: head for buffer in self._buffers() for tp, head in buffer.blocked_heads().items()}

    async def _commit(self) -> None:
        """Commit the notes that have changed. Those of partitions that move stay as they are."""
        if not self._ledger.dirty or await self._committer.commit_notes():
            self._retry_seconds = FIRST_RETRY_SECONDS
            return
        self._wake_later(self._retry_seconds)
        self._retry_seconds = min(2 * self._retry_seconds, RETRY_SECONDS)

    def _apply_gate(self) -> None:
        for buffer in self._buffers():
            buffer.apply_gate()

    def _buffers(self) -> Iterable[GatedBuffer]:
        return set(self._committer.buffers.values())

    def _wake_later(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds + TIMER_SECONDS, self._wake.set)
