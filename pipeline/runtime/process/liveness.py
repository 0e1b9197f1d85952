"""Whether each partition gets on: what liveness rests on. No I/O; the clock is given.

A partition is *behind* while it has something that is not committed. Behind is no fault: a service may be away, an
account over its limit. It is stuck when nothing is done about it: no try of a record, none that is due, and no commit;
or when what is finished is not committed; or when a single try does not come to an end, whatever is done about others.
Then only a new process helps. While the broker does not answer nothing is stuck: everything may be waiting for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from faust.types import TP


class Position(NamedTuple):
    """Where a partition stands.

    Attributes:
        committed: the group's position.
        finished: below this everything is finished.
        behind: whether there is something that is not committed.
    """

    committed: int
    finished: int
    behind: bool


class Progress:
    """The last signs of life of one app's partitions, in seconds of `clock`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tried: dict[TP, float] = {}
        self._saved: dict[TP, float] = {}
        self._positions: dict[TP, Position] = {}
        self._running: dict[object, tuple[TP, float]] = {}
        self._excused = clock()

    def began(self, work: object, tp: TP, due: float = 0.0) -> None:
        """A try began, of a record of `tp`; or what must be done about it is due in `due` seconds."""
        self._running[work] = tp, self._clock() + due

    def ended(self, work: object) -> None:
        """It came to its end, or waits for the next one."""
        self._running.pop(work, None)

    def excuse(self) -> None:
        """The broker does not answer."""
        self._excused = self._clock()

    def since(self, moment: float) -> float:
        """Seconds since a moment of the clock, those left out in which the broker did not answer."""
        return max(0.0, self._clock() - max(moment, self._excused))

    def tries(self) -> dict[TP, float]:
        """Seconds since the oldest try began that has not come to its end, for each partition, ours any more or not."""
        ages: dict[TP, float] = {}
        for tp, began in self._running.values():
            ages[tp] = max(self.since(began), ages.get(tp, 0.0))
        return ages

    def tried(self, tp: TP, due: float = 0.0) -> None:
        """A record of `tp` was taken, tried or finished; the next try of one is due in `due` seconds."""
        self._tried[tp] = max(self._tried.get(tp, 0.0), self._clock() + due)

    def waits(self, topic: str, due: float) -> None:
        """Everything of `topic` waits for a try that is due in `due` seconds."""
        for tp in self._positions:
            if tp.topic == topic:
                self.tried(tp, due)

    def seen(self, tp: TP, now: Position) -> None:
        """Where `tp` was found at this moment."""
        before, clock = self._positions.get(tp), self._clock()
        self._positions[tp] = now
        committed = before is None or now.committed != before.committed
        if committed or now.finished <= now.committed:
            self._saved[tp] = clock
        if committed or not now.behind:
            self.tried(tp)

    def keep(self, tps: Collection[TP]) -> None:
        """Forgets all other partitions: they are somebody else's."""
        for known in (self._tried, self._saved, self._positions):
            for tp in known.keys() - tps:
                del known[tp]

    def ages(self) -> dict[TP, float]:
        """Seconds since anything was done for each partition that was last seen behind."""
        now = self._clock()
        return {tp: max(0.0, now - self._sign(tp, seen)) for tp, seen in self._positions.items() if seen.behind}

    def _sign(self, tp: TP, seen: Position) -> float:
        """When the last thing was done that counts: tries count for nothing while what is finished is not committed."""
        return min(self._tried[tp], self._saved[tp]) if seen.finished > seen.committed else self._tried[tp]
