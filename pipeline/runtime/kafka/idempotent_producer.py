"""An idempotent producer that outlives a batch the broker refused, and its 2,147,483,648th record.

Each batch of a partition is numbered by the records before it. aiokafka counts the records of a refused batch although
the broker never took them: every later batch of that partition is out of order, for good. Here the numbers are given
back, as Kafka's own client does, while the partition is still closed to the next batch.

Behind 2^31 - 1 the broker waits for 0, as Kafka's own client counts. aiokafka goes on at -2^31: at a thousand records a
second a partition would be closed for good after 25 days.

It overrides private names of aiokafka 0.14.0, which `tests/unit/runtime/faust/test_private_names.py` watches.
"""

from __future__ import annotations

from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.producer.transaction_manager import TransactionManager

TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
"""What a broker says of a batch that it will never take, whoever sends it and whenever: above the topic's
`max.message.bytes`, above its `segment.bytes`."""


SEQUENCES: Final = 2**31
"""How many sequence numbers there are, from 0: Kafka's `DefaultRecordBatch.incrementSequence`."""


class Sequences(TransactionManager):  # type: ignore[misc]
    """Sequence numbers by partition. A negative increment gives numbers back."""

    def increment_sequence_number(self, tp: Any, increment: int) -> None:
        self._sequence_numbers[tp] = (self._sequence_numbers[tp] + increment) % SEQUENCES


class _Handler(SendProduceReqHandler):  # type: ignore[misc]
    def handle_response(self, response: Any) -> None:
        super().handle_response(response)
        for tp, batch in self._batches.items():
            if _never_taken(batch):
                self._sender._txn_manager.increment_sequence_number(tp, -batch.record_count)


def _never_taken(batch: Any) -> bool:
    """Refused at its first try. A later one may follow a try that was taken and whose answer was lost."""
    done: bool = batch.future.done() and batch.retry_count == 1
    return done and isinstance(batch.future.exception(), TOO_LARGE)


class _Sender(Sender):  # type: ignore[misc]
    async def _send_produce_req(self, node_id: int, batches: dict[Any, Any]) -> None:
        await _Handler(self, batches).do(node_id)
        self._in_flight.remove(node_id)
        self._muted_partitions.difference_update(batches)


class SequencedProducer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's producer; idempotent, and as good after a refusal as before."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        counted = self._txn_manager  # type: ignore[has-type]
        if counted is not None:
            self._txn_manager = Sequences(counted.transactional_id, counted.transaction_timeout_ms)
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
