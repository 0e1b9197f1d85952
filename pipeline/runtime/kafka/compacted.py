"""Reads a compacted topic of one partition: once to its end, or for as long as the process lives.

The last record of a key counts, so it is read from its beginning, and each record is applied in its order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline import aiokafka_patches
from pipeline.errors import Unavailable
from pipeline.logging import get_logger
from pipeline.runtime.kafka import admin
from pipeline.runtime.kafka.idempotent_producer import RecoverableIdempotentProducer
from pipeline.runtime.kafka.partition_counts import require_topics
from pipeline.topics.records import ConsumedRecord, Record

log = get_logger(__name__)

TIMEOUT: Final = 10.0
"""Timeout for reading a topic to its end, or for writing a few records, in seconds."""
SILENT_TIMEOUT: Final = 10.0
"""Seconds without an answer from the broker after which a reader connects anew."""
RETRY_INTERVAL: Final = 1.0
"""Seconds between two tries to connect."""

Apply = Callable[[ConsumedRecord], object]


async def read(bootstrap: str, topic: str, apply: Apply) -> None:
    """Apply all records of an existing topic. Raises `Unavailable`.

    If the topic is missing, this request may make the broker create it.
    """
    tp = TopicPartition(topic, 0)
    try:
        async with asyncio.timeout(TIMEOUT), _connected(bootstrap, tp, 0) as consumer:
            end = await _end(consumer, tp)
            while await consumer.position(tp) < end:
                for record in await _fetch(consumer, tp):
                    apply(record)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(admin.unreachable(bootstrap, error)) from None


async def write(bootstrap: str, records: Sequence[Record]) -> None:
    """Publish records; return once all in-sync replicas have them. Raises `Unavailable`."""
    producer = RecoverableIdempotentProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    try:
        async with asyncio.timeout(TIMEOUT):
            await producer.start()
            for each in records:
                await producer.send_and_wait(each.topic, each.value, each.key, partition=0, headers=list(each.headers))
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(admin.unreachable(bootstrap, error)) from None
    finally:
        await producer.stop()


class TopicFollower:
    """Applies all records of a topic, and then each new one as it comes.

    While the broker does not answer, what was applied stays as it is.

    Args:
        apply: called with each record, in order. Of a record for which it raises nothing more is heard.
    """

    def __init__(self, bootstrap: str, topic: str, apply: Apply) -> None:
        self._bootstrap = bootstrap
        self._tp = TopicPartition(topic, 0)
        self._apply = apply
        self._position = 0
        self._loaded = asyncio.Event()
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return once all records that the topic has now are applied.

        Raises `UsageError` without the topic, and `Unavailable`: then it may be called again.
        """
        await require_topics(self._bootstrap, [self._tp.topic], 1)
        self._task = asyncio.create_task(self._follow())
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._loaded.wait()
        except TimeoutError as error:
            await self.close()
            raise Unavailable(admin.unreachable(self._bootstrap, error)) from None

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            try:
                async with _connected(self._bootstrap, self._tp, self._position) as consumer:
                    await self._read(consumer)
            except Exception as error:  # whatever it is, a reader that ends would obey nothing more
                self._log_failure(error)
            await asyncio.sleep(RETRY_INTERVAL)

    async def _read(self, consumer: Any) -> None:
        """Read until the broker does not answer. Raises what the client raises, and `TimeoutError`."""
        end, silence = await _end(consumer, self._tp), _Silence()
        while True:
            if not self._loaded.is_set() and await consumer.position(self._tp) >= end:
                self._loaded.set()
            for record in await _fetch(consumer, self._tp):
                self._position = record.offset + 1
                self._apply(record)
            if silence.lasts(consumer.last_poll_timestamp(self._tp)):
                raise TimeoutError
            self._log_success()

    def _log_failure(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            detail = "what came before is obeyed, and nothing new until it is read again"
            log.warning("topic_not_read", topic=self._tp.topic, error=type(error).__name__, detail=detail)

    def _log_success(self) -> None:
        if self._failing:
            self._failing = False
            log.warning("topic_read_again", topic=self._tp.topic)


class _Silence:
    """Measures how long the broker has not answered a fetch. Its clock is that of the event loop."""

    def __init__(self) -> None:
        self._last: object = None
        self._since = asyncio.get_running_loop().time()

    def lasts(self, answered: object) -> bool:
        """Return True if it lasts too long. `answered` is another value after each answer."""
        if answered != self._last:
            self._last, self._since = answered, asyncio.get_running_loop().time()
        return asyncio.get_running_loop().time() - self._since > SILENT_TIMEOUT


@asynccontextmanager
async def _connected(bootstrap: str, tp: TopicPartition, position: int) -> AsyncIterator[Any]:
    """Connect a consumer without a group that reads from `position` on, or from the log's start if that is later."""
    aiokafka_patches.install()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=200)
    try:
        await consumer.start()
        consumer.assign([tp])
        consumer.seek(tp, position)
        yield consumer
    finally:
        await consumer.stop()


async def _end(consumer: Any, tp: TopicPartition) -> int:
    return int((await consumer.end_offsets([tp]))[tp])


async def _fetch(consumer: Any, tp: TopicPartition) -> Sequence[ConsumedRecord]:
    """Return the next records; none if there are none for a while."""
    found: Sequence[ConsumedRecord] = (await consumer.getmany(tp, timeout_ms=200)).get(tp, ())
    return found
