"""Connection slots: bounded per account, per host and in all, fair, and never idle while somebody waits."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from pipeline.messenger.slots import AccountSlots, ConnectionSlot, ConnectionSlots, HostSlots, SlotBounds

BOUNDS = st.builds(SlotBounds, st.integers(1, 8), st.integers(1, 8), st.integers(1, 4))
ACQUIRE, RELEASE, ANSWER, CANCEL = "acquire", "release", "answer", "cancel"
MOVES = st.lists(
    st.tuples(st.sampled_from([ACQUIRE] * 4 + [RELEASE] * 2 + [ANSWER, CANCEL]), st.integers(0, 5), st.integers(0, 99)),
    max_size=80,
)


class Pool:
    """Slots of six accounts on three hosts, with all that was granted, woken and released."""

    def __init__(self, bounds: SlotBounds, hosts: int = 3, accounts: int = 6) -> None:
        self.bounds = bounds._replace(per_host=min(bounds.per_host, bounds.total))
        self.slots = ConnectionSlots(bounds)
        self.hosts: list[HostSlots] = [self.slots.host("cloud") for _ in range(hosts)]
        self.accounts: list[AccountSlots] = [self.slots.account(self.hosts[n % hosts]) for n in range(accounts)]
        self.asked: defaultdict[AccountSlots, list[ConnectionSlot]] = defaultdict(list)
        self.woken: list[ConnectionSlot] = []

    def acquire(self, account: int) -> ConnectionSlot:
        slot = self.slots.acquire(self.accounts[account])
        self.asked[slot.account].append(slot)
        if not slot.held:
            slot.wake = lambda: self.woken.append(slot)
        return slot

    def acquire_many(self, account: int, count: int) -> list[ConnectionSlot]:
        return [self.acquire(account) for _ in range(count)]

    def held(self, account: int | None = None) -> list[ConnectionSlot]:
        chosen = self.accounts if account is None else [self.accounts[account]]
        return [slot for each in chosen for slot in self.asked[each] if slot.held]

    def answer(self, slot: ConnectionSlot) -> None:
        self.slots.answered(slot.account)
        slot.release()

    def play(self, moves: list[tuple[str, int, int]]) -> None:
        for move, account, which in moves:
            found = [slot for each in self.asked.values() for slot in each if slot.held or slot.waits]
            if move == ACQUIRE:
                self.acquire(account)
            elif move == CANCEL:
                self.slots.cancel(self.accounts[account])
            elif found:
                chosen = found[which % len(found)]
                self.answer(chosen) if move == ANSWER and chosen.held else chosen.release()
            self.check()

    def check(self) -> None:
        """Compare bounds, counts and the order of service with what the slots say."""
        assert len(self.held()) <= 2 * self.bounds.total
        for host in self.hosts:
            mine = [account for account in self.accounts if account.host is host]
            assert host.in_flight == sum(account.in_flight for account in mine) <= self.bounds.total
            assert host.waiting == sum(len(account.queue) for account in mine)
            ready = host.ready.first()
            assert ready is None or ready.queue, "an account without a call that waits is ready"
        assert not [account for account in self.accounts if account.queue and self._may_begin(account)]
        assert len(self.woken) == len(set(self.woken))
        assert not [slot for slot in self.woken if slot.waits]

    def _may_begin(self, account: AccountSlots) -> bool:
        """The bounds, in the words of the module."""
        host, total = account.host, len(self.held())
        below = 2 * self.bounds.total if host.in_flight < self.bounds.per_host else self.bounds.total
        return account.has_room and host.has_room and total < below


@given(BOUNDS, MOVES)
def test_no_bound_is_passed_and_no_slot_is_idle_while_a_call_that_may_have_it_waits(
    bounds: SlotBounds, moves: list[tuple[str, int, int]]
) -> None:
    """A host would get more calls than it may have, or a command would wait though nothing is in its way."""
    Pool(bounds).play(moves)


@given(BOUNDS, st.lists(st.tuples(st.just(ACQUIRE), st.integers(0, 5), st.just(0)), max_size=80))
def test_without_an_answer_accounts_and_hosts_keep_to_their_bounds(
    bounds: SlotBounds, moves: list[tuple[str, int, int]]
) -> None:
    """A gateway that hangs would put more sends in doubt than the settings say."""
    pool = Pool(bounds)
    pool.play(moves)
    assert all(account.in_flight <= pool.bounds.per_account for account in pool.accounts)
    assert all(host.in_flight <= pool.bounds.per_host for host in pool.hosts)


@given(BOUNDS, MOVES)
def test_all_that_waits_is_served_in_the_order_of_its_account(
    bounds: SlotBounds, moves: list[tuple[str, int, int]]
) -> None:
    """A command would wait for ever, or behind later ones of its account."""
    pool = Pool(bounds)
    pool.play([move for move in moves if move[0] != CANCEL])
    while held := pool.held():
        pool.answer(held[0])
        pool.check()
    assert not any(account.queue or account.in_flight for account in pool.accounts)
    for account in pool.accounts:
        served = [slot for slot in pool.woken if slot.account is account]
        assert served == [slot for slot in pool.asked[account] if slot in served]


def test_a_host_that_hangs_with_everything_leaves_others_what_is_theirs() -> None:
    """A shared host that answers has all connections; when it stops answering, nobody else could send."""
    pool = Pool(SlotBounds(10, 5, 2), hosts=3, accounts=3)
    slots = pool.acquire_many(0, 200)
    while len(pool.held(0)) < 10:
        pool.answer(pool.held(0)[0])
    assert any(slot.waits for slot in slots), "it has the total, and would take more"
    pool.acquire_many(1, 20)
    assert len(pool.held(1)) == 2
    while len(pool.held(1)) < 5:
        pool.answer(pool.held(1)[0])
    assert pool.acquire(2).held


def test_one_healthy_host_has_the_total_while_nobody_else_waits() -> None:
    """All Cloud API numbers share one host: a bound per host would throttle an installation that has no other."""
    pool = Pool(SlotBounds(10, 5, 2), hosts=1, accounts=1)
    pool.acquire_many(0, 100)
    assert len(pool.held()) == 2, "until it has answered"
    pool.answer(pool.held()[0])
    pool.answer(pool.held()[0])
    while len(pool.held()) < 10:
        before = len(pool.held())
        pool.answer(pool.held()[0])
        assert len(pool.held()) > before, "each answer makes it grow"


def test_a_healthy_host_gives_way_when_another_waits() -> None:
    """The second host would be served at the pace of what is left over by the first."""
    pool = Pool(SlotBounds(10, 5, 5), hosts=2, accounts=2)
    pool.acquire_many(0, 300)
    while len(pool.held(0)) < 10:
        pool.answer(pool.held(0)[0])
    pool.acquire_many(1, 300)
    for _ in range(50):
        pool.answer(pool.held(0)[0])
        pool.answer(pool.held(1)[0])
    assert (len(pool.held(0)), len(pool.held(1))) == (5, 5)


def test_a_thousand_commands_of_one_account_do_not_come_before_one_of_another() -> None:
    """A campaign would be served first because it was there first."""
    pool = Pool(SlotBounds(2, 2, 2), hosts=1, accounts=3)
    pool.acquire_many(0, 1000)
    others = [pool.acquire(1), pool.acquire(2)]
    pool.answer(pool.held(0)[0])
    pool.answer(pool.held(0)[0])
    assert all(slot.held for slot in others)


def test_accounts_of_a_host_are_served_in_turn() -> None:
    """Two campaigns on one host would not get the same."""
    pool = Pool(SlotBounds(1, 1, 1), hosts=1, accounts=2)
    pool.acquire_many(0, 10)
    pool.acquire_many(1, 10)
    for _ in range(10):
        pool.answer(pool.held()[0])
    served = [pool.accounts.index(slot.account) for slot in pool.woken]
    assert abs(served.count(0) - served.count(1)) <= 1


def test_a_cancelled_wait_wakes_without_a_slot() -> None:
    """A command of an account that is held would wait for a slot that it must not use."""
    pool = Pool(SlotBounds(1, 1, 1), hosts=1, accounts=1)
    first, second = pool.acquire_many(0, 2)
    pool.slots.cancel(pool.accounts[0])
    assert pool.woken == [second]
    assert not second.held
    assert first.held


def test_a_slot_is_released_once() -> None:
    """A second release would let more calls begin than the bound allows."""
    pool = Pool(SlotBounds(1, 1, 1), hosts=1, accounts=1)
    first, second, third = pool.acquire_many(0, 3)
    first.release()
    first.release()
    assert second.held
    assert not third.held


def test_the_last_call_that_gives_up_its_wait_leaves_nothing_behind() -> None:
    """The next slot that becomes free would be granted to a call that is gone, and end the worker."""
    pool = Pool(SlotBounds(2, 2, 2), hosts=1, accounts=2)
    first, second = pool.acquire_many(0, 2)
    pool.acquire(1).release()
    other = pool.acquire(0)
    first.release()
    second.release()
    assert other.held
