"""Finding the record that ends its process, from deaths alone. No I/O, no clock.

The state of a partition is kept beside its committed offset, in the broker, so that it follows the partition wherever
it moves. Deaths without progress make the records behind the position suspect. They are narrowed by halves: a process
runs only a window of them, and commits that before it does. A window that is survived is left behind and its sibling is
halved; one in which the process dies is halved itself. A death counts against a record only when that record ran alone
in its process; after `DEATHS` of those it is given up. Where it is known in the midst of which record the last process
died (`crash_marker`), that one is tried alone next. It is a hint: if the record survives, narrowing goes on.

    unsuspected ─ LIVES deaths ─▶ window ─ died: first half; survived: sibling ─▶ alone ─ DEATHS deaths ─▶ given up
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import orjson

LIVES: Final = 2
"""Processes that died at one position without moving it, after which the records behind it are suspect."""
DEATHS: Final = 3
"""Deaths of a record that ran alone, after which it is given up."""
SPARED: Final = 3
"""Lives for which a partition is not suspect, or not narrowed, while hints name records of others."""
ELSEWHERE: Final = -1
"""In the place of an offset: the last process died in the midst of another partition's record."""
SPAN: Final = 4_096
"""Offsets that are suspected at most: a process holds no more records of one partition unfinished."""
GIVEN_UP: Final = 100
"""Records given up behind one that waits that are remembered at most; any before those are found anew."""
_VERSION: Final = 1


class Running(StrEnum):
    """The part of the suspects that the process may be running that committed the state."""

    NOTHING = ""
    WINDOW = "window"
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """The state of one partition. Offsets are absolute. The frontier is behind all that this process has survived.

    Attributes:
        lives: processes that took records at the committed position and have not ended in order; of suspects, those
            that died in the midst of another partition's record since the window was narrowed.
        ends: of nested ranges, the smallest first, all from the frontier on; a process has died in each of them.
        running: whether a process runs `[frontier, ends[0])`.
        at: the record that ran alone last; -1 for none.
        deaths: of processes while it did.
        given_up: offsets of records that were, for as long as one in front of them keeps the position back.
    """

    lives: int = 0
    ends: tuple[int, ...] = ()
    running: Running = Running.NOTHING
    at: int = -1
    deaths: int = 0
    given_up: tuple[int, ...] = ()

    @property
    def needs_end(self) -> bool:
        """True if `inherited` must be told where the partition ends."""
        return not self.ends and self.lives >= LIVES

    def inherited(self, position: int, end: int = 0, hint: int | None = None, *, again: bool = False) -> Suspicion:
        """The state with which a process begins at `position`. What is committed as running has died.

        `end` is the partition's, behind its last record; it is asked for only where the state `needs_end`. `hint` is
        the offset of the record in whose midst the last process died, or `ELSEWHERE`; None: nobody knows. `again`: an
        earlier process died there too, which is enough wherever the position stands.
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
        if self.running is Running.WINDOW and ends[0] == self.ends[0]:
            return state._died_in_window(position, hint)
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

    def _died_in_window(self, position: int, hint: int | None) -> Suspicion:
        if hint == ELSEWHERE and self.lives < SPARED:
            return replace(self, lives=self.lives + 1)
        if self.at >= self.ends[0] == position + 1:
            return replace(self, lives=0, at=-1, deaths=0)  # it must run alone, whatever is known of another
        return replace(self, lives=0)._aimed(position, hint)

    def single(self, frontier: int) -> bool:
        """True if one record is left in the window. It must run alone."""
        return bool(self.ends) and self.ends[0] == frontier + 1

    def condemned(self, offset: int) -> bool:
        """True if the record at `offset` is to be given up."""
        return offset in self.given_up or (self.at == offset and self.deaths >= DEATHS)

    def taking(self) -> Suspicion:
        """To be committed before an unsuspected partition's records are taken at this position."""
        return replace(self, lives=self.lives + 1)

    def in_window(self) -> Suspicion:
        """To be committed before the records of the window run."""
        return replace(self, running=Running.WINDOW)

    def alone(self, offset: int) -> Suspicion:
        """To be committed before the record at `offset` runs, and nothing else in its process."""
        return replace(self, running=Running.ALONE, at=offset, deaths=self.deaths if self.at == offset else 0)

    def survived(self, frontier: int) -> Suspicion:
        """The process has run, or given up, everything below `frontier` and lives."""
        ends = tuple(end for end in self.ends if end > frontier)
        if self.at < frontier and self.deaths >= DEATHS:  # nothing is held against the others any more
            given_up = (*(offset for offset in self.given_up if offset != self.at), self.at)
            return Suspicion(ends=ends[-1:], given_up=given_up[-GIVEN_UP:])
        if not ends:
            return Suspicion(self.lives, given_up=self.given_up)
        return replace(self, ends=ends, running=Running.NOTHING)._forgetting(frontier)._halved(frontier)

    def moved(self, position: int) -> Suspicion:
        """The position has come to `position`: earlier deaths say nothing about what is behind it."""
        return replace(self, lives=0, given_up=tuple(offset for offset in self.given_up if offset >= position))

    def rested(self) -> Suspicion:
        """The process ends in order: its death will say nothing about these records."""
        return replace(self, lives=0, running=Running.NOTHING)

    def held(self, *, counted: bool) -> Suspicion:
        """A record of another partition runs alone: a death will say nothing about these, and those before it do.

        `counted`: this process is one of the lives.
        """
        return replace(self, lives=max(self.lives - counted, 0), running=Running.NOTHING)

    def _halved(self, frontier: int) -> Suspicion:
        half = (self.ends[0] - frontier) // 2
        return replace(self, ends=(frontier + half, *self.ends)) if half else self

    def _aimed(self, frontier: int, hint: int | None) -> Suspicion:
        """Narrowed to the record that is hinted at, which is in the window; else halved."""
        if hint is None or not frontier <= hint < self.ends[0]:
            return self._halved(frontier)
        closer = (end for end in (hint, hint + 1) if frontier < end < self.ends[0])
        return replace(self, ends=(*closer, *self.ends))

    def _forgetting(self, frontier: int) -> Suspicion:
        return self if self.at >= frontier else replace(self, at=-1, deaths=0)


CLEAR: Final = Suspicion()


def encode(state: Suspicion) -> str:
    """For a committed offset's metadata: empty where there is nothing to say, and far below Kafka's 4,096 bytes."""
    if state == CLEAR:
        return ""
    found = [_VERSION, state.lives, state.ends, state.running, state.at, state.deaths]
    found += [state.given_up] if state.given_up else []
    return orjson.dumps(found).decode()


def decode(metadata: str | None) -> Suspicion:
    """Reads it back. What somebody else has written there says nothing."""
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
