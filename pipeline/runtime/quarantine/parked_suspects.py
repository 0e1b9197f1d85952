"""The search for a parked record that ends its process: the state of one partition. It does no I/O.

The offset of a parked record is committed, so no position stays in front of it, and halving (`suspects`) never reaches
it. Its state is kept in the same note beside the committed offset. The record in which the last process died, if that
is known, runs alone next. If it is not known, deaths are counted while parked records are in work. After `LIVES` of
them few parked records run at once, and the first ones each alone (`parked_gate`). As everywhere, only a death alone
counts against a record, and after `DEATHS` of those it is given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.runtime.quarantine.suspects import DEATHS, LIVES, SPARED

MAX_SUSPECTS: Final = 20
"""Largest number of suspects that are remembered. Older ones are found anew."""
NONE_RUNS: Final = -1
"""Used as an offset: no parked record runs alone."""


@dataclass(frozen=True, slots=True)
class ParkedSuspicion:
    """The state of the parked records of one partition.

    Attributes:
        lives: number of processes that had parked records in work and have not ended in order, one behind the other
            without much progress.
        narrow: True if one that ends its process is searched among them, so that few run at once.
        running: offset of the one that runs alone.
        suspects: offsets of suspects, each with the number of processes that died while it ran alone.
    """

    lives: int = 0
    narrow: bool = False
    running: int = NONE_RUNS
    suspects: tuple[tuple[int, int], ...] = ()

    def inherited(self, *, hinted: bool) -> ParkedSuspicion:
        """Return the state with which a process begins. A state committed as running means a death.

        `hinted`: a record is known, of whichever partition, in which the last process died.
        """
        state = self
        if self.running != NONE_RUNS:
            state = self.suspecting(self.running, self.deaths(self.running) + 1)
        narrow = self.narrow or self.lives >= LIVES + (SPARED if hinted else 0)
        return replace(state, running=NONE_RUNS, narrow=narrow)

    def deaths(self, offset: int) -> int:
        """Return the number of processes that died while this record ran alone."""
        return dict(self.suspects).get(offset, 0)

    def condemned(self, offset: int) -> bool:
        """Return True if the record must be given up."""
        return self.deaths(offset) >= DEATHS

    def suspects_record(self, offset: int) -> bool:
        """Return True if this record is a suspect."""
        return any(offset == suspect for suspect, _ in self.suspects)

    def suspecting(self, offset: int, deaths: int = 0) -> ParkedSuspicion:
        """Return the state with this record as a suspect."""
        others = (each for each in self.suspects if each[0] != offset)
        return replace(self, suspects=(*others, (offset, max(deaths, self.deaths(offset))))[-MAX_SUSPECTS:])

    def without(self, offset: int) -> ParkedSuspicion:
        """Return the state without this suspect: it is finished, or gone."""
        return replace(self, suspects=tuple(each for each in self.suspects if each[0] != offset))

    def given_up(self, offset: int) -> ParkedSuspicion:
        """Return the state after this record was given up. The killer is found: earlier deaths prove nothing more."""
        return replace(self.without(offset), lives=0, narrow=False)

    def taking(self) -> ParkedSuspicion:
        """Return the state to commit before parked records are loaded."""
        return replace(self, lives=self.lives + 1)

    def untaken(self) -> ParkedSuspicion:
        """Return the state after `taking` while no parked record is in work. Earlier deaths still count."""
        return replace(self, lives=max(self.lives - 1, 0))

    def moved_on(self, *, counted: bool) -> ParkedSuspicion:
        """Return the state after many records were finished: earlier deaths prove nothing about those behind them.

        `counted`: this process is one of the lives.
        """
        return replace(self, lives=int(counted))

    def alone(self, offset: int) -> ParkedSuspicion:
        """Return the state to commit before this record runs alone."""
        return replace(self, running=offset)

    def not_alone(self) -> ParkedSuspicion:
        """Return the state after `alone`: the process has survived the record, or it has not run."""
        return replace(self, running=NONE_RUNS)

    def trusted(self) -> ParkedSuspicion:
        """Return the state after so many records were survived alone that the search ends."""
        return replace(self, lives=0, narrow=False)

    def rested(self) -> ParkedSuspicion:
        """Return the state for a process that ends in order: its end proves nothing about these records."""
        return replace(self, lives=0, running=NONE_RUNS)


NO_SUSPICION: Final = ParkedSuspicion()


def to_note(state: ParkedSuspicion) -> list[Any]:
    """Return the state's part of a note; empty if there is nothing to say."""
    if state == NO_SUSPICION:
        return []
    return [state.lives, state.narrow, state.running, state.suspects]


def from_note(part: Sequence[Any]) -> ParkedSuspicion:
    """Read a state back. A part that can't be read is no suspicion."""
    try:
        lives, narrow, running, suspects = part
        found = tuple((int(offset), int(deaths)) for offset, deaths in suspects)
        return ParkedSuspicion(int(lives), bool(narrow), int(running), found)
    except (ValueError, TypeError):
        return NO_SUSPICION
