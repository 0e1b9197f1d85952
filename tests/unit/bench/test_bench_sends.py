"""The benchmarks of campaigns: what is counted as used, who went before whom, and when it is less than promised."""

from __future__ import annotations

import orjson
import pytest

from bench import commands, webhooks
from bench.broker import PARTITIONS
from bench.commands import somebody_else
from bench.options import NAMES, Options
from bench.sandbox_client import Sent
from bench.sends import allowance, cost, queued, replies, second
from bench.sends.allowance import CASES, Measured, by_second, used_share
from bench.sends.bare import Posts, bodies
from bench.sends.cost import Turn
from bench.sends.queued import Pair
from bench.sends.replies import Overtaken, overtaken
from bench.sends.second import Second
from bench.sends.site import spread, together
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.testing import TestRecord
from pipeline.topics.catalogue import COMMANDS_BULK
from pipeline.topics.codec import decode_command
from pipeline.topics.commands import Priority
from pipeline.topics.keys import account_key

GOOD = Second(0.5, 1.0, 1.0)


def _pair(
    idle: float = 10.0,
    again: float = 10.0,
    beside: float = 10.0,
    before: int = 1,
    second_: Second = GOOD,
    peak: float = 150.0,
) -> Pair:
    same = Overtaken([20.0] * 10, [before] * 10)
    return Pair([idle] * 100, [again] * 100, [beside] * 100, same, second_, peak)


def _partitions(numbers: list[str]) -> set[int]:
    return {partition_of(account_key("cloud", number).encode(), PARTITIONS) for number in numbers}


def test_the_numbers_beside_the_queue_share_its_partition_and_the_twenty_have_several() -> None:
    """A campaign of another partition waits behind nothing, and twenty numbers of one would share its window."""
    assert len(set(together(3))) == 3
    assert len(_partitions(together(3))) == 1
    assert len(_partitions(spread(20))) > PARTITIONS / 2


def test_a_campaign_is_bulk_and_names_nobody_twice() -> None:
    """Interactive commands would pass the queue by their priority, and one person's would wait for the pair limit."""
    make = commands.maker(priority=Priority.BULK, recipient=somebody_else)
    found = [decode_command(TestRecord.of(make(number, COMMANDS_BULK.name))) for number in range(1_000)]
    assert {each.priority for each in found} == {Priority.BULK}
    assert len({each.recipient for each in found}) == 1_000


def test_the_bare_loop_posts_what_the_messenger_does() -> None:
    """A floor with smaller bodies would be cheaper than any messenger could be."""
    body, *more = (orjson.loads(each) for each in bodies(Posts("", 7, 3, 1)))
    assert len(more) == 2
    assert (body["to"], body["type"]) == (somebody_else(7), "text")
    assert body["biz_opaque_callback_data"].startswith(f"cmd-{7:032x}")
    assert webhooks.number_in(body["text"]["body"].encode()) == 7


def test_the_allowance_is_counted_from_a_numbers_first_message_on() -> None:
    """The seconds in which a worker starts would count as unused, or those after the campaign as used."""
    times = [100.0 + place / 10 for place in range(200)]
    assert used_share(times, 10.0, 10.0) == pytest.approx(1.0)
    assert used_share([*times[:50], *times[100:]], 10.0, 10.0) == pytest.approx(0.5)
    assert used_share([*times[:50], *times[100:]], 10.0, 5.0, after=5.0) == 0.0
    assert by_second([*times[:10], *times[15:]], 3.0) == [10, 5, 10]
    assert by_second([*times[:10], *times[15:]], 2.0, after=1.0) == [5, 10]


def test_one_number_that_used_too_little_fails_its_case() -> None:
    """Nineteen numbers at their limit would hide the one that starves."""
    one, twenty = CASES
    good, starved = Measured([1.0], [0.9], [[1_000]], 500.0, 1.5, 3_000.0), [0.999] * 19 + [0.98]
    table = allowance.table({one: [good], twenty: [Measured(starved, [0.9] * 20, [[40]] * 20, 500.0, 1.5, 3_000.0)]})
    assert [row[-1] for row in table.rows] == ["within", "under"]
    assert table.rows[1][1] == "98.00%"


def test_the_cost_of_a_send_is_compared_in_its_round() -> None:
    """A minute in which the machine is slow would change the messenger's cost and not the floor's."""
    table = cost.table([Turn(600, 1_000, 300, 3_000), Turn(290, 1_000, 100, 3_000), Turn(900, 1_000, 250, 2_000)])
    assert table.rows[0][2] == "2.90 (2.00-3.60)"
    assert [row[-1] for row in table.rows] == ["within", ""]
    assert cost.table([Turn(310, 1_000, 100, 3_000)]).rows[0][-1] == "over"


def test_bulk_messages_between_a_reply_and_its_being_due_are_counted() -> None:
    """A reply that waits for the whole queue would look like one that goes first."""
    bulk = [Sent(number, 10.0 + number) for number in range(5)]
    sent = [*bulk, Sent(replies.FIRST, 12.5), Sent(replies.FIRST + 1, 14.5)]
    due = {replies.FIRST: 12.4, replies.FIRST + 1: 12.4}
    found = overtaken(due, sent)
    assert found.bulk_before == [0, 2]
    assert found.waits == pytest.approx([100.0, 2_100.0])


def test_replies_are_compared_with_what_the_idle_messenger_differs_by() -> None:
    """A slow machine would fail the queue, or a queue that delays everybody would pass."""
    assert queued.within([1.0, 1.1], [1.1, 0.9])
    assert queued.within([0.8], [1.2])
    assert not queued.within([1.0, 1.1], [1.2, 1.2])
    table = queued.waits_table(1_000, [_pair(beside=30.0)])
    assert [row[-1] for row in table.rows] == ["over", "over"]
    assert [row[-1] for row in queued.waits_table(1_000, [_pair()]).rows] == ["within", "within"]


@pytest.mark.parametrize(
    ("pair", "failed"),
    [
        (_pair(), set()),
        (_pair(before=3), {1}),
        (_pair(before=3, idle=30.0), set()),
        (_pair(second_=Second(2.5, 1.0, 1.0)), {2}),
        (_pair(second_=Second(0.5, 0.9, 1.0)), {3}),
        (_pair(peak=500.0), {5}),
    ],
)
def test_each_promise_beside_the_queue_has_its_own_line(pair: Pair, failed: set[int]) -> None:
    """Who reads the table would not see which of them a change has broken."""
    rows = queued.others_table([_pair(), pair]).rows
    assert {place for place, row in enumerate(rows) if row[-1] == "over"} == failed


def test_a_second_campaign_is_measured_from_its_publication_and_then_by_its_own_rate() -> None:
    """The time in the queue of the first one would be hidden in a rate, or counted twice."""
    times = [110.0 + place / 10 for place in range(200)]
    found = second.found(108.5, times, [100.0 + place / 5 for place in range(200)], 10.0, 10.0)
    assert (found.began, found.share, found.first_share) == pytest.approx((1.5, 1.0, 0.5))


def test_ids_of_campaigns_and_replies_are_apart() -> None:
    """A command whose id was used before is not sent, and counts as missing."""
    assert Options().backlog < second.FIRST
    assert second.FIRST + queued.RATE * (2 * Options().seconds + 5) < replies.FIRST
    assert {"allowance", "send-cost", "queued"} < set(NAMES)
