"""Publish the records of webhooks, and wait until the broker has acknowledged them.

The producer is idempotent and retries for ever, so a broker that comes back gets every record once and in order. The
producer is unusable in two states:

- *Stalled*: records wait, and nothing has been acknowledged for `STALLED_AFTER` seconds. New webhooks are rejected at
  once until the broker acknowledges again.
- *Failed* (`fatal_error`): the producer gave up a batch. That leaves a gap in its sequence numbers, so the broker would
  reject every later batch. The process must end.

Partitions are computed with the partition count that the installation recorded. While the topic has another count,
webhooks are rejected: the workers would look for the conversation on another partition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from pipeline.errors import OversizeRecord, PipelineError, PublishFailed, Unavailable, UsageError
from pipeline.logging import get_logger
from pipeline.runtime.kafka import installation
from pipeline.runtime.kafka.client_tasks import dead_task, producer_tasks
from pipeline.runtime.kafka.idempotent_producer import RecoverableIdempotentProducer
from pipeline.runtime.kafka.partition_counts import count_changed
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.topics.catalogue import MAX_MESSAGE_BYTES, RAW
from pipeline.topics.records import Record

STALLED_AFTER: Final = 2.0
"""Seconds without an acknowledgement while records wait for one."""
_MAX_RECONNECT_DELAY: Final = 2.0
"""Seconds."""
_PROBE_TIMEOUT: Final = 1.0
"""Seconds; also the minimum between two probes of the broker."""

_log = get_logger(__name__)


class WebhookPublisher:
    """One idempotent producer to one topic. Made and used on one event loop.

    Attributes:
        fatal_error: done, with the error as its result, when the process has to end.
        unacknowledged: bytes of records that were sent and not acknowledged yet.
    """

    def __init__(self, bootstrap: str, topic: str = RAW.name) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._loop = asyncio.get_running_loop()
        self._producer: AIOKafkaProducer | None = None
        self._connecting = self._loop.create_task(self._connect())
        self._progress = 0.0
        self._last_probe = (float("-inf"), False)
        self._recorded = 0
        self._reported = False
        self.fatal_error: asyncio.Future[PipelineError] = self._loop.create_future()
        self.unacknowledged = 0

    async def publish(self, records: Sequence[Record]) -> None:
        """Publish records; return when all in-sync replicas have acknowledged every one.

        Raise `Unavailable` if the broker does not acknowledge now (the records may still arrive later), and
        `OversizeRecord` if a record is too large for the topic. Cancelling does not take back records that were sent.
        """
        producer = self._usable()
        try:
            sent = [await self._send(producer, record) for record in records]
            for future in sent:
                await asyncio.shield(future)
        except MessageSizeTooLargeError:
            raise OversizeRecord("the webhook is larger than the topic takes") from None
        except KafkaError as error:
            self._fail_if_fatal(error)
            raise Unavailable(f"not acknowledged: {type(error).__name__}") from None

    @property
    def misconfiguration(self) -> str | None:
        """One line if the topic has another partition count than the recorded one, which only an operator can fix."""
        count = self._partitions(self._producer) if self._producer is not None else 0
        if not count or not self._recorded or count == self._recorded:
            return None
        line = count_changed(f"{self._topic} has {count}", self._recorded)
        if not self._reported:
            self._reported = True
            _log.critical("partition_count_changed", detail="webhooks are answered with 503", error=line)
        return line

    async def ready(self) -> bool:
        """Return True if the broker answers and the topic is as recorded. Ask the broker at most once a second."""
        if self._producer is None or self._stalled() or self.fatal_error.done():
            return False
        if error := dead_task(producer_tasks(self._producer)):
            self._fail(str(error))
            return False
        if self._loop.time() - self._last_probe[0] > _PROBE_TIMEOUT:
            self._last_probe = (self._loop.time(), await _metadata(self._producer))
        return self._last_probe[1] and self._partitions(self._producer) > 0 and self.misconfiguration is None

    async def stop(self, seconds: float) -> None:
        """Flush the remaining records, for at most `seconds`."""
        self._connecting.cancel()
        await asyncio.wait([self._connecting])
        if self._producer is not None:
            try:
                await asyncio.wait_for(self._producer.stop(), seconds)
            except TimeoutError:
                _log.warning(
                    "records_unacknowledged_at_stop",
                    detail="the last records may not be published; their callers got no 200",
                    bytes=self.unacknowledged,
                )

    def _usable(self) -> AIOKafkaProducer:
        if self._producer is None or self.fatal_error.done():
            raise Unavailable("no connection to the broker")
        if self._stalled():
            raise Unavailable("the broker acknowledges nothing")
        return self._producer

    async def _send(self, producer: AIOKafkaProducer, record: Record) -> asyncio.Future[Any]:
        count = self._partitions(producer)
        if not count:
            producer.client.force_metadata_update()
            raise Unavailable(f"there is no topic {self._topic}: run `pipeline topics create`")
        self._recorded = self._recorded or count  # without a recorded count, the first one that is seen is kept
        if count != self._recorded:
            raise Unavailable(self.misconfiguration or "")
        topic, key, value, headers = record
        future: asyncio.Future[Any] = await producer.send(
            topic, value, key, partition=partition_of(key, count), headers=headers
        )
        if not self.unacknowledged:
            self._progress = self._loop.time()
        self.unacknowledged += len(value)
        future.add_done_callback(partial(self._on_acknowledged, len(value)))
        return future

    def _on_acknowledged(self, size: int, future: asyncio.Future[Any]) -> None:
        self.unacknowledged -= size
        error = None if future.cancelled() else future.exception()
        if error is None:
            self._progress = self._loop.time()
        else:
            self._give_up(error)

    def _stalled(self) -> bool:
        return self.unacknowledged > 0 and self._loop.time() - self._progress > STALLED_AFTER

    def _fail_if_fatal(self, error: KafkaError) -> None:
        """Fail unless the error is transient: a record that could not be queued proves little."""
        if not error.retriable and not isinstance(error, KafkaTimeoutError):
            self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        self._fail(f"the producer gave a batch up ({error!r})")

    def _fail(self, reason: str) -> None:
        if not self.fatal_error.done():
            self.fatal_error.set_result(PublishFailed(f"{reason}: a new process has to begin"))

    def _partitions(self, producer: AIOKafkaProducer) -> int:
        return len(producer.client.cluster.partitions_for_topic(self._topic) or ())

    async def _connect(self) -> None:
        delay = 0.1
        while not await self._connected():
            await asyncio.sleep(delay)
            delay = min(2 * delay, _MAX_RECONNECT_DELAY)

    async def _connected(self) -> bool:
        producer = _producer(self._bootstrap)
        try:
            await producer.start()
            await producer.client.set_topics([self._topic])
            self._recorded = await self._recorded_partitions()
            self._producer = producer
            if line := self.misconfiguration:
                self.fatal_error.set_result(UsageError(line))
        except (KafkaError, OSError, Unavailable) as error:
            _log.warning("broker_unreachable", kafka=self._bootstrap, error=repr(error))
        finally:
            if self._producer is None:
                await producer.stop()
        return self._producer is not None

    async def _recorded_partitions(self) -> int:
        """Return the partition count that was recorded for the topic; 0 if there is none."""
        recorded = (await installation.read(self._bootstrap)).expected(self._topic)
        if recorded is None:
            _log.warning(
                "partition_count_not_recorded",
                detail="run `pipeline topics create`; until then the present count is kept",
            )
        return recorded or 0


def _producer(bootstrap: str) -> AIOKafkaProducer:
    """Make the producer. A batch may be as large as the topic allows; 1 ms of linger makes fewer and larger batches."""
    return RecoverableIdempotentProducer(
        bootstrap_servers=bootstrap,
        client_id="pipeline-ingress",
        acks="all",
        enable_idempotence=True,
        linger_ms=1,
        max_request_size=MAX_MESSAGE_BYTES,
        max_batch_size=MAX_MESSAGE_BYTES,
        metadata_max_age_ms=60_000,
        request_timeout_ms=10_000,
    )


async def _metadata(producer: AIOKafkaProducer) -> bool:
    try:
        return bool(await asyncio.wait_for(producer.client.force_metadata_update(), _PROBE_TIMEOUT))
    except TimeoutError:
        return False
