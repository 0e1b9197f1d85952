"""The harness of campaigns: its plan, its messages, and what it counts as time without an owner."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from chaos.evidence import Effect, Evidence
from chaos.options import Options
from chaos.plan import Act, Fault, second
from chaos.sends.numbers import HOT, NUMBERS, RATE, campaigns, rates, setup
from chaos.sends.ownership import Look, owned
from chaos.sends.plan import FIRST, KILLS, MESSENGER, REBALANCES, plan
from chaos.sends.publish import _command
from chaos.sends.shares import LEAST, share, unused
from chaos.stack import Stack
from chaos.verdict import judge
from pipeline.local.services import PARTITIONS
from pipeline.messenger.limits.pairs import PairLimit
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.sandbox.config import load_accounts
from pipeline.tenants import load_tenants
from pipeline.topics.commands import Priority
from pipeline.topics.keys import account_key

OPTIONS = Options(seconds=900, rate=RATE)
DURING = (100.0, 200.0)


def _looks(*partitions: set[int], since: float = 100.0) -> list[Look]:
    return [Look(since + place, frozenset(each)) for place, each in enumerate(partitions)]


def test_the_plan_has_every_fault_that_is_promised_in_time() -> None:
    """A run would prove less than it says, and its reader would not know."""
    for seed in range(20):
        faults = plan(Options(seconds=900, seed=seed))
        acts = Counter(fault.act for fault in faults)
        assert acts == {Act.SIGKILL: KILLS, Act.REMOVE: REBALANCES / 2, Act.ADD: REBALANCES / 2, Act.FREEZE: 1}
        assert (KILLS, REBALANCES) == (20, 10)
        assert faults[0].at >= FIRST
        assert faults[-1].at < 900
        assert faults == sorted(faults)
    assert plan(OPTIONS) == plan(OPTIONS)


def test_a_messenger_is_only_hit_while_it_is_there_and_is_frozen_while_the_other_is() -> None:
    """A kill would find nobody, or a frozen messenger would come back to partitions that nobody took from it."""
    for seed in range(20):
        present = {MESSENGER, second(MESSENGER)}
        for fault in plan(Options(seconds=900, seed=seed)):
            if fault.act is Act.ADD:
                assert fault.target not in present
                present.add(fault.target)
            else:
                assert fault.target in present
            if fault.act is Act.REMOVE:
                present.remove(fault.target)
            if fault.act is Act.FREEZE:
                assert len(present) == 2


def test_people_get_more_at_once_than_the_pair_limit_allows_and_all_within_the_run() -> None:
    """The pair limit would hold nothing back, or a campaign would last for hours after the faults."""
    limit = PairLimit()
    for number, messages in campaigns(OPTIONS).items():
        runs = [(contact, len(list(found))) for contact, found in groupby(m.contact for m in messages)]
        longest = sorted(count for _, count in runs)[-HOT:]
        assert min(longest) > limit.burst
        assert max(longest) * limit.interval < OPTIONS.seconds
        assert len(messages) >= rates(OPTIONS)[number.id] * OPTIONS.seconds


def test_two_numbers_share_a_partition_and_every_message_is_counted_once() -> None:
    """Fair turns would not be tried, and two messages of one place could not be told apart."""
    partitions = [partition_of(account_key("cloud", number.id).encode(), int(PARTITIONS)) for number in NUMBERS]
    assert sorted(Counter(partitions).values()) == [1, 1, 2]
    messages = [message for each in campaigns(Options(seconds=60)).values() for message in each]
    commands = [_command(message) for message in messages]
    assert len({command.command_id for command in commands}) == len(commands)
    assert {command.priority for command in commands} == {Priority.BULK}
    effects = [
        Effect(c.account, c.recipient, int(c.body["text"]), c.command_id, float(at)) for at, c in enumerate(commands)
    ]
    outcomes = {command.command_id: ["accepted"] for command in commands}
    assert judge(messages, Evidence(effects, {}, outcomes, [], []), handled=False).good
    assert not judge(messages, Evidence(effects[1:], {}, outcomes, [], []), handled=False).good


def test_messenger_and_sandbox_have_the_same_limits(tmp_path: Path) -> None:
    """A sandbox that allows more would see no violation, whatever the messenger does."""
    Stack(tmp_path, OPTIONS, without=("handlers", "redis"), setup=setup(OPTIONS))
    tenants = load_tenants(tmp_path / "tenants.yaml")
    for theirs in load_accounts(tmp_path / "accounts.json"):
        ours = tenants.account("cloud", theirs.id)
        assert ours is not None
        assert ours.rate == theirs.limits.messages_per_second == rates(OPTIONS)[theirs.id]
        assert theirs.limits.pair == "debt"
        assert ours.limits.pair is None, "its default: the debt for bulk"


def test_a_partition_is_owned_from_the_answer_that_lists_it_to_the_first_that_does_not() -> None:
    """Time of failure that is stretched by what nobody saw would excuse any number of unused permits."""
    looks = {"messenger": _looks(set(), {1}, {1, 2}, {1}, set(), set())}
    assert owned(looks, [], 1, DURING) == [(101.0, 104.0)]
    assert owned(looks, [], 2, DURING) == [(102.0, 103.0)]
    assert owned(looks, [], 3, DURING) == []
    assert owned(looks, [], 1, (102.5, 103.0)) == [(102.5, 103.0)]


@pytest.mark.parametrize(
    ("act", "until"), [(Act.SIGKILL, 101.25), (Act.FREEZE, 101.25), (Act.ADD, 102.0), (Act.LATENCY, 102.0)]
)
def test_a_fault_that_stops_the_owner_ends_its_time_at_once(act: Act, until: float) -> None:
    """What a dead process said last would count as allowance that nobody used."""
    looks = {"messenger": _looks({1}, {1}, set())}
    faults = [(101.25, Fault(1.25, act, "messenger")), (100.5, Fault(0.5, Act.SIGKILL, "messenger-2"))]
    assert owned(looks, faults, 1, DURING) == [(100.0, until)]


def test_a_partition_that_moves_is_owned_by_whoever_lists_it() -> None:
    """A move without a gap would count as a failure, or the same second twice."""
    looks = {"messenger": _looks({1}, {1}, set()), "messenger-2": _looks(set(), {1}, {1}, {1}, set())}
    assert owned(looks, [], 1, DURING) == [(100.0, 104.0)]


def test_only_messages_and_seconds_with_an_owner_count() -> None:
    """A burst after each failure would make up for permits that were left unused."""
    effects = [Effect("770000", "1", place, "", 100.0 + place / 10) for place in range(400)]
    others = [Effect("770001", "1", 0, "", 105.0)]
    found = share("770000", 10.0, [*effects, *others], [(100.0, 110.0), (120.0, 130.0)], (100.0, 150.0))
    assert (found.owned, found.failed, found.sent) == (20.0, 30.0, 200)
    assert found.used == 1.0
    assert unused([found]) == []
    assert unused([found._replace(sent=int(200 * LEAST) - 1)]) == ["770000 used 94.50% of its allowance, of 95%"]
    assert unused([found._replace(owned=0.0)]), "a number that nobody ever had used nothing"
