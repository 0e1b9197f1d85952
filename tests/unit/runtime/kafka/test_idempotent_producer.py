"""Sequence numbers of an idempotent producer, against Kafka's own rule."""

from __future__ import annotations

import asyncio

from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingress.publisher import _producer
from pipeline.runtime.kafka.idempotent_producer import SEQUENCE_COUNT, RecoverableIdempotentProducer, SequenceNumbers

TP = TopicPartition("t", 0)
MAX = 2**31 - 1


def increment(sequence: int, by: int) -> int:
    """`DefaultRecordBatch.incrementSequence` of Kafka 4.3, which the broker compares with."""
    return by - (MAX - sequence) - 1 if sequence > MAX - by else sequence + by


def decrement(sequence: int, by: int) -> int:
    """`DefaultRecordBatch.decrementSequence`."""
    return MAX - (by - sequence) + 1 if sequence < by else sequence - by


def numbers(at: int) -> SequenceNumbers:
    async def make() -> SequenceNumbers:
        return SequenceNumbers(None, 0)

    made = asyncio.run(make())
    made._sequence_numbers[TP] = at
    return made


@given(st.integers(0, MAX) | st.integers(MAX - 3000, MAX) | st.integers(0, 3000), st.integers(0, 3000))
def test_they_are_those_that_the_broker_waits_for(at: int, by: int) -> None:
    """A partition would be closed for good behind its 2,147,483,648th record, also in the midst of a batch."""
    forward, back = numbers(at), numbers(at)
    forward.increment_sequence_number(TP, by)
    back.increment_sequence_number(TP, -by)
    assert forward.sequence_number(TP) == increment(at, by)
    assert back.sequence_number(TP) == decrement(at, by)
    forward.increment_sequence_number(TP, -by)
    assert forward.sequence_number(TP) == at, "what is given back is where it was"


def test_the_number_behind_the_last_is_the_first_where_aiokafka_has_minus_two_billion() -> None:
    """The one step that matters, in numbers."""

    async def behind(kind: type[TransactionManager]) -> int:
        manager = kind(None, 0)
        manager._sequence_numbers[TP] = MAX
        manager.increment_sequence_number(TP, 1)
        return int(manager.sequence_number(TP))

    assert asyncio.run(behind(TransactionManager)) == -SEQUENCE_COUNT
    assert asyncio.run(behind(SequenceNumbers)) == 0


def test_every_producer_of_ours_counts_so_from_its_batches_on() -> None:
    """The ingress publishes most and longest: it would be the first to stand still."""

    async def kinds() -> None:
        for producer in (_producer("127.0.0.1:1"), RecoverableIdempotentProducer(enable_idempotence=True)):
            manager = producer._txn_manager
            assert type(manager) is SequenceNumbers
            assert producer._message_accumulator._txn_manager is manager
            assert producer._sender._txn_manager is manager
        assert RecoverableIdempotentProducer()._txn_manager is None

    asyncio.run(kinds())
