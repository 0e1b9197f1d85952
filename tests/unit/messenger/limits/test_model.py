"""The limits of an account against reference limiters of a few lines: random sends, deaths and clocks set back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messenger.limits.account import SPENT_AHEAD, AccountLimiter, Limits, Send
from pipeline.messenger.limits.pairs import PairLimit, PairRule
from pipeline.messenger.limits.queue import PermitQueue, PermitWaiter, Rank
from pipeline.messenger.limits.quota import SLOT, WINDOW

PAIR: Final = PairLimit(6.0, 45)
SMALL_PAIR: Final = PairLimit(6.0, 4)
TINY: Final = 1e-6
PEOPLE: Final = ("ada", "bob", "eve")
RULES: Final = {Rank.INTERACTIVE: PairRule.BUCKET, Rank.BULK: PairRule.DEBT}

SEND, WAIT, DIE, MOVE = "send", "wait", "die", "move"
GAPS = st.floats(0, 0.2) | st.floats(0, 20) | st.just(0.0)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(SEND), st.sampled_from(PEOPLE), st.sampled_from(Rank)),
        st.tuples(st.just(WAIT), GAPS, st.none()),
        st.tuples(st.sampled_from([DIE, MOVE]), st.floats(0, 5), st.floats(0, 100)),
    ),
    min_size=1,
    max_size=120,
)


@dataclass
class Worker:
    """A messenger's process: the limiter over the durable rows, and the commands that wait for it.

    Attributes:
        time: seconds since the beginning, which nobody in the world sees.
        set_back: seconds by which the clock of this process is behind that of the one before.
        sent: time, person and rank of each call.
    """

    limits: Limits
    rows: dict[str, bytes] = field(default_factory=dict)
    time: float = 0.0
    set_back: float = 0.0
    sent: list[tuple[float, str, Rank]] = field(default_factory=list)
    wanted: deque[tuple[str, Rank]] = field(default_factory=deque)
    starts: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    @property
    def clock(self) -> float:
        return 1e9 + self.time - self.set_back

    def start(self) -> None:
        """A process begins, with nothing in memory."""
        self.queue = PermitQueue(AccountLimiter("cloud:1", self.limits, self.rows.get, self.clock))
        self.starts.append(self.time)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and send whatever may be sent meanwhile."""
        end = self.time + seconds
        while self.wanted and self.time < end:
            wait = min(self._wait(*command) for command in self.wanted)
            self.time = min(end, self.time + max(wait, TINY))
            self.send()
        self.time = end

    def _wait(self, person: str, rank: Rank) -> float:
        limiter = self.queue.limiter
        block = limiter.block(Send(person, RULES[rank]), self.clock)
        return max(block.seconds if block else 0.0, limiter.wait(self.clock))

    def send(self) -> None:
        """Send all commands that may be sent now, in order; the row of each is durable before its call."""
        for command in sorted(self.wanted, key=itemgetter(1)):
            person, rank = command
            send = Send(person, RULES[rank])
            if self.queue.limiter.block(send, self.clock) or not self.queue.take(rank, self.clock):
                continue
            self.queue.limiter.spend(send, self.clock)
            rows = self.queue.limiter.rows(send)
            self.rows |= rows
            self.queue.limiter.saved(rows)
            self.wanted.remove(command)
            self.sent.append((self.time, person, rank))


def play(limits: Limits, steps: list[tuple[str, Any, Any]]) -> Worker:
    worker = Worker(limits)
    for step, first, second in steps:
        if step == SEND:
            worker.wanted.append((str(first), Rank(second)))
            worker.send()
        elif step == WAIT:
            worker.pass_time(float(first))
        else:
            worker.time += float(first)
            worker.set_back += float(second) if step == MOVE else 0.0
            worker.start()
    return worker


def most(times: list[float], rate: float, burst: float) -> None:
    """The reference for a rate: no window holds more than the burst and what the rate adds."""
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + rate * (times[last] - start + TINY) + TINY


def owes(times: list[float], limit: PairLimit) -> bool:
    """The reference for a debt: True if the last message was sent while an earlier burst was not paid for."""
    since, count, owed = times[0], 0, False
    for at in times:
        if paid := at >= since + count * limit.interval - 10 * TINY:
            since, count = at, 0
        owed = not paid and (at >= since + limit.interval + 10 * TINY or count >= limit.burst)
        count += 1
    return owed


@given(st.floats(0.5, 100), st.floats(1, 20), STEPS)
def test_no_window_of_an_account_or_a_person_holds_too_many(
    rate: float, burst: float, steps: list[tuple[str, Any, Any]]
) -> None:
    """The provider would throttle the number, and a user's messages would be refused, after a death above all."""
    worker = play(Limits(rate, burst, SMALL_PAIR), steps)
    most([at for at, _, _ in worker.sent], rate, burst)
    for person in PEOPLE:
        times = [(at, rank) for at, to, rank in worker.sent if to == person]
        most([at for at, _ in times], 1 / SMALL_PAIR.interval, SMALL_PAIR.burst)
        for last, (_, rank) in enumerate(times):
            if rank is Rank.BULK:
                assert not owes([at for at, _ in times[: last + 1]], SMALL_PAIR)


@given(st.floats(0.5, 100), st.floats(1, 20), st.lists(st.floats(0, 5), max_size=4))
def test_the_allowance_is_used(rate: float, burst: float, lives: list[float]) -> None:
    """A campaign would take longer than the provider asks for, and each restart would waste more of it."""
    rows, now, sent = dict[str, bytes](), 1e9, 0
    for life in [*lives, 5.0]:
        limiter, end = AccountLimiter("cloud:1", Limits(rate, burst), rows.get, now), now + life
        while (now := now + limiter.wait(now)) < end:
            limiter.take(now)
            found = limiter.rows(Send("ada"))
            rows |= found
            limiter.saved(found)
            sent += 1
        now = end
    assert sent >= rate * (now - 1e9) - len(lives) * (SPENT_AHEAD * rate + 1) - burst - 1


@pytest.mark.parametrize(("rule", "after"), [(PairRule.BUCKET, 6.0), (PairRule.DEBT, 270.0)])
def test_fifty_messages_to_one_person(rule: PairRule, after: float) -> None:
    """A long answer in parts would be refused by the provider, or wait for minutes without need."""
    limiter = AccountLimiter("cloud:1", Limits(1000, 250, PAIR), dict[str, bytes]().get, 0.0)
    now, sent = 1.0, list[float]()
    while len(sent) < 50:
        block = limiter.block(Send("ada", rule), now)
        if block is None:
            limiter.spend(Send("ada", rule), now)
            sent.append(now - 1)
        else:
            now += block.seconds
    assert sent[:46] == pytest.approx([0.0] * 45 + [after])
    assert sent[46] == pytest.approx(12.0 if rule is PairRule.BUCKET else 270.0)


def test_interactive_goes_before_bulk_and_each_in_its_order() -> None:
    """An answer would wait behind a campaign of its own number."""
    queue = PermitQueue(AccountLimiter("cloud:1", Limits(10, 1), dict[str, bytes]().get, 0.0))
    now = 10.0
    assert queue.take(Rank.BULK, now)
    waiters = [PermitWaiter(rank, lambda: None) for rank in (Rank.BULK, Rank.BULK, Rank.INTERACTIVE, Rank.INTERACTIVE)]
    for waiter in waiters:
        queue.add(waiter)
    assert not queue.take(Rank.INTERACTIVE, now + 0.1)
    assert queue.wait(Rank.INTERACTIVE, now) == pytest.approx(0.3)
    assert queue.wait(Rank.BULK, now) == pytest.approx(0.5)
    queue.discard(waiters[0])
    granted = [waiter for tenth in range(1, 5) for waiter in queue.grant(now + tenth / 10 + TINY)]
    assert granted == [waiters[2], waiters[3], waiters[1]]
    assert queue.take(Rank.BULK, now + 0.5)


@given(st.integers(1, 20), st.lists(st.tuples(st.floats(0, WINDOW / 8), st.booleans()), max_size=60))
def test_no_day_holds_more_than_the_quota(limit: int, steps: list[tuple[float, bool]]) -> None:
    """The provider would block the number for the rest of the day."""
    rows: dict[str, bytes] = {}
    now, sent = 1e9, list[float]()

    def start(at: float) -> AccountLimiter:
        return AccountLimiter("wawp:1", Limits(1e6, 1e6, messages_per_day=limit), rows.get, at)

    limiter = start(now)
    for gap, dies in steps:
        now += gap
        limiter = start(now) if dies else limiter
        block = limiter.block(Send("ada"), now)
        if block is None:
            limiter.spend(Send("ada"), now)
            rows |= limiter.rows(Send("ada"))
            limiter.saved(rows)
            sent.append(now)
        else:
            assert sum(at > now - WINDOW - SLOT for at in sent) >= limit  # never blocked without a reason
            assert start(now + block.seconds).block(Send("ada"), now + block.seconds) is None
    assert all(sum(start <= at < start + WINDOW for at in sent) <= limit for start in sent)


@given(st.integers(1, 5), st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, WINDOW / 6), st.booleans())))
def test_people_who_get_templates_count_once_a_day(limit: int, steps: list[tuple[str, float, bool]]) -> None:
    """A second template to somebody would use up the limit for others, or the limit would be passed after a death."""
    rows: dict[str, bytes] = {}
    now, last = 1e9, dict[str, float]()

    def start() -> AccountLimiter:
        return AccountLimiter("cloud:1", Limits(1e6, 1e6, recipients_per_day=limit), rows.get, now)

    limiter = start()
    for person, gap, dies in steps:
        now += gap
        limiter = start() if dies else limiter
        send = Send(person, is_template=True)
        if limiter.block(send, now) is None:
            limiter.spend(send, now)
            rows |= limiter.rows(send)
            limiter.saved(rows)
            last[person] = now
        else:
            assert person not in {who for who, at in last.items() if at > now - WINDOW}
            assert sum(at > now - WINDOW - SLOT for at in last.values()) >= limit
        assert limiter.block(Send(person), now) is None
        assert sum(at > now - WINDOW for at in last.values()) <= limit
