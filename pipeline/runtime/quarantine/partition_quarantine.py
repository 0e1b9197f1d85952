"""The suspects of one partition, as this process and the broker know them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pipeline.runtime.quarantine.parked_gate import ParkedState
from pipeline.runtime.quarantine.suspects import CLEAR, Suspicion


@dataclass(slots=True, eq=False)
class PartitionQuarantine:
    """One partition of this process.

    Attributes:
        position: the committed one; None before the group's first commit.
        frontier: the offset behind all records that have run here and were survived.
        state: the suspicion that is to be committed.
        committed: the suspicion in the broker.
        buffered: the offset behind all records that were added to the buffer, or are no records.
        first_blocked: the first offset that may not be taken.
        opened: True if some record could have been taken.
        uncounted: True if this process was one of the state's lives, and is not while another record runs alone.
        running: offsets of suspects that were taken and neither finished nor paused.
        parked: its parked records, which are not behind the position.
    """

    position: int | None
    frontier: int
    state: Suspicion
    committed: Suspicion
    buffered: int = 0
    first_blocked: float = 0
    opened: bool = False
    uncounted: bool = False
    running: set[int] = field(default_factory=set)
    parked: ParkedState = field(default_factory=ParkedState)

    @property
    def dirty(self) -> bool:
        """True if the broker does not know the state yet."""
        changed = self.state != self.committed or self.parked.state != self.parked.committed
        return changed and self.position is not None

    @property
    def must_run_alone(self) -> bool:
        """True if one suspect is left, which must run alone in its process."""
        state = self.state
        # In front of a record that died alone it would take the place of that one's count, in every life again.
        return state.single(self.frontier) and state.at <= self.frontier and not state.condemned(self.frontier)

    def count(self) -> None:
        """Count a death of this process as one at this position, unless the position moves before."""
        if not self.opened:
            self.state = self.committed.taking()
        elif self.uncounted:
            self.state = self.state.taking()
        self.uncounted = False

    def uncount(self) -> None:
        """Count no death while a record of another partition runs alone. Earlier deaths still count."""
        counted = self.opened and not self.uncounted and not self.state.ends and self.state.lives > 0
        self.state = self.state.held(counted=counted)
        self.uncounted |= counted
        self.parked.uncount()

    def restarted(self, position: int) -> PartitionQuarantine:
        """Return the partition without its suspects, with its parked records: those are in no log."""
        return replace(
            self,
            frontier=position,
            state=CLEAR,
            buffered=0,
            first_blocked=0,
            opened=True,
            uncounted=False,
            running=set(),
        )

    def rest(self, *, ending: bool) -> None:
        """Let the end of this process blame no record. `ending`: it ends, and partitions do not only move."""
        self.state = self.state.rested()
        self.parked.rest(ending=ending)

    def move(self, offset: int) -> None:
        """Note that another position is about to be committed."""
        if offset != self.position:
            self.state, self.uncounted = self.state.moved(offset), False
