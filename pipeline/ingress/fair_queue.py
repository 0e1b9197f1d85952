"""The queue of requests that wait for their turn: deficit round robin by tenant, then round robin by account.

Pure logic: nothing here waits. Requests of one account keep their order.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, NamedTuple, TypeVar

REQUEST_BYTES: Final = 16 * 1024
"""Estimated memory of an open request beside its body, in bytes: a flood of small requests needs memory as well."""
QUANTUM: Final = 2 * REQUEST_BYTES
"""Bytes that a tenant of weight 1 may take out in one turn: one or two webhooks of the usual size."""
WEIGHTS: Final = (0.01, 100.0)
"""The least and the largest weight that counts, so that a turn takes a bounded number of steps."""

Item = TypeVar("Item")


class Origin(NamedTuple):
    """The tenant and the account that a request counts for. `weight` is the tenant's."""

    tenant: str
    account: str
    weight: float = 1.0


class TenantQueue(Generic[Item]):
    """The queued requests of one tenant, by account.

    Attributes:
        held: bytes of its queued requests.
        weight: its share among other tenants, within `WEIGHTS`.
    """

    __slots__ = ("accounts", "deficit", "held", "weight")

    def __init__(self, weight: float) -> None:
        self.weight = min(max(weight, WEIGHTS[0]), WEIGHTS[1])
        self.deficit = QUANTUM * self.weight
        self.held = 0
        self.accounts: OrderedDict[str, OrderedDict[Entry[Item], None]] = OrderedDict()

    @property
    def load(self) -> float:
        """Bytes held for each unit of weight."""
        return self.held / self.weight

    def first(self) -> Entry[Item]:
        """Return the next request: the oldest of the account whose turn it is."""
        return next(iter(next(iter(self.accounts.values()))))

    def newest(self) -> Entry[Item]:
        """Return the newest request of the account that has the most."""
        longest = max(self.accounts, key=lambda account: len(self.accounts[account]))
        return next(reversed(self.accounts[longest]))


class Entry(Generic[Item]):
    """One queued request. `size` is the bytes of its body, `cost` those that its turn takes."""

    __slots__ = ("cost", "item", "origin", "queue", "size")

    def __init__(self, origin: Origin, size: int, item: Item, queue: TenantQueue[Item]) -> None:
        self.origin = origin
        self.size = size
        self.cost = REQUEST_BYTES + size
        self.item = item
        self.queue = queue


class FairQueue(Generic[Item]):
    """Hands requests out in fair turns. A tenant that comes anew waits for one turn of each other tenant at most.

    Attributes:
        size: bytes of the bodies of all queued requests.
    """

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, TenantQueue[Item]] = OrderedDict()
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def add(self, origin: Origin, size: int, item: Item) -> Entry[Item]:
        """Queue a request behind those of its account."""
        queue = self._tenants.get(origin.tenant)
        if queue is None:
            queue = self._tenants[origin.tenant] = TenantQueue(origin.weight)
        entry = Entry(origin, size, item, queue)
        queue.accounts.setdefault(origin.account, OrderedDict())[entry] = None
        queue.held += entry.cost
        self.size += size
        return entry

    def remove(self, entry: Entry[Item]) -> None:
        """Remove a request; do nothing if it is not queued any more."""
        origin, queue = entry.origin, entry.queue
        entries = queue.accounts.get(origin.account)
        if entries is None or entry not in entries:
            return
        del entries[entry]
        queue.held -= entry.cost
        self.size -= entry.size
        if not entries:
            del queue.accounts[origin.account]
        if not queue.accounts:
            del self._tenants[origin.tenant]

    def pop(self) -> Entry[Item]:
        """Remove and return the request whose turn it is. The queue must not be empty."""
        while True:
            tenant, queue = next(iter(self._tenants.items()))
            entry = queue.first()
            if queue.deficit >= entry.cost:
                queue.deficit -= entry.cost
                queue.accounts.move_to_end(entry.origin.account)
                self.remove(entry)
                return entry
            queue.deficit += QUANTUM * queue.weight
            self._tenants.move_to_end(tenant)

    def heaviest(self) -> Entry[Item] | None:
        """Return the newest request of the tenant with the largest load; None if the queue is empty."""
        found = max(self._tenants.values(), key=lambda queue: queue.load, default=None)
        return None if found is None else found.newest()
