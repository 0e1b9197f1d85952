"""The gate of parked records: no load before the broker knows of it, and suspects one by one, alone (`Quarantine`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from faust.types import TP

from pipeline.errors import WorkerDied
from pipeline.logging import get_logger
from pipeline.runtime.quarantine.parked_suspects import NO_SUSPICION, NONE_RUNS, ParkedSuspicion
from pipeline.runtime.quarantine.suspects import DEATHS

log = get_logger(__name__)

FIRST_ALONE: Final = 32
"""Number of records of a partition that run alone, one by one, at the beginning of a search.

From then on as many run side by side as were survived before. So a killer that is not met alone is among fewer after
each death, and a search among thousands that holds none takes seconds.
"""
ENOUGH: Final = 2_000
"""Number of records of a partition that are survived without a death until the search there ends, at least.

More than a process has in memory, those included that have run and are not committed.
"""

PROGRESS: Final = 32
"""Number of records of a partition that a process finishes until the deaths of earlier ones count no more, at least.

Without it, the third death of any kind in a backlog of hours would begin a search. A killer is found all the same: each
process that comes so far leaves it fewer records to hide among.
"""


class Alone(NamedTuple):
    """A parked record that may run alone."""

    tp: TP
    offset: int


@dataclass(slots=True, eq=False)
class ParkedState:
    """The parked records of one partition, as this process and the broker know them.

    Attributes:
        state: the suspicion that is to be committed.
        committed: the suspicion in the broker.
        hint: offset of the record in which the last process died; negative for none of this partition.
        wanted: True if there is something to load.
        opened: True if it may be loaded.
        counted: True if this process is one of the state's lives.
        survived: number of records that this process has finished.
        enough: number of those at which a search ends.
        progress: number of those from which on earlier deaths count no more.
        in_work: offsets of records in memory.
        waiting: those of them that wait, and are in nobody's way.
        candidate: offset of the record that is to run alone next.
        in_memory: True if it is loaded already.
        wake: makes the flow load again.
    """

    state: ParkedSuspicion = NO_SUSPICION
    committed: ParkedSuspicion = NO_SUSPICION
    hint: int = NONE_RUNS
    wanted: bool = False
    opened: bool = False
    counted: bool = False
    survived: int = 0
    enough: int = ENOUGH
    progress: int = PROGRESS
    in_work: set[int] = field(default_factory=set)
    waiting: set[int] = field(default_factory=set)
    candidate: int | None = None
    in_memory: bool = False
    wake: Callable[[], object] = lambda: None

    @property
    def has_suspects(self) -> bool:
        """True while a record that ends its process is searched."""
        return self.state.narrow or bool(self.state.suspects)

    @property
    def runs_alone(self) -> bool:
        """True while each record runs alone, because one that ends its process is searched."""
        return self.state.narrow and self.survived < FIRST_ALONE

    @property
    def has_width(self) -> bool:
        """True if another record may be in memory. In a search there are no more than were survived before."""
        return not self.state.narrow or len(self.in_work) - len(self.waiting) < self.survived

    def survive(self) -> None:
        """Note that the process has survived a record."""
        self.survived += 1
        if self.state.narrow:
            if self.survived >= self.enough:
                self.state = self.state.trusted()
                self.close()
        elif self.survived == self.progress:
            self.state = self.state.moved_on(counted=self.counted)

    def close(self) -> None:
        """Let nothing be loaded until the broker knows of it again."""
        if self.opened:
            self.opened, self.wanted = False, True

    def shut(self) -> None:
        """Let nothing be loaded until the flow asks again: nothing is in work."""
        self.opened = self.wanted = False
        self.uncount()

    def rest(self, *, ending: bool) -> None:
        """Let nothing be loaded any more. What follows blames no record.

        If partitions only move, deaths of earlier processes still count: a death itself makes them move, later.
        """
        self.uncount()
        self.opened = self.wanted = False
        self.candidate, self.state = None, self.state.rested() if ending else self.state.not_alone()

    def uncount(self) -> None:
        """Count a death of this process no more. Deaths of earlier ones still count."""
        if self.counted:
            self.counted, self.state = False, self.state.untaken()

    def count(self) -> None:
        """Count a death of this process, from the next commit on."""
        if not self.counted and not self.state.narrow:
            self.counted, self.state = True, self.state.taking()


class Partition(Protocol):
    """The part of a partition of the quarantine that this gate needs."""

    position: int | None
    parked: ParkedState

    @property
    def dirty(self) -> bool:
        """True if the broker does not know the state yet."""


class ParkedGate:
    """Decides which parked records of one app may be loaded.

    Without a note of a partition, as in tests of nothing but a loop, everything may.

    Args:
        wake: makes the quarantine look at what has changed.
        possible: returns True if a record can run alone in this process.

    Attributes:
        alone: the record that runs alone now.
        taken: True once it is in memory.
        over: True once it has run, until the others may run again.
    """

    def __init__(
        self,
        app: str,
        partitions: Mapping[TP, Partition],
        wake: Callable[[], object],
        possible: Callable[[], bool],
    ) -> None:
        self.alone: Alone | None = None
        self.taken = False
        self.over = False
        self._app = app
        self._changed = asyncio.Event()
        self._partitions = partitions
        self._wake = wake
        self._possible = possible

    # What flows ask and report

    def open(self, tp: TP, queues: int, is_parked: Callable[[int], bool], wake: Callable[[], object]) -> None:
        """Begin with the parked records of a partition.

        Args:
            queues: number of their queues.
            is_parked: returns True for the offset of a parked record.
            wake: makes the flow load again.
        """
        if (partition := self._partitions.get(tp)) is None:
            return
        parked = partition.parked
        parked.wake, parked.survived = wake, 0
        parked.enough, parked.progress = max(ENOUGH, queues), max(PROGRESS, queues)
        if not queues:
            parked.state = parked.state.trusted()
        for offset, _ in parked.state.suspects:
            if not is_parked(offset):
                parked.state = parked.state.without(offset)
        if parked.hint >= 0 and is_parked(parked.hint):
            parked.state = parked.state.suspecting(parked.hint)
        parked.hint = NONE_RUNS
        if parked.state.narrow:
            detail = "one of them may end its process: few run at once for now"
            log.warning(
                "parked_records_suspected", app=self._app, topic=tp.topic, partition=tp.partition, detail=detail
            )
        for offset, deaths in parked.state.suspects:
            self._log("parked_record_suspected", tp, offset, deaths, "this record may end its process: it runs alone")

    def may_load(self, tp: TP) -> bool:
        """Return True if parked records of a partition may be loaded. Else the flow is woken once they may."""
        if (partition := self._partitions.get(tp)) is None:
            return True
        parked = partition.parked
        if parked.opened:
            return parked.candidate is None if parked.runs_alone else parked.has_width
        if not parked.wanted:
            parked.wanted = True
            self._wake()
        return False

    def must_run_alone(self, tp: TP, offset: int) -> bool:
        """Return True if a record may not be loaded with others. Then `offer` it."""
        partition = self._partitions.get(tp)
        if partition is None or not self._possible():
            return False
        parked = partition.parked
        return (parked.runs_alone or parked.state.suspects_record(offset)) and not parked.state.condemned(offset)

    def is_alone(self, tp: TP, offset: int) -> bool:
        """Return True if this record may run alone now."""
        return self.alone is not None and self.alone == (tp, offset)

    def offer(self, tp: TP, offset: int, *, in_memory: bool = False) -> None:
        """Ask for a record to run alone. Once all others have stopped it is `alone`, and the flow is woken."""
        parked = self._partitions[tp].parked
        if parked.candidate is None:
            parked.candidate, parked.in_memory = offset, in_memory
            self._wake()

    def loaded(self, tp: TP, offset: int) -> None:
        """Note that a record is in memory."""
        if (partition := self._partitions.get(tp)) is not None:
            partition.parked.in_work.add(offset)

    def give_up_error(self, tp: TP, offset: int) -> WorkerDied | None:
        """Return the error of a record that must be given up without being run; else None."""
        partition = self._partitions.get(tp)
        return WorkerDied(DEATHS) if partition is not None and partition.parked.state.condemned(offset) else None

    def drained(self, tp: TP) -> None:
        """Note that a partition has no parked records any more."""
        if (partition := self._partitions.get(tp)) is not None:
            parked = partition.parked
            parked.shut()
            parked.state = parked.state.trusted()

    def finished(self, tp: TP, offset: int) -> None:
        """Note that a record is finished or given up, and not parked any more."""
        if (partition := self._partitions.get(tp)) is None:
            return
        parked = partition.parked
        if parked.state.condemned(offset):
            self._log("parked_record_given_up", tp, offset, DEATHS, "its process died each time that it ran alone")
            parked.state, parked.counted = parked.state.given_up(offset), False
            parked.close()
            self._wake()
        elif parked.state.suspects:
            parked.state = parked.state.without(offset)
        before = parked.state
        parked.survive()
        if before.narrow:
            parked.wake()
        if before.narrow or parked.state is not before:
            self._wake()
        self.unloaded(tp, offset)

    def unloaded(self, tp: TP, offset: int) -> None:
        """Note that a record is not in memory any more."""
        if (partition := self._partitions.get(tp)) is None:
            return
        parked = partition.parked
        parked.in_work.discard(offset)
        parked.waiting.discard(offset)
        if not parked.in_work:  # no parked record can end the process now
            is_wanted = parked.wanted
            parked.shut()
            if is_wanted:
                parked.wake()

    def survived(self, tp: TP, offset: int) -> None:
        """Note that the process survives a record: it is finished, or waits. At its next try it runs alone again."""
        if self.is_alone(tp, offset):
            self._stop_alone(self._partitions[tp].parked)
        partition = self._partitions.get(tp)
        if partition is not None and partition.parked.state.narrow and offset in partition.parked.in_work:
            partition.parked.waiting.add(offset)
            partition.parked.wake()

    def _stop_alone(self, parked: ParkedState) -> None:
        parked.state = parked.state.not_alone()
        self.alone, self.over = None, True
        self._notify()
        self._wake()

    def withdraw(self) -> None:
        """Note that the flow has not loaded the record that was to run alone."""
        if self.alone is not None:
            self._stop_alone(self._partitions[self.alone.tp].parked)

    async def wait_until_alone(self, tp: TP, offset: int, is_current: Callable[[], bool]) -> None:
        """Return when a record in memory may run: at once, unless it must run alone."""
        while not self.is_alone(tp, offset) and self.must_run_alone(tp, offset) and is_current():
            self.offer(tp, offset, in_memory=True)
            await self._changed.wait()
        if not self.is_alone(tp, offset):
            self._recall(tp, offset)

    def _recall(self, tp: TP, offset: int) -> None:
        """Ask no more for a record in memory to run alone: by now it runs with the others."""
        if (partition := self._partitions.get(tp)) is not None and partition.parked.candidate == offset:
            partition.parked.candidate = None

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # What the quarantine asks and does

    def next_alone(self) -> Alone | None:
        """Return a record that wants to run alone."""
        for tp, partition in self._partitions.items():
            if partition.parked.candidate is not None:
                return Alone(tp, partition.parked.candidate)
        return None

    def begin_alone(self, record: Alone) -> None:
        """Let a record run alone, now that the broker knows it."""
        parked = self._partitions[record.tp].parked
        if record.offset in dict(parked.state.suspects):
            deaths = parked.state.deaths(record.offset)
            self._log("parked_record_runs_alone", *record, deaths, "if the process dies now, this record is to blame")
        self.alone, self.taken, self.over = record, parked.in_memory, False
        parked.candidate = None
        if self.taken and record.offset not in parked.in_work:  # it is finished: nobody would ever end its time
            self._stop_alone(parked)
            return
        self._notify()
        parked.wake()

    def forget_alone(self) -> None:
        self.alone, self.over = None, False
        self._notify()

    def count(self) -> None:
        """Count a death of this process where parked records are to be loaded."""
        for partition in self._partitions.values():
            if partition.parked.wanted and partition.position is not None:
                partition.parked.count()

    def open_counted(self) -> None:
        """Let parked records be loaded where the broker knows of it."""
        for partition in self._partitions.values():
            parked = partition.parked
            # One that is wanted only since the last commit began is not counted yet.
            if parked.wanted and (parked.counted or parked.state.narrow) and not partition.dirty:
                parked.opened, parked.wanted = True, False
                parked.wake()

    def _log(self, event: str, tp: TP, offset: int, deaths: int, detail: str) -> None:
        log.warning(
            event, app=self._app, topic=tp.topic, partition=tp.partition, offset=offset, deaths=deaths, detail=detail
        )
