"""The suspects of an app's partitions in one process, and the notes about them in committed offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from faust.types import TP

from pipeline.errors import WorkerDied
from pipeline.logging import get_logger
from pipeline.metrics import SUSPECT_PARTITIONS
from pipeline.runtime.quarantine.crash_marker import CrashHint
from pipeline.runtime.quarantine.parked_gate import ParkedState
from pipeline.runtime.quarantine.parked_suspects import NO_SUSPICION, NONE_RUNS, ParkedSuspicion, from_note, to_note
from pipeline.runtime.quarantine.partition_quarantine import PartitionQuarantine
from pipeline.runtime.quarantine.suspects import CLEAR, DEATHS, ELSEWHERE, Suspicion, decode, decode_parked, encode

log = get_logger(__name__)


class SuspectLedger:
    """Keeps the state of each partition. It does no I/O.

    Attributes:
        partitions: every partition of this process.
        suspects: the partitions that have suspect records.
        notes: metadata of the commit that is under way, by partition. The thread that commits reads it.
    """

    def __init__(self, app: str) -> None:
        self.partitions: dict[TP, PartitionQuarantine] = {}
        self.suspects: dict[TP, PartitionQuarantine] = {}
        self.notes: Mapping[TP, str] = {}
        self._app = app
        self._pending: dict[TP, tuple[int, Suspicion, ParkedSuspicion]] = {}

    # Positions

    def inherit(
        self, found: Mapping[TP, tuple[int | None, str]], ends: Mapping[TP, int], hint: CrashHint | None
    ) -> None:
        """Take over partitions with their committed positions and notes. See `Quarantine.inherit`."""
        for tp, (position, note) in found.items():
            before, named = decode(note), hint and hint.offset_in(tp)
            # An offset in front of the position is that of a parked record.
            behind = ELSEWHERE if named is not None and named < (position or 0) else named
            state = before.inherited(position or 0, ends.get(tp, 0), behind, again=hint is not None and hint.again)
            self.partitions[tp] = partition = PartitionQuarantine(position, position or 0, state, before)
            partition.parked = _inherited_parked(note, named)
            if state.ends:
                self.suspects[tp] = partition
                self.log("records_suspected", tp, "one of these records may end its process")
        self._count()

    def restart(self, tp: TP, position: int) -> bool:
        """Forget the suspects of a partition whose log was made anew or cut short. False: it is not ours."""
        if (partition := self.partitions.get(tp)) is None:
            return False
        self.suspects.pop(tp, None)
        self.partitions[tp] = partition.restarted(position)
        self._count()
        return True

    def clear(self) -> None:
        """Forget all partitions."""
        self.partitions.clear()
        self.suspects.clear()
        self._count()

    def rest(self, *, ending: bool) -> None:
        """Let the end of this process blame no record."""
        for partition in self.partitions.values():
            partition.rest(ending=ending)

    def remove_cleared(self, tp: TP) -> None:
        """Remove a partition from the suspects. All of its suspect records were survived or given up."""
        partition = self.suspects.pop(tp)
        partition.uncounted = partition.state.lives > 0
        self.log("records_cleared", tp, "all suspect records of the partition are finished")
        self._count()

    # Records

    def is_buffered(self, tp: TP, position: int) -> bool:
        """Note that all records before `position` are in the buffer. Return True if that is news about suspects."""
        if (partition := self.suspects.get(tp)) is None or partition.buffered == position:
            return False
        partition.buffered = position
        return True

    def has_survived(self, tp: TP, *offsets: int, below: int | None = None) -> bool:
        """Note that these records, or all `below` an offset, do not run any more. Return True if any are suspects."""
        if (partition := self.suspects.get(tp)) is None:
            return False
        partition.running.difference_update(offsets)
        if below is not None:
            partition.running = {offset for offset in partition.running if offset >= below}
        return True

    def give_up_error(self, tp: TP, offset: int) -> WorkerDied | None:
        """Return the error of a record that must be given up without being run; else None."""
        partition = self.partitions.get(tp)
        return WorkerDied(DEATHS) if partition is not None and partition.state.condemned(offset) else None

    def runnable_count(self, tp: TP, records: Sequence[Any]) -> int:
        """Return how many of these records come before the first that must be given up."""
        partition = self.partitions.get(tp)
        if partition is None or not (partition.state.deaths or partition.state.given_up):
            return len(records)
        condemned = (n for n, record in enumerate(records) if partition.state.condemned(record.offset))
        return next(condemned, len(records))

    # Committing

    @property
    def dirty(self) -> bool:
        """True if some state must be committed."""
        return any(partition.dirty for partition in self.partitions.values())

    def begin_commit(self, offsets: Mapping[TP, int]) -> dict[TP, int]:
        """Return the offsets to commit: these, and unchanged positions of which only the note has changed."""
        wanted = {tp: each.position for tp, each in self.partitions.items() if each.dirty and each.position is not None}
        wanted.update(offsets)
        self._pending = {tp: (offset, *self._states_at(tp, offset)) for tp, offset in wanted.items()}
        self.notes = {tp: encode(state, to_note(parked)) for tp, (_, state, parked) in self._pending.items()}
        return wanted

    def _states_at(self, tp: TP, offset: int) -> tuple[Suspicion, ParkedSuspicion]:
        if (partition := self.partitions.get(tp)) is None:
            return CLEAR, NO_SUSPICION
        partition.move(offset)
        return partition.state, partition.parked.state

    def finish_commit(self) -> bool:
        """Note that the commit of `begin_commit` is done. Return True if it shows that records make progress."""
        progress = False
        for tp, (offset, state, parked) in self._pending.items():
            if partition := self.partitions.get(tp):
                before = partition.position, partition.committed.ends, partition.committed.deaths
                progress |= before != (offset, state.ends, state.deaths)
                progress |= parked.suspects != partition.parked.committed.suspects
                partition.position, partition.committed, partition.parked.committed = offset, state, parked
        self._pending = {}
        self._count()
        return progress

    def final_notes(self) -> dict[TP, tuple[int, str]]:
        """Return positions and notes that blame no record, for a process that ends at once."""
        rested = {
            tp: (each.position, each.committed.rested(), each.parked.committed.rested())
            for tp, each in self.partitions.items()
            if each.position is not None
        }
        return {
            tp: (position, encode(state, to_note(parked)))
            for tp, (position, state, parked) in rested.items()
            if (state, parked) != (self.partitions[tp].committed, self.partitions[tp].parked.committed)
        }

    # Reporting

    def _count(self) -> None:
        found = sum(tp in self.suspects or each.parked.has_suspects for tp, each in self.partitions.items())
        SUSPECT_PARTITIONS.labels(self._app).set(found)

    def log(self, event: str, tp: TP, detail: str) -> None:
        """Log an event about the suspects of a partition."""
        partition = self.partitions[tp]
        ends = partition.state.ends
        log.warning(
            event,
            app=self._app,
            topic=tp.topic,
            partition=tp.partition,
            offset=partition.frontier,
            until=ends[0] if ends else partition.frontier,
            deaths=partition.state.deaths,
            detail=detail,
        )


def _inherited_parked(note: str, hint: int | None) -> ParkedState:
    """Return the state of a partition's parked records. `hint`: see `Suspicion.inherited`."""
    before = from_note(decode_parked(note))
    return ParkedState(before.inherited(hinted=hint is not None), before, NONE_RUNS if hint is None else hint)
