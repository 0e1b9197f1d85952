"""Connection slots: how many calls may be in flight, in all, to each host, and for each account of a host.

A call holds a slot from before its intent until its answer. Three bounds keep a host that hangs from taking the slots
of others:

- account: at most `per_account` of its calls begin without an answer to one of them.
- host: the same with `per_host`, over all of its accounts.
- total: a host with `per_host` calls or more begins another only below `total` calls. The other hosts begin theirs
  below twice `total`, so that they never wait for a host that has taken everything.

An account or host that answers is bounded by `total` alone. Slots that become free go to the host with the fewest calls
in flight and there to the account with the fewest; among equals each is served in turn. This is pure logic.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from pipeline.messenger.waking import do_nothing

T = TypeVar("T")


class SlotBounds(NamedTuple):
    """Numbers of calls in flight, each at least 1.

    Attributes:
        total: of all hosts together.
        per_host: of one host without an answer. It is at most `total`.
        per_account: of one account without an answer.
    """

    total: int
    per_host: int
    per_account: int


class _Ready(Generic[T]):
    """The holders that may begin a call, by their number of calls in flight. Among equals the first that came."""

    __slots__ = ("_levels", "_where")

    def __init__(self) -> None:
        self._levels: dict[int, OrderedDict[T, None]] = {}
        self._where: dict[T, int] = {}

    def put(self, holder: T, in_flight: int) -> None:
        if self._where.get(holder) != in_flight:
            self.discard(holder)
            self._levels.setdefault(in_flight, OrderedDict())[holder] = None
            self._where[holder] = in_flight

    def discard(self, holder: T) -> None:
        level = self._where.pop(holder, None)
        if level is not None:
            del self._levels[level][holder]
            if not self._levels[level]:
                del self._levels[level]

    def first(self) -> T | None:
        return next(iter(self._levels[min(self._levels)])) if self._levels else None


class _Holder:
    """The calls in flight of an account or a host.

    Attributes:
        unanswered: calls that began since the last answer.
    """

    __slots__ = ("bound", "in_flight", "unanswered")

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.in_flight = self.unanswered = 0

    @property
    def has_room(self) -> bool:
        return self.in_flight < self.bound or self.unanswered < self.bound


class HostSlots(_Holder):
    """The slots of one host.

    Attributes:
        provider: name of the provider, for metrics.
        ready: its accounts with a call that may begin.
        waiting: number of calls that wait for a slot.
    """

    __slots__ = ("provider", "ready", "waiting")

    def __init__(self, provider: str, bound: int) -> None:
        super().__init__(bound)
        self.provider = provider
        self.ready: _Ready[AccountSlots] = _Ready()
        self.waiting = 0


class AccountSlots(_Holder):
    """The slots of one account.

    Attributes:
        queue: its calls that wait for a slot, the oldest first.
    """

    __slots__ = ("host", "queue")

    def __init__(self, host: HostSlots, bound: int) -> None:
        super().__init__(bound)
        self.host = host
        self.queue: OrderedDict[ConnectionSlot, None] = OrderedDict()


class ConnectionSlot:
    """One call's slot, or its place in the queue for one.

    Attributes:
        held: True from the grant until the release.
        wake: called once if the call had to wait: when the slot is granted, or when the wait is cancelled.
    """

    __slots__ = ("_slots", "account", "held", "wake")

    def __init__(self, slots: ConnectionSlots, account: AccountSlots) -> None:
        self._slots = slots
        self.account = account
        self.held = False
        self.wake: Callable[[], None] = do_nothing

    @property
    def waits(self) -> bool:
        return self in self.account.queue

    def release(self) -> None:
        """Give the slot back, or leave the queue. The second call has no effect."""
        if self.held or self.waits:
            self._slots.release(self)


class ConnectionSlots:
    """Grants slots within the bounds. Its calls to `wake` come before the method returns."""

    def __init__(self, bounds: SlotBounds) -> None:
        self._bounds: Final = bounds._replace(per_host=min(bounds.per_host, bounds.total))
        self._in_flight = self._waiting = 0
        self._ready: _Ready[HostSlots] = _Ready()

    def host(self, provider: str) -> HostSlots:
        """Return the slots of a host that has no calls yet."""
        return HostSlots(provider, self._bounds.per_host)

    def account(self, host: HostSlots) -> AccountSlots:
        """Return the slots of an account that has no calls yet."""
        return AccountSlots(host, self._bounds.per_account)

    def acquire(self, account: AccountSlots) -> ConnectionSlot:
        """Return a slot that is held, or that waits behind the others of its account."""
        slot, host = ConnectionSlot(self, account), account.host
        if not account.queue and account.has_room and host.has_room and self._has_room(host):
            self._grant(slot)
        else:
            account.queue[slot] = None
            host.waiting += 1
            self._waiting += 1
            self._update(account)
        return slot

    def release(self, slot: ConnectionSlot) -> None:
        """Take a slot back that is held or waits, and grant what may begin now."""
        account = slot.account
        if slot.held:
            slot.held = False
            account.in_flight -= 1
            account.host.in_flight -= 1
            self._in_flight -= 1
            if not self._waiting:
                return
        else:
            self._dequeue(slot)
        self._update(account)
        self._grant_ready()

    def answered(self, account: AccountSlots) -> None:
        """Note that the account's host answered a call."""
        account.unanswered = account.host.unanswered = 0

    def cancel(self, account: AccountSlots) -> None:
        """End the waits of all calls of an account, without a slot."""
        for slot in tuple(account.queue):
            self._dequeue(slot)
            slot.wake()
        self._update(account)

    def _grant_ready(self) -> None:
        while (host := self._ready.first()) and self._has_room(host) and (account := host.ready.first()):
            slot = next(iter(account.queue))
            self._dequeue(slot)
            self._grant(slot)
            self._update(account)
            slot.wake()

    def _grant(self, slot: ConnectionSlot) -> None:
        slot.held = True
        self._in_flight += 1
        for holder in (slot.account, slot.account.host):
            holder.in_flight += 1
            holder.unanswered += 1

    def _dequeue(self, slot: ConnectionSlot) -> None:
        del slot.account.queue[slot]
        slot.account.host.waiting -= 1
        self._waiting -= 1

    def _has_room(self, host: HostSlots) -> bool:
        below = self._bounds.total if host.in_flight >= self._bounds.per_host else 2 * self._bounds.total
        return self._in_flight < below

    def _update(self, account: AccountSlots) -> None:
        """Put the account and its host where their numbers belong in the order of service."""
        host = account.host
        _place(account, host.ready, can_begin=bool(account.queue) and account.has_room)
        _place(host, self._ready, can_begin=host.ready.first() is not None and host.has_room)


H = TypeVar("H", bound=_Holder)


def _place(holder: H, ready: _Ready[H], *, can_begin: bool) -> None:
    if can_begin:
        ready.put(holder, holder.in_flight)
    else:
        ready.discard(holder)
