"""The search for a record that ends its process, by nothing but the deaths of processes. It does no I/O.

The state of a partition is kept beside its committed offset, in the broker, so that it follows the partition wherever
it moves. Deaths without progress make the records behind the position suspects. Halving narrows them: a process runs
only a window of them, and commits that before it does. A window that is survived is left behind, and its sibling is
halved; a window in which the process dies is halved itself. A death counts against a record only if the record ran
alone in its process. After `DEATHS` of those the record is given up. If the record in which the last process died is
known (`crash_marker`), it runs alone next. That is a hint: if the process survives it, halving continues.

    unsuspected ─ LIVES deaths ─▶ window ─ died: first half; survived: sibling ─▶ alone ─ DEATHS deaths ─▶ given up
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import orjson

LIVES: Final = 2
"""Number of processes that die at one position until the records behind it are suspects."""
DEATHS: Final = 3
"""Number of processes that a record kills while it runs alone until it is given up."""
SPARED: Final = 3
"""Number of processes for which a partition is not suspected, or not narrowed, while hints name other partitions."""
ELSEWHERE: Final = -1
"""Used as an offset: the last process died in a record of another partition."""
SPAN: Final = 4_096
"""Largest number of suspect offsets: a process has no more unfinished records of one partition."""
GIVEN_UP: Final = 100
"""Largest number of remembered records that were given up behind a waiting one. Older ones are found anew."""
_VERSION: Final = 1


class Running(StrEnum):
    """The suspects that may run in the process that committed the state."""

    NOTHING = ""
    WINDOW = "window"
    SINGLE = "single"
    """The window's last record, which does not run alone because another one behind it has died alone."""
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The state of one partition. Offsets are absolute. The frontier is behind all that this process has survived.

    Attributes:
        lives: number of processes that took records at the committed position and have not ended in order. While there
            are suspects: number that died in another partition's record since the window was narrowed.
        ends: ends of nested ranges that all begin at the frontier, the smallest first. A process died in each of them.
        running: the part of `[frontier, ends[0])` that may run.
        at: offset of the record that ran alone last; -1 for none.
        deaths: number of processes that died while it ran alone.
        given_up: offsets of given-up records, kept while an unfinished record in front of them holds the position.
    """

    lives: int = 0
    ends: tuple[int, ...] = ()
    running: Running = Running.NOTHING
    at: int = -1
    deaths: int = 0
    given_up: tuple[int, ...] = ()

    @property
    def needs_end(self) -> bool:
        """True if `inherited` needs the end of the partition."""
        return not self.ends and self.lives >= LIVES

    def inherited(self, position: int, end: int = 0, hint: int | None = None, *, again: bool = False) -> Suspicion:
        """Return the state with which a process begins at `position`. A state committed as running means a death.

        `end` is the offset behind the partition's last record, given if the state `needs_end`. `hint` is the offset of
        the record in which the last process died, or `ELSEWHERE`; None: unknown. `again`: an earlier process died in it
        too, which is enough to suspect it at any position.
        """
        given_up = tuple(offset for offset in self.given_up if offset >= position)
        return replace(self._inherited(position, end, hint, again), given_up=given_up)

    def _inherited(self, position: int, end: int, hint: int | None, again: bool) -> Suspicion:
        if not self.ends:
            return self._suspecting(position, min(end, position + SPAN), hint, again)
        ends = tuple(known for known in self.ends if known > position)
        if not ends:
            return CLEAR
        state = replace(self, ends=ends, running=Running.NOTHING)._forgetting(position)
        if self.running in (Running.WINDOW, Running.SINGLE) and ends[0] == self.ends[0]:
            return state._died_in_window(position, hint, single=self.running is Running.SINGLE)
        if self.running is Running.ALONE and state.at >= 0:
            before = (self.at,) if self.at > position else ()
            return replace(state, ends=(*before, *ends), deaths=self.deaths + 1)
        return state

    def _suspecting(self, position: int, end: int, hint: int | None, again: bool) -> Suspicion:
        if again and not self.needs_end and hint is not None and hint >= position and hint not in self.given_up:
            return Suspicion(max(self.lives, 1), (hint + 1,))._aimed(
                position, hint
            )  # if it survives, a death still counts
        if not self.needs_end or (hint == ELSEWHERE and self.lives < LIVES + SPARED):
            return self
        return Suspicion(ends=(end,))._aimed(position, hint) if end > position else CLEAR

    def _died_in_window(self, position: int, hint: int | None, *, single: bool) -> Suspicion:
        if hint == ELSEWHERE and self.lives < SPARED:
            return replace(self, lives=self.lives + 1)
        if self.at >= self.ends[0] and (single or self.ends[0] == position + 1):
            return replace(self, lives=0, at=-1, deaths=0)  # it must run alone, whatever is known of another
        return replace(self, lives=0)._aimed(position, hint)

    def single(self, frontier: int) -> bool:
        """Return True if one record is left in the window. It must run alone."""
        return bool(self.ends) and self.ends[0] == frontier + 1

    def condemned(self, offset: int) -> bool:
        """Return True if the record at `offset` must be given up."""
        return offset in self.given_up or (self.at == offset and self.deaths >= DEATHS)

    def taking(self) -> Suspicion:
        """Return the state to commit before records of an unsuspected partition are taken at this position."""
        return replace(self, lives=self.lives + 1)

    def in_window(self, frontier: int) -> Suspicion:
        """Return the state to commit before the records of the window run."""
        return replace(self, running=Running.SINGLE if self.single(frontier) else Running.WINDOW)

    def alone(self, offset: int) -> Suspicion:
        """Return the state to commit before the record at `offset` runs alone in its process."""
        return replace(self, running=Running.ALONE, at=offset, deaths=self.deaths if self.at == offset else 0)

    def survived(self, frontier: int) -> Suspicion:
        """Return the state after the process has run, or given up, all records below `frontier`, and lives."""
        ends = tuple(end for end in self.ends if end > frontier)
        if self.at < frontier and self.deaths >= DEATHS:  # the killer is found: the others are no suspects
            given_up = (*(offset for offset in self.given_up if offset != self.at), self.at)
            return Suspicion(ends=ends[-1:], given_up=given_up[-GIVEN_UP:])
        if not ends:
            return Suspicion(self.lives, given_up=self.given_up)
        return replace(self, ends=ends, running=Running.NOTHING)._forgetting(frontier)._halved(frontier)

    def moved(self, position: int) -> Suspicion:
        """Return the state after the position moved: earlier deaths prove nothing about the records behind it."""
        return replace(self, lives=0, given_up=tuple(offset for offset in self.given_up if offset >= position))

    def rested(self) -> Suspicion:
        """Return the state for a process that ends in order: its end proves nothing about these records."""
        return replace(self, lives=0, running=Running.NOTHING)

    def held(self, *, counted: bool) -> Suspicion:
        """Return the state while a record of another partition runs alone: a death then proves nothing about these.

        Earlier deaths still count. `counted`: this process is one of the lives.
        """
        return replace(self, lives=max(self.lives - counted, 0), running=Running.NOTHING)

    def _halved(self, frontier: int) -> Suspicion:
        half = (self.ends[0] - frontier) // 2
        return replace(self, ends=(frontier + half, *self.ends)) if half else self

    def _aimed(self, frontier: int, hint: int | None) -> Suspicion:
        """Return the state narrowed to the hinted record if it is in the window; else halved."""
        if hint is None or not frontier <= hint < self.ends[0]:
            return self._halved(frontier)
        closer = (end for end in (hint, hint + 1) if frontier < end < self.ends[0])
        return replace(self, ends=(*closer, *self.ends))

    def _forgetting(self, frontier: int) -> Suspicion:
        return self if self.at >= frontier else replace(self, at=-1, deaths=0)


CLEAR: Final = Suspicion()


def encode(state: Suspicion, parked: Sequence[Any] = ()) -> str:
    """Return the metadata of a committed offset: empty for a clear state, and far below Kafka's 4,096 bytes.

    `parked` is the part about parked records (`parked_suspects`).
    """
    if state == CLEAR and not parked:
        return ""
    found = [_VERSION, state.lives, state.ends, state.running, state.at, state.deaths]
    found += [state.given_up] if state.given_up or parked else []
    found += [parked] if parked else []
    return orjson.dumps(found).decode()


def decode_parked(metadata: str | None) -> Sequence[Any]:
    """Read back the part about parked records; empty if there is none."""
    try:
        version, *fields = orjson.loads(metadata or "")
        return fields[6] if version == _VERSION and len(fields) > 6 else ()
    except (ValueError, TypeError):
        return ()


def decode(metadata: str | None) -> Suspicion:
    """Read a state back. Metadata of another program is a clear state."""
    try:
        version, lives, ends, running, at, deaths, *rest = orjson.loads(metadata or "")
        given_up = tuple(map(int, rest[0])) if rest else ()
        return (
            Suspicion(int(lives), tuple(map(int, ends)), Running(running), int(at), int(deaths), given_up)
            if version == _VERSION
            else CLEAR
        )
    except (ValueError, TypeError):
        return CLEAR
