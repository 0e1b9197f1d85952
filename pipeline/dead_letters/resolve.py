"""Resolve dead letters: redrive them to the topic that they came from, or drop them. Each resolution is a record.

The resolution is published after the record is acknowledged. A crash in between redrives the dead letter once more,
which is harmless: a failed record had no effect, and once a redrive succeeds the ids of its event or command mark the
second one as a duplicate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError

from pipeline.errors import Unavailable
from pipeline.runtime.kafka import admin
from pipeline.runtime.kafka.idempotent_producer import RecoverableIdempotentProducer
from pipeline.topics.dead_letters import DeadLetter, DeadLetterState, Resolution
from pipeline.topics.records import Record

TIMEOUT: Final = 10.0
"""Timeout for connecting, and for the acknowledgement of a batch, in seconds."""
MAX_REQUEST_BYTES: Final = 8 * 1024 * 1024
"""Bytes of one request: more than any topic accepts."""


class PartitionedRecord(NamedTuple):
    """A record and the partition to publish it to."""

    record: Record
    partition: int


class NotRedriven(NamedTuple):
    """A dead letter that can't be redriven, and the reason."""

    letter: DeadLetter
    reason: str


class DeadLetterResolver:
    """Redrives and drops dead letters.

    Args:
        by: the person who decides, for the resolution's record.
    """

    def __init__(self, bootstrap: str, producer: Any, by: str) -> None:
        self._bootstrap = bootstrap
        self._producer = producer
        self._by = by
        self._partitions: dict[str, int] = {}

    async def redrive(self, letters: Sequence[DeadLetter]) -> list[NotRedriven]:
        """Publish the records of dead letters again, unchanged and in order. Return those that can't be redriven.

        Each record goes to the partition that it came from, because the stage's table is partitioned likewise. Raise
        `Unavailable` if Kafka does not acknowledge: redriving again is safe.
        """
        await self._load_partition_counts({letter.origin_topic for letter in letters})
        failed = [NotRedriven(letter, reason) for letter in letters if (reason := self._obstacle(letter))]
        failed_ids = {each.letter.id for each in failed}
        redriven = [letter for letter in letters if letter.id not in failed_ids]
        now = int(time.time() * 1000)
        await self._publish(PartitionedRecord(letter.redriven(now), letter.origin_partition) for letter in redriven)
        await self._publish_resolutions(redriven, DeadLetterState.REDRIVEN)
        return failed

    async def drop(self, letters: Sequence[DeadLetter]) -> list[NotRedriven]:
        """Resolve dead letters as dropped. Nothing is deleted."""
        await self._publish_resolutions(letters, DeadLetterState.DROPPED)
        return []

    async def _load_partition_counts(self, topics: set[str]) -> None:
        new = topics - self._partitions.keys()
        if new:
            there = await admin.describe(self._bootstrap, new)
            self._partitions |= {name: there[name].partitions if name in there else 0 for name in new}

    def _obstacle(self, letter: DeadLetter) -> str | None:
        partitions = self._partitions[letter.origin_topic]
        if letter.gap is not None:
            return (
                "its records were removed before they were processed, there is nothing to redrive: drop the dead letter"
            )
        if not partitions:
            return f"Kafka has no topic {letter.origin_topic}: create it, or drop the dead letter"
        if letter.origin_partition >= partitions:
            return f"{letter.origin_topic} has no partition {letter.origin_partition} any more: drop the dead letter"
        return None

    async def _publish_resolutions(self, letters: Iterable[DeadLetter], state: DeadLetterState) -> None:
        now = int(time.time() * 1000)
        made = [Resolution(letter.id, state, self._by, now) for letter in letters]
        await self._publish(PartitionedRecord(each.record(), each.letter.partition) for each in made)

    async def _publish(self, records: Iterable[PartitionedRecord]) -> None:
        """Publish records; return when all are acknowledged."""
        try:
            async with asyncio.timeout(TIMEOUT):
                await asyncio.gather(*[await self._send(each) for each in records])
        except (KafkaError, TimeoutError) as error:
            raise Unavailable(
                f"Kafka at {self._bootstrap} did not acknowledge ({type(error).__name__}): run the same again, "
                "nothing is redriven twice"
            ) from None

    async def _send(self, partitioned: PartitionedRecord) -> asyncio.Future[Any]:
        record = partitioned.record
        future: asyncio.Future[Any] = await self._producer.send(
            record.topic,
            record.value,
            key=record.key or None,  # the dead letter of a record without a key has an empty one
            partition=partitioned.partition,
            headers=list(record.headers),
        )
        return future


@asynccontextmanager
async def open_resolver(bootstrap: str, by: str) -> AsyncIterator[DeadLetterResolver]:
    """Connect a resolver. Raise `Unavailable`."""
    producer = RecoverableIdempotentProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=int(TIMEOUT * 1000),
    )
    try:
        await _start(producer, bootstrap)
        yield DeadLetterResolver(bootstrap, producer, by)
    finally:
        await producer.stop()


async def _start(producer: Any, bootstrap: str) -> None:
    try:
        async with asyncio.timeout(TIMEOUT):
            await producer.start()
    except (KafkaError, TimeoutError, OSError) as error:
        reason = type(error).__name__
        raise Unavailable(f"can't reach Kafka at {bootstrap} ({reason}): start it or set PIPELINE_KAFKA") from None
