"""The benchmark of isolation: who is in whose way, what is counted, and when it is more than promised."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from bench import commands, webhooks
from bench.accounts import Number, contacts_in, write_tenants
from bench.broker import PARTITIONS
from bench.isolation import benchmark, crowds, pair
from bench.isolation.crowds import HEAVY, LIGHT, NOBODY, ROWS
from bench.isolation.other import since_due
from bench.isolation.pair import Measured, Pair
from bench.options import Options
from pipeline.providers import CLOUD
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.tenants import load_tenants
from pipeline.testing import TestRecord
from pipeline.topics.catalogue import COMMANDS_BULK, RAW
from pipeline.topics.codec import decode_command
from pipeline.topics.keys import account_key, conversation_key


def _pair(idle: float, crowded: float) -> Pair:
    return Pair(*(Measured([milliseconds] * 100, 1.0, {}) for milliseconds in (idle, crowded)))


def test_the_crowd_is_in_the_partition_of_the_other_number() -> None:
    """A crowd elsewhere would be in nobody's way, and every figure would be that of an idle system."""
    keys = [account_key("cloud", account).encode() for account in (webhooks.ACCOUNT, pair.ACCOUNT)]
    assert pair.ACCOUNT != webhooks.ACCOUNT
    assert len({partition_of(key, PARTITIONS) for key in keys}) == 1


def test_conversations_that_are_measured_share_one_partition() -> None:
    """The wait for a hot conversation would show in one input of eight, and hide behind the median of the others."""
    people = list(islice(contacts_in(3, webhooks.ACCOUNT, PARTITIONS), 50))
    keys = [conversation_key("cloud", webhooks.ACCOUNT, each).encode() for each in people]
    assert len(set(people)) == 50
    assert {partition_of(key, PARTITIONS) for key in keys} == {3}


def test_the_crowds_webhooks_and_commands_are_its_own() -> None:
    """An id that both have would settle one's command by the other's, which then counts as never sent."""
    crowd = crowds.Crowd("hot", 3, people=1)
    (event,) = CLOUD.parse(TestRecord.of(pair._webhook(crowd, 2, RAW.name)))
    assert event.conversation == conversation_key("cloud", pair.ACCOUNT, webhooks.contact(0))
    assert event.event_id.encode() != webhooks.event_id(2)
    theirs, ours = commands.maker(pair.TENANT, pair.ACCOUNT), commands.record
    found = [decode_command(TestRecord.of(make(7, COMMANDS_BULK.name))) for make in (theirs, ours)]
    assert [(one.tenant_id, one.account) for one in found] == [
        (pair.TENANT, pair.ACCOUNT),
        (webhooks.TENANT, webhooks.ACCOUNT),
    ]
    assert max(Options().seconds * row.other_rate for row in ROWS + HEAVY) < pair.FIRST_COMMAND


def test_a_command_is_known_by_its_number() -> None:
    """Campaigns are counted by the numbers in their texts: without them each would count as missing."""
    record = commands.record(123, COMMANDS_BULK.name)
    assert record.topic == COMMANDS_BULK.name
    assert webhooks.number_in(record.value) == 123


def test_both_tenants_are_in_the_file(tmp_path: Path) -> None:
    """A crowd that no tenant owns becomes dead letters, and crowds nobody."""
    numbers = [Number("a", webhooks.ACCOUNT, "http://127.0.0.1:9"), Number("b", pair.ACCOUNT, "http://127.0.0.1:9")]
    tenants = load_tenants(write_tenants(tmp_path / "tenants.yaml", numbers))
    owners = [tenants.owner("cloud", account) for account in (webhooks.ACCOUNT, pair.ACCOUNT)]
    assert [owner.id if owner else None for owner in owners] == ["a", "b"]


def test_each_row_of_the_promise_is_measured() -> None:
    """A row that is left out is one that may get worse without anybody seeing it."""
    words = ("away", "slow account", "hot conversation", "raises", "hangs", "campaign")
    assert all(sum(word in row.name for row in ROWS) == 1 for word in words)
    assert [row.name for row in ROWS if not row.waiting] == [NOBODY.name]
    assert {row.waiting for row in HEAVY} == {1_000 * int(LIGHT * Options().seconds)}


def test_a_time_begins_when_its_input_was_due() -> None:
    """A clock that begins when the input could at last be given would not show the wait for that."""
    assert since_due({4: 100.5, 5: 101.0}, began=100.0, first=4, rate=2.0) == [500.0, 500.0]


@pytest.mark.parametrize(
    ("crowded", "itself", "expected"),
    [
        ([1.1, 1.2, 9.0], [], True),
        ([1.1, 1.3, 1.3], [], False),
        ([1.1, 1.3, 1.3], [1.0, 1.4], True),
        ([1.1, 1.3, 1.3], [1.0, 0.7], True),
        ([1.5, 1.5, 1.5], [1.4, 0.7], False),
    ],
)
def test_the_median_of_the_rounds_is_compared_with_the_idle_system(
    crowded: list[float], itself: list[float], expected: bool
) -> None:
    """One lucky round would pass, or one slow minute of the machine would fail what keeps its promise."""
    assert benchmark.within(crowded, itself) is expected


def test_the_table_says_which_crowd_costs_more_than_promised() -> None:
    """Who reads the table would have to divide for himself, and find the one bad row among seven."""
    away, slow = ROWS[1:3]
    table = benchmark.table({NOBODY: [_pair(10, 10.5)], away: [_pair(10, 11)], slow: [_pair(10, 30)]})
    assert [row[-1] for row in table.rows] == ["", "within", "over"]
    assert [row[5] for row in table.rows] == ["1.05", "1.10", "3.00"]


def test_the_light_tenants_rounds_are_counted_together() -> None:
    """A longest wait that is the median of the rounds is not the longest."""
    table = benchmark.heavy_table({HEAVY[0]: [_pair(10, 20), _pair(10, 400)]})
    assert [row[-1] for row in table.rows] == ["10.0", "400.0"]
