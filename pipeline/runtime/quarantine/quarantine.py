"""Holds records back while it is found out which of them ends its process (`suspects` says by which rules).

It stands between what was fetched and the loops, as the gate of every backlog of an app, so one mechanism serves every
kind of loop. Before the first records of a partition run, and before each window of suspects does, the state is
committed beside the offset. In steady work nothing is held and nothing is written: an advancing position clears it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, Protocol

from faust.types import TP

from pipeline.errors import WorkerDied
from pipeline.logging import get_logger
from pipeline.metrics import SUSPECT_PARTITIONS
from pipeline.runtime.flows.fetch_buffer import FetchBuffer
from pipeline.runtime.quarantine.crash_marker import CrashHint
from pipeline.runtime.quarantine.exclusive import ProcessExclusivity
from pipeline.runtime.quarantine.suspects import CLEAR, DEATHS, Suspicion, decode, encode

log = get_logger(__name__)

RETRY_SECONDS: Final = 1.0
"""Until a record that could not run alone is tried again, at least; between two tries of a commit, at most."""
FIRST_RETRY_SECONDS: Final = 0.05
"""Until a commit that partitions in motion refused is tried again: records wait for it. Each wait is twice the last."""
TIMER_SECONDS: Final = 0.01
"""By which a timer of the loop may be early: nobody else would wake what is then looked at too soon."""


class NoteCommitter(Protocol):
    """The part of the consumer that a quarantine needs."""

    backlogs: dict[str, FetchBuffer]

    async def commit_notes(self) -> bool:
        """Commits everything that is to be committed, notes included."""


@dataclass(slots=True, eq=False)
class PartitionQuarantine:
    """One partition of this process.

    Attributes:
        position: the committed one; None before the group's first commit.
        frontier: behind everything that has run here and was survived.
        handed: behind everything that was handed to the backlog, or is no record.
        state: as it is to be committed.
        committed: as it is in the broker.
        until: the offset before which records may be taken.
        opened: whether some could have been taken.
        uncounted: whether this process was one of the state's lives, and is not while another record runs alone.
        running: of a suspect partition, offsets that were taken and neither finished nor paused.
    """

    position: int | None
    frontier: int
    state: Suspicion
    committed: Suspicion
    handed: int = 0
    until: float = 0
    opened: bool = False
    uncounted: bool = False
    running: set[int] = field(default_factory=set)

    @property
    def dirty(self) -> bool:
        return self.state != self.committed and self.position is not None

    def count(self) -> None:
        """A death of this process will be one at this position, unless it moves before."""
        if not self.opened:
            self.state = self.committed.taking()
        elif self.uncounted:
            self.state = self.state.taking()
        self.uncounted = False

    def hold(self) -> None:
        """It will not, while a record of another partition runs alone. Earlier deaths still count."""
        counted = self.opened and not self.uncounted and not self.state.ends and self.state.lives > 0
        self.state = self.state.held(counted=counted)
        self.uncounted |= counted

    @property
    def must_run_alone(self) -> bool:
        state = self.state
        # In front of a record that died alone it would take the place of that one's count, in every life again.
        return state.single(self.frontier) and state.at <= self.frontier and not state.condemned(self.frontier)


class Quarantine:
    """The gate of one app's backlogs.

    Args:
        quiet: tells whether no code of a stage is running in this app.

    Attributes:
        turn: clear while everything but one record must wait.
        notes: metadata of the commit that is under way, read by the thread that commits.
    """

    def __init__(
        self,
        app: str,
        assignment: NoteCommitter,
        exclusive: ProcessExclusivity,
        quiet: Callable[[], bool] = lambda: True,
    ) -> None:
        self.may_run = asyncio.Event()
        self.may_run.set()
        self.notes: Mapping[TP, str] = {}
        self._app = app
        self._assignment = assignment
        self._exclusive = exclusive
        self._quiet = quiet
        self._cells: dict[TP, PartitionQuarantine] = {}
        self._suspects: dict[TP, PartitionQuarantine] = {}
        self._alone: tuple[TP, int] | None = None
        self._held = False
        self._not_before = 0.0
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._resting = self._ending = False
        self._wake = asyncio.Event()
        self._pending: dict[TP, tuple[int, Suspicion]] = {}
        exclusive.join(self)

    # The partitions of this process

    def inherit(
        self, found: Mapping[TP, tuple[int | None, str]], ends: Mapping[TP, int], hint: CrashHint | None = None
    ) -> None:
        """Positions are set. `found` holds them with their metadata, `ends` where partitions end that need it.

        `hint` is the record in whose midst the last process died, if that is known.
        """
        self._resting = self._ending
        for tp, (position, metadata) in found.items():
            before = decode(metadata)
            state = before.inherited(
                position or 0, ends.get(tp, 0), hint and hint.offset_in(tp), again=hint is not None and hint.again
            )
            self._cells[tp] = cell = PartitionQuarantine(position, position or 0, state, before)
            if state.ends:
                self._suspects[tp] = cell
                self._tell("records_suspected", tp, cell)
        self._count()
        self._wake.set()

    def restart(self, tp: TP, position: int) -> None:
        """The log was made anew, or cut short: what was suspected is not on it any more."""
        if cell := self._cells.get(tp):
            self._suspects.pop(tp, None)
            self._cells[tp] = PartitionQuarantine(cell.position, position, CLEAR, cell.committed, opened=True)
            self._count()
            self._wake.set()

    def reset(self) -> None:
        """Positions will be set anew."""
        self._cells.clear()
        self._suspects.clear()
        self._stop_alone()
        self.may_run.set()  # what waited for it is nobody's any more, and keeps others of its lane back
        if self._held:
            self.may_run.clear()
        self._count()

    def rest(self, *, ending: bool = False) -> None:
        """Nothing more is taken until positions are set anew, or ever: a death from now on blames no record."""
        self._resting = True
        self._ending |= ending
        for cell in self._cells.values():
            cell.state = cell.state.rested()
        self._close()

    def last_notes(self) -> dict[TP, tuple[int, str]]:
        """Positions and metadata that blame no record, for a process that ends at once."""
        rested = {tp: cell.committed.rested() for tp, cell in self._cells.items() if cell.position is not None}
        return {
            tp: (self._cells[tp].position or 0, encode(state))
            for tp, state in rested.items()
            if state != self._cells[tp].committed
        }

    # The gate

    def first_blocked(self, tp: TP) -> float:
        cell = self._cells.get(tp)
        return cell.until if cell is not None else 0

    def on_blocked(self, _: TP) -> None:
        self._wake.set()

    def on_taken(self, tp: TP, offsets: Sequence[int]) -> None:
        self._cells[tp].running.update(offsets)

    def on_returned(self, tp: TP, offsets: Sequence[int]) -> None:
        if cell := self._suspects.get(tp):
            cell.running.difference_update(offsets)

    # The loops

    @property
    def suspects(self) -> list[TP]:
        return list(self._suspects)

    def handed(self, tp: TP, position: int) -> None:
        """Everything before `position` is in the backlog, or is no record."""
        if (cell := self._suspects.get(tp)) and cell.handed != position:
            cell.handed = position
            self._wake.set()

    def survived(self, tp: TP, offset: int) -> None:
        """A record is finished, or waits for another try: the process has survived it."""
        if cell := self._suspects.get(tp):
            cell.running.discard(offset)
            self._wake.set()

    def survived_below(self, tp: TP, position: int) -> None:
        """The same of every record before `position`."""
        if cell := self._suspects.get(tp):
            cell.running = {offset for offset in cell.running if offset >= position}
            self._wake.set()

    @property
    def held_back(self) -> list[TP]:
        """Partitions with records that wait for one that runs alone in the process, or is about to."""
        return list(self._heads()) if self._held else []

    @property
    def runs_alone(self) -> bool:
        """True if a record of this app may run alone. Nothing else of the process may."""
        return self._alone is not None

    def must_wait(self, tp: TP, offset: int) -> bool:
        """True if this record must wait for `turn`, because another one runs alone."""
        return not self.may_run.is_set() and self._alone != (tp, offset)

    def give_up_error(self, tp: TP, offset: int) -> WorkerDied | None:
        """Why the record is to be given up and not to be run."""
        cell = self._cells.get(tp)
        return WorkerDied(DEATHS) if cell is not None and cell.state.condemned(offset) else None

    def runnable_count(self, tp: TP, records: Sequence[Any]) -> int:
        """How many of these records come before the first that is to be given up."""
        cell = self._cells.get(tp)
        if cell is None or not (cell.state.deaths or cell.state.given_up):
            return len(records)
        condemned = (n for n, record in enumerate(records) if cell.state.condemned(record.offset))
        return next(condemned, len(records))

    # Committing

    def noted(self, offsets: Mapping[TP, int]) -> dict[TP, int]:
        """Begins a commit: `offsets`, and the unchanged position where only the note has changed."""
        wanted = {tp: cell.position for tp, cell in self._cells.items() if cell.dirty and cell.position is not None}
        wanted.update(offsets)
        self._pending = {tp: (offset, self._state_at(tp, offset)) for tp, offset in wanted.items()}
        self.notes = {tp: encode(state) for tp, (_, state) in self._pending.items()}
        return wanted

    def _state_at(self, tp: TP, offset: int) -> Suspicion:
        cell = self._cells.get(tp)
        if cell is None:
            return CLEAR
        if offset != cell.position:
            cell.state, cell.uncounted = cell.state.moved(offset), False
        return cell.state

    def committed(self) -> bool:
        """The commit that `noted` began is done. Gives whether it shows that records get on."""
        got_on = False
        for tp, (offset, state) in self._pending.items():
            if cell := self._cells.get(tp):
                before = cell.position, cell.committed.ends, cell.committed.deaths
                got_on |= before != (offset, state.ends, state.deaths)
                cell.position, cell.committed = offset, state
        self._pending = {}
        return got_on

    # Other records must run alone

    @property
    def at_rest(self) -> bool:
        """True if nothing runs and the broker knows it."""
        return self._quiet() and not any(cell.dirty for cell in self._cells.values())

    def hold(self) -> None:
        """A record is to run alone in this process."""
        self._held = True
        self.may_run.clear()
        for cell in self._cells.values():
            cell.hold()
        self._close()

    def let_go(self) -> None:
        """It has."""
        self._held = False
        self._wake.set()

    def _close(self) -> None:
        for cell in self._cells.values():
            cell.until = 0
        self._reconsider()
        self._wake.set()

    # Deciding

    async def run(self) -> None:
        """Opens and closes the gate, each time when what it means is committed."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for tp, cell in list(self._suspects.items()):
                self._leave_behind(tp, cell)
            if self._resting or (self._held and self._exclusive.holder is not self):
                await self._commit()
            elif self._alone is None and not await self._run_alone():
                await self._open()

    def _leave_behind(self, tp: TP, cell: PartitionQuarantine) -> None:
        """Moves the frontier over windows that were survived."""
        while cell.state.ends and not cell.running and self._exhausted(tp, cell):
            cell.frontier, cell.until = cell.state.ends[0], 0
            if cell.state.condemned(cell.frontier - 1):
                self._tell("record_given_up", tp, cell)
            cell.state = cell.state.survived(cell.frontier)
            if self._alone and self._alone[0] == tp:
                self._stop_alone()
        if not cell.state.ends:
            del self._suspects[tp]
            cell.uncounted = cell.state.lives > 0
            self._tell("records_cleared", tp, cell)
            self._count()

    def _exhausted(self, tp: TP, cell: PartitionQuarantine) -> bool:
        """True if the window has no more records. Offsets of markers and compacted records hold none."""
        head = self._assignment.backlogs[tp.topic].head(tp)
        return (cell.handed if head is None else head) >= cell.state.ends[0]

    async def _run_alone(self) -> bool:
        """Runs a record alone once everything else in the process rests. False: there is none to be run so."""
        heads = self._heads()
        found = next(((tp, cell) for tp, cell in self._suspects.items() if tp in heads and cell.must_run_alone), None)
        if found is None or time.monotonic() < self._not_before or not self._exclusive.acquire(self):
            return False
        (tp, cell), began = found, time.monotonic()
        await self._commit()
        if await self._exclusive.wait_until_idle(self) and await self._open_alone(tp, cell):
            return True
        cell.state = cell.state.rested()  # it has not run: a later commit must not say so
        held = time.monotonic() - began
        self._not_before = time.monotonic() + max(
            held, RETRY_SECONDS
        )  # everything else goes on for as long as it stood
        self._exclusive.release(self)
        self._wake_later(max(held, RETRY_SECONDS))
        return True

    async def _open_alone(self, tp: TP, cell: PartitionQuarantine) -> bool:
        cell.state = cell.state.alone(cell.frontier)
        await self._commit()
        if cell.dirty or self._resting or self._exclusive.holder is not self or self._suspects.get(tp) is not cell:
            return False
        self._tell("record_runs_alone", tp, cell)
        self._alone = (tp, cell.frontier)
        cell.until, cell.opened = cell.frontier + 1, True
        self._reconsider()
        return True

    def _stop_alone(self) -> None:
        self._alone = None
        self._exclusive.release(self)

    async def _open(self) -> None:
        """Opens the gate for whatever waits, and lets run again what had to wait for a record that ran alone."""
        heads, opening = self._heads(), dict[TP, float]()
        for tp, cell in self._cells.items():
            if not cell.until and (tp in heads or cell.opened):
                self._prepare(tp, cell, heads.get(tp), opening)
        await self._commit()
        if self._held or self._resting:
            return
        for tp, until in opening.items():
            current = self._cells.get(tp)
            if current is not None and not current.dirty:
                current.until, current.opened = until, True
        if opening:
            self._reconsider()
        self.may_run.set()

    def _prepare(self, tp: TP, cell: PartitionQuarantine, head: int | None, opening: dict[TP, float]) -> None:
        if cell.position is None and head is not None:
            cell.position = cell.frontier = head
        if not cell.state.ends:
            cell.count()
            opening[tp] = inf
        elif cell.state.single(cell.frontier) and cell.state.condemned(cell.frontier):
            opening[tp] = cell.state.ends[0]
        elif not (cell.must_run_alone and self._exclusive.possible):
            cell.state, opening[tp] = cell.state.in_window(), cell.state.ends[0]

    def _heads(self) -> dict[TP, int]:
        return {tp: head for backlog in self._backlogs() for tp, head in backlog.blocked_heads().items()}

    async def _commit(self) -> None:
        """Commits the notes that have changed; those of partitions that move stay as they are."""
        if not any(cell.dirty for cell in self._cells.values()) or await self._assignment.commit_notes():
            self._retry_seconds = FIRST_RETRY_SECONDS
            return
        self._wake_later(self._retry_seconds)
        self._retry_seconds = min(2 * self._retry_seconds, RETRY_SECONDS)

    def _reconsider(self) -> None:
        for backlog in self._backlogs():
            backlog.apply_gate()

    def _backlogs(self) -> Iterable[FetchBuffer]:
        return set(self._assignment.backlogs.values())

    def _wake_later(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds + TIMER_SECONDS, self._wake.set)

    # Telling

    def _count(self) -> None:
        SUSPECT_PARTITIONS.labels(self._app).set(len(self._suspects))

    def _tell(self, event: str, tp: TP, cell: PartitionQuarantine) -> None:
        about: dict[str, Any] = {"app": self._app, "topic": tp.topic, "partition": tp.partition}
        about |= {"offset": cell.frontier, "until": cell.state.ends[0] if cell.state.ends else cell.frontier}
        log.warning(event, **about, deaths=cell.state.deaths)
