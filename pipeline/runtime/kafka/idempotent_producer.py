"""An idempotent producer that works on after a rejected batch, and after 2,147,483,648 records.

The sequence number of a batch is the number of records before it in its partition. aiokafka also counts the records of
a rejected batch, so the broker finds every later batch of that partition out of order, for good. Here the sequence
numbers are returned, as in Kafka's Java client, before the partition is open for the next batch.

After 2^31 - 1 the broker expects 0, as the Java client does. aiokafka continues at -2^31: at a thousand records a
second a partition would be unusable after 25 days.

It overrides private names of aiokafka 0.14.0, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionManager

from pipeline import aiokafka_patches

TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
"""Broker errors that no retry can fix: a batch above the topic's `max.message.bytes` or `segment.bytes`."""
SEQUENCE_COUNT: Final = 2**31
"""Number of sequence numbers, from 0, as in Kafka's `DefaultRecordBatch.incrementSequence`."""


class SequenceNumbers(TransactionManager):  # type: ignore[misc]
    """Sequence numbers by partition. A negative increment returns numbers."""

    def increment_sequence_number(self, tp: Any, increment: int) -> None:
        self._sequence_numbers[tp] = (self._sequence_numbers[tp] + increment) % SEQUENCE_COUNT


class _ProduceHandler(SendProduceReqHandler):  # type: ignore[misc]
    def handle_response(self, response: Any) -> None:
        super().handle_response(response)
        for tp, batch in self._batches.items():
            if _rejected_at_first_try(batch):
                self._sender._txn_manager.increment_sequence_number(tp, -batch.record_count)


def _rejected_at_first_try(batch: Any) -> bool:
    """Return True if the first try was rejected. A retry may follow an accepted try whose response was lost."""
    done: bool = batch.future.done() and batch.retry_count == 1
    return done and isinstance(batch.future.exception(), TOO_LARGE)


class _Sender(Sender):  # type: ignore[misc]
    async def _send_produce_req(self, node_id: int, batches: dict[Any, Any]) -> None:
        await _ProduceHandler(self, batches).do(node_id)
        self._in_flight.remove(node_id)
        self._muted_partitions.difference_update(batches)


class RecoverableIdempotentProducer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's idempotent producer, usable after a rejected batch."""

    def __init__(self, **settings: Any) -> None:
        aiokafka_patches.install()
        super().__init__(**settings)
        counted = self._txn_manager  # type: ignore[has-type]
        if counted is not None:
            self._txn_manager = SequenceNumbers(counted.transactional_id, counted.transaction_timeout_ms)
            self._message_accumulator._txn_manager = self._txn_manager
        stock: Any = self._sender  # type: ignore[has-type]
        self._sender = _Sender(
            self.client,
            acks=stock._acks,
            txn_manager=self._txn_manager,
            retry_backoff_ms=stock._retry_backoff * 1000,
            message_accumulator=self._message_accumulator,
            request_timeout_ms=stock._request_timeout_ms,
        )
