"""The chain: all of a source record's outputs or none, in order for its key, and nothing lost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.backoff import STAGE_RETRIES, RetryPolicy
from pipeline.errors import InvalidRecord, Unavailable
from pipeline.logging import add_place
from pipeline.runtime.flows.chain import Chain, shortest_delay
from pipeline.runtime.flows.stage import ConcurrentContext, Stage, StageContext, Through, split_hops
from pipeline.runtime.tables.tables import Tables
from pipeline.testing import TestRecord, TopologyTestDriver
from pipeline.topics.records import Output, Record, header


def _copy(record: Any, _: StageContext) -> Iterable[Record]:
    return (Record("out", record.key, record.value),)


def _records(*values: bytes, key: bytes = b"k") -> list[TestRecord]:
    return [TestRecord(value, key, offset=offset) for offset, value in enumerate(values)]


class Flaky:
    """A stage that fails the first `times` times it sees `value`."""

    def __init__(self, value: bytes, times: int, error: Exception) -> None:
        self.value, self.left, self.error = value, times, error

    def __call__(self, record: Any, context: StageContext) -> Iterable[Record]:
        if record.value == self.value and self.left:
            self.left -= 1
            raise self.error
        return _copy(record, context)


def test_outputs_keep_the_order_of_their_sources() -> None:
    """Without it, replies of one conversation would overtake each other."""
    driver = TopologyTestDriver(Stage("copy", _copy))
    assert [record.value for record in driver.pipe(*_records(b"1", b"2", b"3"))] == [b"1", b"2", b"3"]


def test_a_failing_record_holds_back_its_key_and_no_other() -> None:
    """Without it, a retry would let later messages of the same person overtake, or make strangers wait."""
    chain = _chain(Stage("flaky", Flaky(b"a1", 1, RuntimeError("once"))))
    records = [TestRecord(b"a1", b"a"), TestRecord(b"b1", b"b", offset=1), TestRecord(b"a2", b"a", offset=2)]
    outputs: list[Output] = []
    first = chain.run(0, records, outputs)
    assert _values(outputs) == [b"b1"]
    chain.retry(0, first.pending, outputs)
    assert _values(outputs) == [b"b1", b"a1", b"a2"]


def test_a_pass_in_several_goes_is_one_pass() -> None:
    """What comes in a later go would overtake a message of the same person that failed in an earlier one."""
    chain = _chain(Stage("flaky", Flaky(b"a1", 1, RuntimeError("once"))))
    outputs: list[Output] = []
    first = chain.run(0, [TestRecord(b"a1", b"a"), TestRecord(b"b1", b"b", offset=1)], outputs)
    both = chain.run(0, [TestRecord(b"a2", b"a", offset=2), TestRecord(b"b2", b"b", offset=3)], outputs, first)
    assert [held.record.value for held in both.pending] == [b"a1", b"a2"]
    assert _values(outputs) == [b"b1", b"b2"]


def test_what_waits_names_the_stage_that_failed() -> None:
    """An operator would be shown retries and not where: a chain has several stages."""
    chain = _chain(Stage("copy", _copy), Stage("flaky", Flaky(b"a1", 1, RuntimeError("once"))))
    records = [TestRecord(b"a1", b"a"), TestRecord(b"a2", b"a", offset=1)]
    assert [held.stage for held in chain.run(0, records, []).pending] == ["flaky", ""]


def test_a_permanent_error_is_a_dead_letter_at_once() -> None:
    """Without it, bytes that can never be read would be retried and hold up their conversation."""
    chain = _chain(Stage("flaky", Flaky(b"bad", 99, InvalidRecord("not JSON"))))
    outputs: list[Output] = []
    result = chain.run(0, _records(b"bad", b"good"), outputs)
    assert result.dead == 1
    assert not result.pending
    assert _values(outputs) == [b"bad", b"good"]
    dead = outputs[0][0]
    assert dead.topic == "dead-letters.flaky"
    assert header(dead.headers, "attempts") == "1"


def test_an_error_becomes_a_dead_letter_after_the_last_attempt() -> None:
    """Without it, a bug in a stage would stop its partition for ever."""
    driver = TopologyTestDriver(
        Stage("flaky", Flaky(b"bad", 99, RuntimeError("bug"))), retries=RetryPolicy(max_attempts=3)
    )
    driver.pipe(*_records(b"bad", b"next"))
    assert header(driver.dead_letters[0].headers, "attempts") == "3"
    assert driver.published[-1].value == b"next"


def test_what_is_unavailable_is_never_a_dead_letter() -> None:
    """Without it, an hour without Redis would dead-letter an hour of messages."""
    driver = TopologyTestDriver(
        Stage("flaky", Flaky(b"x", 50, Unavailable("redis"))), retries=RetryPolicy(max_attempts=2)
    )
    assert [record.topic for record in driver.pipe(*_records(b"x"))] == ["out"]


def test_a_dead_letter_keeps_bytes_key_headers_and_origin() -> None:
    """Without it, nobody could find out what happened or drive the record again."""
    driver = TopologyTestDriver(Stage("flaky", Flaky(b"\xff\x00", 99, InvalidRecord("not JSON"))))
    record = TestRecord(b"\xff\x00", b"key", (("webhook-id", b"w1"),), "webhooks.raw", 0, 42)
    (dead,) = driver.pipe(record)
    assert (dead.key, dead.value) == (b"key", b"\xff\x00")
    named = {name: value.decode() for name, value in dead.headers}
    assert named.pop("failed-at").isdigit()
    assert re.fullmatch(r"tests/unit/runtime/flows/test_chain\.py:\d+ __call__", named.pop("raised-at"))
    assert named == {
        "webhook-id": "w1",
        "error-type": "InvalidRecord",
        "error-message": "not JSON",
        "stage": "flaky",
        "attempts": "1",
        "origin-topic": "webhooks.raw",
        "origin-partition": "0",
        "origin-offset": "42",
    }


def test_an_output_that_no_topic_takes_is_a_dead_letter() -> None:
    """Without it, one tenant's huge message would crash the worker again and again."""
    driver = TopologyTestDriver(Stage("grow", lambda record, _: (Record("out", record.key, b"x" * 5_000_000),)))
    (dead,) = driver.pipe(*_records(b"small"))
    assert header(dead.headers, "error-type") == "OversizeRecord"
    assert dead.value == b"small"


def test_a_failure_takes_back_outputs_and_table_writes_of_its_record() -> None:
    """Without it, a half-done record would be remembered as done, and its other half lost."""

    def mark(record: Any, context: StageContext) -> Iterable[Any]:
        context.table("seen").put(record.value.decode(), b"1")
        return (record,)

    driver = TopologyTestDriver(
        Stage("mark", mark), Stage("fail", Flaky(b"bad", 99, InvalidRecord("no"))), tables=["seen"]
    )
    driver.pipe(*_records(b"good", b"bad"))
    assert driver.rows("seen") == {b"good": b"1"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["ok", "flaky", "dead"])), max_size=30))
def test_every_record_ends_once_and_in_order_for_its_key(plan: list[tuple[str, str]]) -> None:
    """Without it, some mixture of failures would lose a message, double it or reorder a conversation."""
    failed: set[int] = set()

    def work(record: Any, context: StageContext) -> Iterable[Record]:
        fate = plan[record.offset][1]
        if fate == "dead":
            raise InvalidRecord("dead")
        if fate == "flaky" and record.offset not in failed:
            failed.add(record.offset)
            raise RuntimeError("once")
        return _copy(record, context)

    driver = TopologyTestDriver(Stage("work", work))
    driver.pipe(*[TestRecord(b"%d" % i, key.encode(), offset=i) for i, (key, _) in enumerate(plan)])
    ends = [(record.key, int(record.value)) for record in driver.published]
    assert sorted(offset for _, offset in ends) == list(range(len(plan)))
    for key in "abc":
        mine = [offset for k, offset in ends if k == key.encode()]
        assert mine == sorted(mine)


def test_a_link_cuts_a_chain_in_two_hops_with_the_same_outputs() -> None:
    """Without it, naming a topic between two stages would change what comes out."""
    upper = Stage("upper", lambda record, _: (record.value.upper(),))
    wrap = Stage("wrap", lambda value, context: (Record("out", context.record.key or b"", b"<" + value + b">"),))
    whole = TopologyTestDriver(upper, wrap).pipe(*_records(b"x"))
    link = Through(
        "middle", lambda value, context: Record("middle", context.record.key or b"", value), lambda record: record.value
    )
    (first, one), (second, two) = split_hops("in", [upper, link, wrap])
    assert (first, second) == ("in", "middle")
    middle = TopologyTestDriver(*one).pipe(*_records(b"x"))
    assert TopologyTestDriver(*two).pipe(*[TestRecord.of(record) for record in middle]) == whole


def test_the_pause_is_the_shortest_of_those_that_failed() -> None:
    """Without it, a record behind a failed one would make the pass spin or sleep for its own sake."""
    chain = _chain(Stage("flaky", Flaky(b"a", 1, RuntimeError("once"))))
    held = {0: chain.run(0, _records(b"a", b"b"), []).pending}
    assert 0.05 <= shortest_delay(held, STAGE_RETRIES) <= 0.1


def test_only_a_concurrent_stage_can_wait() -> None:
    """Without it, a quick stage that awaits would stop its whole partition in silence."""
    assert not {"wait", "persist", "publish", "when_committed"} & set(dir(StageContext))
    assert {"wait", "persist", "publish", "when_committed"} <= set(dir(ConcurrentContext))


def test_what_a_stage_logs_names_its_record() -> None:
    """A line about a record would show a masked id, and nothing by which the record can be found."""
    seen: list[dict[str, Any]] = []

    def stage(record: Any, _: StageContext) -> Iterable[Record]:
        seen.append(dict(add_place(None, "info", {"event": "x"})))
        return ()

    _chain(Stage("noted", stage)).run(0, _records(b"1", b"2"), [])
    assert [(line["topic"], line["partition"], line["offset"]) for line in seen] == [("test", 0, 0), ("test", 0, 1)]
    assert add_place(None, "info", {"event": "x"}) == {"event": "x"}, "afterwards there is no record in hand"


def _chain(*stages: Stage) -> Chain:
    return Chain(stages, Tables(), STAGE_RETRIES)


def _values(outputs: list[Output]) -> list[bytes]:
    return [record.value for record, _ in outputs]
