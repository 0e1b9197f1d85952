"""The limits of an account: what its tenant set, what it learnt, and what a new process knows of them."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from pipeline.errors import KeyUnavailable, NewerRecord
from pipeline.messenger.limits.account import SPENT_AHEAD, AccountLimiter, Block, Limit, Limits, Send
from pipeline.messenger.limits.pairs import LATE, PairLimit, PairRule
from pipeline.messenger.limits.quota import MANY_PEOPLE, SLOT, WINDOW, digest
from pipeline.messenger.permits import _blocked
from pipeline.messenger.spending import limits_of
from pipeline.sandbox.limits import LimitEnforcer, SandboxLimits
from pipeline.tenants import Account, AccountLimits

NOW = 1e9
PAIR = PairLimit()
ADA = Send("ada", PairRule.BUCKET)
TEMPLATE = Send("ada", is_template=True)


def account(provider: str = "cloud", **limits: Any) -> Account:
    return Account(provider=provider, id="a", token=SecretStr("t"), limits=AccountLimits(**limits))


@pytest.mark.parametrize(
    ("provider", "rate"), [("cloud", 80), ("wasender", 4), ("wawp", 0.3), ("waha", 1), ("pigeon", 1)]
)
def test_an_account_that_says_nothing_is_kept_to_what_its_provider_allows_everybody(provider: str, rate: float) -> None:
    """A gateway's session without a limit in the tenants file would send like a Cloud API number, and be banned."""
    limits = limits_of(account(provider))
    assert (limits.rate, limits.burst) == (rate, max(1, rate / 4))
    assert (limits.pair is not None) == (provider == "cloud")


def test_a_plan_names_its_rate() -> None:
    """A trial session would send at the rate of a paid plan, and each of its sends be refused."""
    assert limits_of(account("wasender", plan="trial")).rate == pytest.approx(1 / 60)
    assert limits_of(account("wasender", plan="protected")).rate == pytest.approx(1 / 5)
    with pytest.raises(ValidationError, match="wasender has no plan 'free': write one of trial, paid, protected"):
        account("wasender", plan="free")
    with pytest.raises(ValidationError, match="cloud has no plan 'paid': write messages_per_second"):
        account("cloud", plan="paid")


class Process:
    """A messenger that has the account for a while, over the rows that are left."""

    def __init__(self, rows: dict[str, bytes], now: float, limits: Limits) -> None:
        self.rows = rows
        self.limiter = AccountLimiter("cloud:a", limits, rows.get, now)

    def send(self, now: float, send: Send = ADA) -> bool:
        """Send if it may. Its rows are durable before."""
        if self.limiter.wait(now) > 0 or self.limiter.block(send, now):
            return False
        self.limiter.take(now)
        self.limiter.spend(send, now)
        found = self.limiter.rows(send)
        self.rows |= found
        self.limiter.saved(found)
        return True


@example("debt", [(0.0, 0.4, False), (0.0, 0.0, False), (11.7, 0.0, False)])
@example("debt", [(0.0, 0.0, False), (0.0, 0.0, False), (5.8, 0.5, False)])
@example("debt", [(0.0, 0.4, True), (5.8, 0.0, False), (6.05, 0.0, False)])
@example("bucket", [(0.0, 0.5, False), *[(0.02, 0.0, False)] * 44, (4.8, 0.0, False)])
@given(
    st.sampled_from(["bucket", "debt"]),
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, LATE), st.booleans()), max_size=80),
)
def test_a_person_whose_messages_are_on_their_way_for_long_gets_no_more_than_allowed(
    reading: Literal["bucket", "debt"], sends: list[tuple[float, float, bool]]
) -> None:
    """The provider counts from when messages arrive: a slow broker made every message behind a burst come too early."""
    rows, now, ada = dict[str, bytes](), NOW, Send("ada", PairRule(reading))
    provider = LimitEnforcer(SandboxLimits(messages_per_second=None, pair=reading, jitter=0))
    process = Process(rows, now - 10, Limits(80, 20, PAIR))
    for pause, delay, dies in sends:
        now += pause
        if process.send(now, ada):
            now += delay
            assert provider.check("cloud", "a", "ada", now) is None
            if not dies:
                process.limiter.arrived(ada, now)
        if dies:
            process = Process(rows, now, Limits(80, 20, PAIR))


def test_the_time_on_the_way_of_a_bursts_first_message_is_all_that_a_person_waits_longer() -> None:
    """Forty-five messages would be late by forty-five times as much, and a person get half of what is allowed."""
    process, now = Process({}, NOW - 10, Limits(80, 80, PAIR)), NOW
    for _ in range(10):
        assert process.send(now, ADA._replace(rule=PairRule.DEBT))
        now += 0.25
        process.limiter.arrived(ADA, now)
    debt = process.limiter.block(ADA._replace(rule=PairRule.DEBT), NOW + 10)
    assert debt is not None
    assert debt.seconds == pytest.approx(10 * 6 + 0.25 - 10)


@example([0.3] * 20)
@given(st.lists(st.floats(0.02, 3), min_size=1, max_size=30))
def test_an_account_that_moves_between_workers_stays_under_the_providers_limit(stays: list[float]) -> None:
    """Each move would give a number another burst: a flapping worker sent 160 in a second where 80 are allowed."""
    rows, provider, now, violations = dict[str, bytes](), LimitEnforcer(SandboxLimits()), NOW, 0
    for stay in stays:
        process, until = Process(rows, now, Limits(80, 20)), now + stay
        while now < until:
            while process.send(now, Send("ada")):
                violations += provider.check("cloud", "a", "15550001111", now) is not None
            now += 0.001
    assert violations == 0


def test_few_sends_write_a_row_of_the_rate() -> None:
    """Each send would cost another record of the changelog."""
    rows = dict[str, bytes]()
    process, written, now = Process(rows, NOW, Limits(80, 20)), 0, NOW + 10
    for _ in range(800):
        now += process.limiter.wait(now)
        before = rows.get("limit:cloud:a")
        assert process.send(now, Send("ada"))
        written += rows.get("limit:cloud:a") is not before
    assert written <= 800 / 80 / SPENT_AHEAD + 2


def test_a_throttle_halves_the_rate_which_climbs_back_and_outlives_the_process() -> None:
    """A number whose limit is lower than it is said to be would be refused again and again, after each restart anew."""
    rows = dict[str, bytes]()
    process = Process(rows, NOW, Limits(80, 20))
    assert process.limiter.throttled(NOW, 10.0)
    assert not process.limiter.throttled(NOW + 0.3, 10.0), "its call was in flight with the one before"
    assert process.limiter.wait(NOW) == pytest.approx(10.3, abs=0.4)
    assert process.limiter.learnt.rate(NOW + 10.3) == pytest.approx(40)
    assert process.limiter.learnt.rate(NOW + 20.3) == pytest.approx(48)
    assert process.send(NOW + 30)
    later = Process(rows, NOW + 31, Limits(80, 20)).limiter
    assert later.learnt.is_lowered
    assert later.learnt.rate(NOW + 31) == pytest.approx(process.limiter.learnt.rate(NOW + 31))
    assert later.learnt.rate(NOW + 100) == 80
    assert not later.learnt.is_lowered


def test_a_clock_that_was_set_back_does_not_stop_an_account() -> None:
    """A machine whose clock was a day ahead would leave a number silent for a day."""
    rows = dict[str, bytes]()
    ahead = Process(rows, NOW + WINDOW, Limits(80, 20, PAIR))
    assert ahead.send(NOW + WINDOW + 10)
    process = Process(rows, NOW, Limits(80, 20, PAIR))
    assert process.limiter.wait(NOW) <= 20 / 80 + SPENT_AHEAD + 1 + 1 / 80
    block = process.limiter.block(ADA, NOW)
    assert block is not None
    assert block.seconds <= 46 * 6


@pytest.mark.parametrize(
    ("limits", "send"),
    [(Limits(80, 20, messages_per_day=1), ADA), (Limits(80, 20, recipients_per_day=1), TEMPLATE)],
)
def test_a_clock_that_was_set_back_holds_a_quota_for_a_day_at_most(limits: Limits, send: Send) -> None:
    """A machine whose clock was a month ahead would leave a number silent for a month."""
    rows = dict[str, bytes]()
    assert Process(rows, NOW + 30 * WINDOW, limits).send(NOW + 30 * WINDOW + 10, send)
    process = Process(rows, NOW, limits)
    block = process.limiter.block(send._replace(person="bob"), NOW)
    assert block is not None
    assert block.seconds <= WINDOW + SLOT
    assert process.send(NOW + WINDOW + SLOT + 10, send._replace(person="bob"))


def test_a_pause_outlives_the_process_and_no_burst_follows_it() -> None:
    """The provider would throttle the number anew, at the moment when its pause ends."""
    rows = dict[str, bytes]()
    before = Process(rows, NOW, Limits(80, 20))
    before.limiter.bucket.pause(NOW, 600)
    rows |= before.limiter.paused_rows(None)
    later = Process(rows, NOW + 60, Limits(80, 20))
    assert 540 <= later.limiter.wait(NOW + 60) <= 540 + SPENT_AHEAD
    end = NOW + 60 + later.limiter.wait(NOW + 60) + 1e-6
    assert [later.send(end, Send("ada")) for _ in range(2)] == [True, False]


def test_a_persons_pause_outlives_the_process() -> None:
    """Each life would send to a person whom the provider does not let it write to."""
    rows = dict[str, bytes]()
    before = Process(rows, NOW, Limits(80, 20, PAIR))
    before.limiter.pause_pair("ada", NOW, 600)
    rows |= before.limiter.paused_rows("ada")
    block = Process(rows, NOW + 60, Limits(80, 20, PAIR)).limiter.block(ADA, NOW + 60)
    assert block is not None
    assert block.seconds == pytest.approx(540)
    set_back = Process(rows, NOW - WINDOW, Limits(80, 20, PAIR)).limiter.block(ADA, NOW - WINDOW)
    assert set_back is not None
    assert set_back.seconds == pytest.approx(3_600, abs=6)


def test_what_a_row_says_more_leaves_the_quota_with_what_was_spent_for_it() -> None:
    """After a restart a thousandth of the day's messages would be missing from the count, and be sent again."""
    rows, limits, now = dict[str, bytes](), Limits(1e6, 1e6, messages_per_day=2_000), NOW + 1
    process = Process(rows, NOW, limits)
    assert process.send(now)
    now += WINDOW - 2 * SLOT
    assert [process.send(now + seconds) for seconds in range(2)] == [True, True]
    now += 3 * SLOT
    later = Process(rows, now, limits).limiter
    later.block(ADA, now)
    assert later.describe(now)["messages_per_day"]["used"] >= 2


def test_a_row_counts_for_what_it_says_although_more_was_spent_before_it_was_durable() -> None:
    """Sends that were in flight together would be missing from the count after a restart."""
    limiter, rows = Process({}, NOW, Limits(1e6, 1e6, messages_per_day=1_000)).limiter, dict[str, bytes]()
    limiter.spend(ADA, NOW)
    first = limiter.rows(ADA)
    for _ in range(5):
        limiter.spend(ADA, NOW)
    rows |= first
    limiter.saved(first)
    assert limiter.rows(ADA), "the durable row says two, and six are spent"
    rows |= limiter.rows(ADA)
    later = Process(rows, NOW, Limits(1e6, 1e6, messages_per_day=1_000)).limiter
    assert later.describe(NOW)["messages_per_day"]["used"] == 7


@pytest.mark.parametrize(
    "row", [b"{", b"[]", b"[1]", b'["a",2,3]', b'{"v":2}', b"null", b'"x"', b"[[1]]", b"[true,0,0]"]
)
@pytest.mark.parametrize("key", ["limit:cloud:a", f"pair:cloud:a:{digest('ada')}", "messages:cloud:a"])
def test_a_row_of_another_form_makes_its_commands_wait(key: str, row: bytes) -> None:
    """Commands would be dead letters during an upgrade, or be sent over a limit that a newer version wrote down."""
    if key.startswith("messages") and row == b"[]":
        return  # nothing was spent
    with pytest.raises(NewerRecord):
        Process({key: row}, NOW, Limits(80, 20, PAIR, messages_per_day=5)).limiter.block(ADA, NOW)


def test_people_who_owe_nothing_take_no_memory() -> None:
    """A number that writes to a million people would keep all of them in memory."""
    limits = Limits(1e6, 1e6, PAIR, recipients_per_day=10**6)
    process, most = Process({}, NOW, limits), 0
    for number in range(30_000):
        assert process.send(NOW + 10 + number / 10, Send(f"{number}", PairRule.BUCKET, is_template=True))
        assert process.limiter._recipients is not None
        most = max(most, process.limiter.describe(NOW)["pair"]["people"], len(process.limiter._recipients._known))
    assert most <= MANY_PEOPLE


def test_a_person_who_was_refused_is_sent_nothing_for_a_while() -> None:
    """The provider would refuse each further message to that person, and count them against the number."""
    process = Process({}, NOW, Limits(80, 20, PAIR))
    process.limiter.pause_pair("ada", NOW, 16)
    for rule in (PairRule.BUCKET, PairRule.DEBT):
        block = process.limiter.block(Send("ada", rule), NOW + 1)
        assert block is not None
        assert block.limit is Limit.PAIR
        assert block.seconds >= 15 - 1e-6
    assert process.limiter.block(ADA, NOW + 16.1) is None
    assert process.limiter.block(Send("bob", PairRule.DEBT), NOW) is None


def test_what_is_used_of_each_limit_is_told() -> None:
    """Nobody could see why a number sends nothing, or what it was lowered to."""
    process = Process({}, NOW, Limits(80, 20, PAIR, messages_per_day=1_000, recipients_per_day=250))
    assert process.send(NOW + 1, Send("ada", PairRule.BUCKET, is_template=True))
    process.limiter.throttled(NOW + 1, 5)
    found = process.limiter.describe(NOW + 2)
    assert found["messages_per_second"]["configured"] == 80
    assert found["messages_per_second"]["allowed"] == 40
    assert found["messages_per_second"]["throttles"] == 1
    assert found["messages_per_second"]["next_permit_seconds"] == pytest.approx(4)
    assert found["messages_per_day"] == {
        "limit": 1_000,
        "used": 1,
        "used_ratio": 0.001,
        "next_seconds": 0.0,
    }
    assert found["template_recipients_per_day"] == {"limit": 250, "used": 1, "used_ratio": 0.004, "next_seconds": 0.0}
    assert found["pair"] == {"people": 1}


def test_to_look_at_an_account_changes_nothing() -> None:
    """A number whose rate was lowered would stay slow for good once somebody has looked at it."""
    process = Process({}, NOW, Limits(80, 20))
    for second in range(4):
        process.limiter.throttled(NOW + 2 * second, 0)
    assert process.limiter.describe(NOW + 300)["messages_per_second"]["allowed"] == 80
    sent, now = 0, NOW + 300
    while now < NOW + 310:
        sent += process.send(now, Send("ada"))
        now += max(process.limiter.wait(now), 1e-6)
    assert sent >= 800


def test_a_new_process_waits_no_longer_at_a_lowered_rate_than_the_one_before() -> None:
    """A restart would silence a number that was throttled for many seconds."""
    rows = dict[str, bytes]()
    process = Process(rows, NOW, Limits(80, 20))
    for second in range(6):
        process.limiter.throttled(NOW + 2 * second, 0)
    now = NOW + 11
    now += process.limiter.wait(now)
    assert process.send(now, Send("ada"))
    expected = process.limiter.wait(now)
    assert Process(rows, now, Limits(80, 20)).limiter.wait(now) <= expected + SPENT_AHEAD


def test_templates_beyond_the_people_of_a_day_hold_nothing_else() -> None:
    """One template too many would hold every answer of the number for a minute, again and again."""
    limiter = AccountLimiter("cloud:a", Limits(80, 20, recipients_per_day=1), dict[str, bytes]().get, NOW)
    template = Send("ada", is_template=True)
    limiter.spend(template, NOW)
    block = limiter.block(Send("bob", is_template=True), NOW)
    assert block is not None
    held = _blocked(block, 1e9)
    assert isinstance(held, KeyUnavailable)
    assert not held.whole_group
    assert limiter.block(template, NOW) is limiter.block(Send("bob"), NOW) is None


@pytest.mark.parametrize("limit", Limit)
def test_what_a_limit_holds_names_it_and_its_end(limit: Limit) -> None:
    """Nobody could tell a number at its rate from one whose day is used up, nor when that ends."""
    held = _blocked(Block(limit, 30_000), 1e9)
    assert isinstance(held, KeyUnavailable)
    assert (held.held_by, held.lasts) == (limit.value, 30_000)
    assert held.delay <= 60


def test_the_time_until_a_quota_allows_one_more_is_told() -> None:
    """A campaign would wait for a day that nobody knows the beginning of."""
    process = Process({}, NOW, Limits(80, 20, messages_per_day=2, recipients_per_day=1))
    assert process.send(NOW + 1, Send("ada", is_template=True))
    assert process.send(NOW + 2, Send("ada"))
    found = process.limiter.describe(NOW + 3)
    for limit in ("messages_per_day", "template_recipients_per_day"):
        assert found[limit]["used_ratio"] == 1
        assert WINDOW <= found[limit]["next_seconds"] + 2 <= WINDOW + 900
    later = NOW + 3 + found["messages_per_day"]["next_seconds"]
    assert process.limiter.describe(later)["messages_per_day"] == {
        "limit": 2,
        "used": 0,
        "used_ratio": 0,
        "next_seconds": 0,
    }
    assert process.limiter.block(Send("bob", is_template=True), later) is None


def test_received_messages_are_a_part_of_what_an_account_uses() -> None:
    """A number that receives as many as it sends would look as if it left half of its allowance unused."""
    limiter = AccountLimiter("cloud:a", Limits(80, 20), dict[str, bytes]().get, NOW)
    for _ in range(30):
        limiter.take(NOW + 60)
    limiter.charge(NOW + 60, 30)
    assert limiter.rate_use(NOW + 60) == (1, 80, False)
    limiter.throttled(NOW + 60, 0)
    assert limiter.rate_use(NOW + 60) == (1, 40, True)
    assert limiter.rate_use(NOW + 111) == (1, 80, False)
