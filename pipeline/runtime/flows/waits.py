"""What the records of a concurrent flow wait for, by partition and account. Never counted per record."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pipeline.runtime.flows.fairness import FairKey, Fairness
from pipeline.runtime.flows.holds import Hold, Holds
from pipeline.runtime.flows.in_flight import InFlightRecord
from pipeline.runtime.parking.queues import ParkedQueue

K = TypeVar("K")


class HeldBy(StrEnum):
    """What the runtime itself lets a record wait for. A stage names further ones (`KeyUnavailable.held_by`)."""

    NOTHING = "nothing"
    """It is worked on, or can be now."""
    BREAKER = "breaker"
    """Its group fails."""
    RETRY = "retry"
    """Its next try is due later."""
    IN_WORK = "in_work"
    """Its work has begun, and waits for something that its group shares, such as a permit."""
    TURN = "turn"
    """It is parked, and others have their turn before it."""
    ROOM = "room"
    """It must be parked, and there is no room."""


Place = tuple[int, str, str]
"""The number of a partition, a tenant and an account."""


@dataclass(slots=True, eq=False)
class Wait:
    """The records that wait for one thing.

    Attributes:
        ends_at: time of the event loop at which the first of them need not wait any more; infinity: it is unknown.
    """

    records: int = 0
    ends_at: float = math.inf

    def plus(self, other: Wait) -> Wait:
        """Return both together."""
        return Wait(self.records + other.records, min(self.ends_at, other.ends_at))


Waits = dict[Place, dict[str, Wait]]
"""What waits, by place and what it waits for."""


class WaitCount:
    """Counts the records of one flow."""

    def __init__(self, fairness: Fairness, holds: Holds) -> None:
        self._fairness = fairness
        self._holds = holds
        self._waits: dict[tuple[int, str, str, str], Wait] = {}

    def found(self) -> Waits:
        """Return what was counted."""
        found: Waits = {}
        for (partition, group, account, held_by), wait in self._waits.items():
            add(found.setdefault((partition, self._fairness.owner(group), account), {}), {held_by: wait})
        return found

    def taken(self, queue: Sequence[InFlightRecord], epoch: int) -> None:
        """Count records of one ordering key, from the one that is worked on. Those of another epoch are left out."""
        front, records = queue[0], sum(item.epoch == epoch for item in queue)
        if not records:
            return
        if not front.waits:
            held_by, ends_at = HeldBy.NOTHING.value, math.inf
        elif (hold := self._holds.last(front.fair_key)) is not None:
            held_by, ends_at = hold.held_by, hold.ends_at
        else:
            held_by = HeldBy.IN_WORK.value if front.waits_for_group else HeldBy.RETRY.value
            ends_at = front.wakes_at if front.wakes_at > 0 else math.inf
        self._add(front.tp.partition, front.fair_key, records, held_by, ends_at)

    def without_room(self, items: Iterable[InFlightRecord]) -> None:
        """Count records that wait for room."""
        for item in items:
            self._add(item.tp.partition, item.fair_key, 1, HeldBy.ROOM.value)

    def parked(self, queues: Iterable[ParkedQueue]) -> None:
        """Count parked records that are not in memory. There may be a hundred thousand queues."""
        find, turn = (self._holds.last if self._holds else _no_hold), HeldBy.TURN.value
        for queue in queues:
            if (records := queue.waiting) > 0:
                hold = find(queue.fair_key)
                if hold is None:
                    self._add(queue.partition, queue.fair_key, records, turn)
                else:
                    self._add(queue.partition, queue.fair_key, records, hold.held_by, hold.ends_at)

    def _add(self, partition: int, fair_key: FairKey, records: int, held_by: str, ends_at: float = math.inf) -> None:
        name = partition, fair_key[0], self._fairness.account(fair_key), held_by
        wait = self._waits.get(name)
        if wait is None:
            self._waits[name] = Wait(records, ends_at)
            return
        wait.records += records
        if ends_at < wait.ends_at:  # noqa: PLR1730 (a call of `min` for each of many queues)
            wait.ends_at = ends_at


def _no_hold(_: FairKey) -> Hold | None:
    return None


def by_account(waits: Waits) -> dict[FairKey, dict[str, Wait]]:
    """Return what waits, by tenant and account. What belongs to no account is left out."""
    found: dict[FairKey, dict[str, Wait]] = {}
    for (_, tenant, account), each in waits.items():
        if account:
            add(found.setdefault((tenant, account), {}), each)
    return found


def add(waits: dict[K, Wait], more: Mapping[K, Wait]) -> None:
    """Add what waits for the same."""
    for name, wait in more.items():
        known = waits.get(name)
        waits[name] = wait if known is None else known.plus(wait)
