"""The publisher against a broker that refuses: what it takes is published once and in order, the rest is told."""

from __future__ import annotations

import asyncio
import weakref
from collections import defaultdict
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError, NotEnoughReplicasError
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import PublishFailed, Unavailable
from pipeline.runtime.kafka.accumulator import BATCH_BYTES
from pipeline.runtime.kafka.publisher import BatchPublisher
from pipeline.testing import TestRecord
from pipeline.topics.records import Record


class Broker:
    """Stands for the producer and its broker, which takes no batch of more than `limit` bytes."""

    def __init__(self, limit: int, error: type[Exception] = MessageSizeTooLargeError) -> None:
        self.limit = limit
        self.error = error
        self.taken: dict[tuple[str, int], list[bytes]] = defaultdict(list)
        self._message_accumulator = SimpleNamespace(_compression_type=0)

    async def largest(self, topics: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(topics, self.limit)

    async def partitions_for(self, _: str) -> set[int]:
        return {0, 1, 2}

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[Any]:
        answer = asyncio.get_running_loop().create_future()
        data = bytes(batch._build())
        if len(data) > self.limit:
            answer.set_exception(self.error())
        else:
            log = self.taken[topic, partition]
            answer.set_result(SimpleNamespace(offset=len(log)))
            log += [record.value for found in _batches(data) for record in found]
        return answer


def _batches(data: bytes) -> Any:
    records = MemoryRecords(data)
    while records.has_next():
        yield records.next_batch()


def _outputs(sizes: list[int]) -> list[Any]:
    values = [b"%06d" % number + b"x" * size for number, size in enumerate(sizes)]
    return [(Record("out", b"k%d" % (number % 5), value), TestRecord(value)) for number, value in enumerate(values)]


@given(
    st.lists(st.sampled_from([0, 10, 300, 900, 2_000, 9_000]), min_size=1, max_size=60),
    st.integers(600, 12_000),
    st.booleans(),
)
def test_what_is_refused_is_told_and_all_else_is_published_once_and_in_order(
    sizes: list[int], limit: int, known: bool
) -> None:
    """One record that is too large would take its whole batch along, double a part of it, or turn it round."""
    broker, outputs = Broker(limit), _outputs(sizes)
    refused = asyncio.run(BatchPublisher(broker, broker.largest if known else None).publish(outputs))
    assert {(record, id(source)) for record, source in refused} <= {(record, id(source)) for record, source in outputs}
    fits = [record for record, _ in outputs if len(record.value) + 200 < limit]
    large = [record for record, _ in outputs if len(record.value) > limit]
    assert {record.value for record, _ in refused} >= {record.value for record in large}
    taken = [value for log in broker.taken.values() for value in log]
    assert sorted(taken + [record.value for record, _ in refused]) == sorted(record.value for record, _ in outputs)
    assert {record.value for record in fits} <= set(taken)
    assert all(log == sorted(log) for log in broker.taken.values())


def test_several_batches_of_a_partition_keep_their_order_around_a_refusal() -> None:
    """What follows a refused batch would overtake its good half."""
    sizes = [100_000] * 7 + [700_000] + [100_000] * 12
    outputs = [(record._replace(key=b"k"), source) for record, source in _outputs(sizes)]
    broker = Broker(600_000)
    assert asyncio.run(BatchPublisher(broker).publish(outputs)) == [outputs[7]]
    (log,) = broker.taken.values()
    assert log == [record.value for record, _ in outputs if len(record.value) < BATCH_BYTES]


def test_outputs_of_a_topic_that_is_new_keep_their_order() -> None:
    """The first messages after a start would overtake each other: a topic's partitions are learnt as the batch goes."""
    broker, outputs = Broker(100_000), [(record._replace(key=b"k"), source) for record, source in _outputs([10] * 9)]
    to = BatchPublisher(broker)

    async def learn_in_between() -> None:
        early = to.new_accumulator(outputs[:3])
        await to.publish([])
        await to.prefetch_metadata(["out"])
        early.extend(outputs[3:6])
        await to.send(early)
        await to.publish(outputs[6:])

    asyncio.run(learn_in_between())
    (log,) = broker.taken.values()
    assert log == [record.value for record, _ in outputs]


def test_any_other_answer_ends_the_process() -> None:
    """A broker without enough replicas would turn a day of messages into dead letters."""
    with pytest.raises(PublishFailed, match="NotEnoughReplicas"):
        asyncio.run(BatchPublisher(Broker(0, NotEnoughReplicasError)).publish(_outputs([1])))


def test_where_rows_landed_is_known_through_refusals() -> None:
    """A table's offset would be remembered too low or too high, and recovery read the wrong rows."""
    broker = Broker(3_000)
    marks = [("seen", number % 2, b"%d" % number, b"v" * 200) for number in range(40)]
    landed = asyncio.run(BatchPublisher(broker).publish_changelog({"seen": "log"}, marks))
    assert {place: tuple(span) for place, span in landed.items()} == {
        ("seen", 0): (0, 19, 20),
        ("seen", 1): (0, 19, 20),
    }


def test_a_row_that_its_changelog_refuses_ends_the_process_and_says_what_to_do() -> None:
    """The row would be gone after the next restart, and with it that its event was seen."""
    with pytest.raises(PublishFailed, match=r"log takes no row of 5000 bytes: raise its max\.message\.bytes"):
        asyncio.run(BatchPublisher(Broker(3_000)).publish_changelog({"seen": "log"}, [("seen", 0, b"k", b"v" * 5_000)]))


class Source(TestRecord):
    """A record that one can wait for the end of."""


def test_what_an_output_was_made_of_is_let_go_at_once_unless_the_output_may_be_refused() -> None:
    """A worker would hold the source records of two batches, and find none of its memory in the processor's cache."""
    publisher = BatchPublisher(Broker(10_000), Broker(10_000).largest)

    async def kept(size: int) -> bool:
        await publisher.publish([(Record("out", b"k", b""), Source(b""))])
        source = Source(b"")
        draft, dead = publisher.new_accumulator(), weakref.ref(source)
        draft.extend([(Record("out", b"k", b"x" * size), source)])
        del source
        return dead() is not None and bool(draft.partition_batches)

    assert [asyncio.run(kept(size)) for size in (10, 4_000, 6_000)] == [False, False, True]


def test_a_limit_that_is_lowered_under_a_worker_ends_it() -> None:
    """What the refused record was made of is gone: its dead letter would be empty. The next worker knows the limit."""
    broker = Broker(10_000)
    publisher = BatchPublisher(broker, broker.largest)
    asyncio.run(publisher.publish(_outputs([10])))
    broker.limit = 1_000
    with pytest.raises(PublishFailed, match="out takes no record of 2006 bytes any more: its limit was lowered"):
        asyncio.run(publisher.publish(_outputs([2_000])))
    assert len(asyncio.run(BatchPublisher(broker, broker.largest).publish(_outputs([2_000])))) == 1


def test_a_broker_that_does_not_tell_its_limits_is_believed_to_refuse_anything() -> None:
    """Whoever may not ask for a topic's configuration would have no dead letters of what is too large."""

    async def unavailable(_: Iterable[str]) -> dict[str, int]:
        raise Unavailable("no")

    async def nothing(_: Iterable[str]) -> dict[str, int]:
        return {}

    for largest in (unavailable, nothing):
        assert len(asyncio.run(BatchPublisher(Broker(1_000), largest).publish(_outputs([10, 2_000])))) == 1
