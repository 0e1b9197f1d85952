"""The parked records of one flow as people see them: sizes, ages, and the reasons why they wait."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NamedTuple, TypeVar

from pipeline.masking import masker
from pipeline.runtime.flows.fairness import Fairness, group_key
from pipeline.runtime.flows.holds import Holds
from pipeline.runtime.parking.queue_rows import TABLE
from pipeline.runtime.parking.queues import ParkedQueue, ParkedSize
from pipeline.runtime.parking.rows import offset_in, record_key, timestamp_in
from pipeline.runtime.tables.tables import Tables

T = TypeVar("T")

MAX_LOOKUPS: Final = 1_000
"""First records that are looked up at once, at most. Of further queues an earlier one is shown, which is older."""

_UNKNOWN: Final = sys.maxsize
"""Stands for a timestamp that is unknown, and is later than all others."""

Place = tuple[int, bytes]
"""The partition of a queue and its tag, the order in which queues are listed."""


class QueueState(NamedTuple):
    """One queue of parked records.

    Attributes:
        key: its key; that of its group's account for the queue of a group, empty if that has none.
        loaded: those of its records that are in memory.
        oldest: timestamp of its first record, in ms; None: unknown.
        held: seconds until one of its records is tried again; None: nothing holds it.
        cause: description of the error that holds it; empty if nothing does, or if it is unknown.
    """

    place: Place
    tenant: str
    key: str
    records: int
    size: int
    loaded: int
    oldest: int | None
    held: float | None
    cause: str


class ParkedView:
    """Reads the queues of one flow. It changes nothing but what is known of their ages.

    Args:
        queues: returns all queues.
        fairness: names the account of a key, and the tenant of a group.
    """

    def __init__(
        self,
        tables: Tables,
        queues: Callable[[], Iterator[ParkedQueue]],
        holds: Holds,
        fairness: Fairness,
    ) -> None:
        self._tables = tables
        self._queues = queues
        self._holds = holds
        self._fairness = fairness

    def sizes(self) -> dict[int, ParkedSize]:
        """Return the size of what is parked, by partition. A partition without parked records is left out."""
        return self._sums(lambda queue: queue.partition)

    def accounts(self, partitions: Collection[int], limit: int) -> dict[tuple[str, str], ParkedSize]:
        """Return the size of what is parked for the largest `limit` accounts, by group and account."""
        sums = self.by_account(partitions).items()
        return dict(heapq.nlargest(limit, sums, key=lambda pair: pair[1].records))

    def by_account(self, partitions: Collection[int]) -> dict[tuple[str, str], ParkedSize]:
        """Return the size of what is parked, by group and account."""

        def account(queue: ParkedQueue) -> tuple[str, str] | None:
            if queue.partition not in partitions:
                return None
            return self._fairness.owner(queue.fair_key[0]), self._fairness.account(queue.fair_key)

        return {name: size for name, size in self._sums(account).items() if name is not None}

    def hold(self, tenant: str, account: str) -> tuple[float | None, str]:
        """Return the seconds until a record of an account is tried, and the cause; None: nothing holds all of it.

        An account is a group of keys, or a key of its tenant.
        """
        held, cause = self._holds.state(group_key(account))
        return (held, cause) if held is not None else self._holds.state((tenant, account))

    def page(self, after: Place | None, limit: int, tenant: str | None = None) -> list[QueueState]:
        """Return up to `limit` queues behind the place `after`, in the order of places. None: from the first on."""
        wanted = (queue for queue in self._saved() if tenant is None or self._owner(queue) == tenant)
        behind = (queue for queue in wanted if after is None or _place(queue) > after)
        chosen = heapq.nsmallest(limit, behind, key=_place)
        self._look_up(chosen)
        return [self._state(queue) for queue in chosen]

    def _state(self, queue: ParkedQueue) -> QueueState:
        held, cause = self._holds.state(queue.fair_key)
        tenant, key = self._owner(queue), queue.fair_key[1] or self._fairness.account(queue.fair_key)
        sizes = queue.durable, queue.size, len(queue.loaded)
        return QueueState(_place(queue), tenant, key, *sizes, queue.oldest, held, cause)

    def _owner(self, queue: ParkedQueue) -> str:
        return self._fairness.owner(queue.fair_key[0])

    def _saved(self) -> Iterator[ParkedQueue]:
        return (queue for queue in self._queues() if queue.durable > 0)

    def _sums(self, name: Callable[[ParkedQueue], T]) -> dict[T, ParkedSize]:
        """Add up what is parked. There may be a hundred thousand queues, so nothing is made for each."""
        found: dict[T, list[int]] = {}
        self._look_up(queue for queue in self._queues() if queue.loaded or queue.oldest_from != queue.cursor)
        for queue in self._queues():
            records = queue.rows - len(queue.unsaved)
            if records <= 0:
                continue
            key, at = name(queue), queue.oldest
            oldest = _UNKNOWN if at is None or at < 0 else at
            sums = found.get(key)
            if sums is None:
                found[key] = [records, queue.size, oldest]
            else:
                sums[0] += records
                sums[1] += queue.size
                sums[2] = min(sums[2], oldest)
        return {
            key: ParkedSize(records, size, None if oldest == _UNKNOWN else oldest)
            for key, (records, size, oldest) in found.items()
        }

    # Ages

    def _look_up(self, queues: Iterable[ParkedQueue]) -> None:
        """Find out the age of the first record of the queues whose first record has changed."""
        left = MAX_LOOKUPS
        for queue in queues:
            if queue.oldest_from == queue.front:
                continue
            if not left:
                return
            left -= 1
            queue.oldest_from, queue.oldest = queue.front, self._oldest(queue)

    def _oldest(self, queue: ParkedQueue) -> int | None:
        for key, row in self._tables[TABLE].scan(queue.partition, record_key(queue.digest, queue.front)):
            offset = offset_in(key, queue.digest)
            if offset is None:
                return None
            if offset not in queue.finished:
                return timestamp_in(row)
        return None


def _place(queue: ParkedQueue) -> Place:
    if not queue.tag:  # the digest itself would tell a phone number to whoever tries them all
        queue.tag = masker().tag(queue.digest)
    return queue.partition, queue.tag
