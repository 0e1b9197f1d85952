"""From the door to the log: records are published, and awaited until the broker has acknowledged them.

The producer is idempotent and retries for ever, so a broker that comes back gets everything in order and once. It
has two ways of being unusable. *Stalled*: something waits and nothing has been acknowledged for a while; new
webhooks are refused at once until the broker speaks again. *Lost*: it gave a batch up, which leaves a gap in its
sequence numbers that no later batch can pass; the process must end and a new one begin.

Records are placed by the partition count that the installation recorded. While the topic has another one nothing is
taken: the workers would not look where it went.
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
_RECONNECT_MAX: Final = 2.0
_PROBE_SECONDS: Final = 1.0

_log = get_logger(__name__)


class Publisher:
    """One idempotent producer to one topic. Made and used on one event loop.

    Attributes:
        lost: becomes done, with what went wrong, when the process has to end.
        unacknowledged: bytes of records that were sent and not acknowledged yet.
    """

    def __init__(self, bootstrap: str, topic: str = RAW.name) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._loop = asyncio.get_running_loop()
        self._producer: AIOKafkaProducer | None = None
        self._connecting = self._loop.create_task(self._connect())
        self._progress = 0.0
        self._probed = (float("-inf"), False)
        self._recorded = 0
        self._told = False
        self.lost: asyncio.Future[PipelineError] = self._loop.create_future()
        self.unacknowledged = 0

    async def publish(self, records: Sequence[Record]) -> None:
        """Returns when every record is acknowledged by all in-sync replicas.

        Raises `Unavailable` when the broker can't be asked now (the records may still arrive later), `OversizeRecord`
        when it would never take one. Cancelling it does not unsend what was sent.
        """
        producer = self._usable()
        try:
            sent = [await self._send(producer, record) for record in records]
            for future in sent:
                await asyncio.shield(future)
        except MessageSizeTooLargeError:
            raise OversizeRecord("the webhook is larger than the topic takes") from None
        except KafkaError as error:
            self._judge(error)
            raise Unavailable(f"not acknowledged: {type(error).__name__}") from None

    @property
    def fault(self) -> str | None:
        """What only a person can mend, in one line: the topic has not the partitions that were recorded."""
        count = self._partitions(self._producer) if self._producer is not None else 0
        if not count or not self._recorded or count == self._recorded:
            return None
        line = count_changed(f"{self._topic} has {count}", self._recorded)
        if not self._told:
            self._told = True
            _log.critical("partition_count_changed: webhooks are answered 503", error=line)
        return line

    async def ready(self) -> bool:
        """Whether the broker answers now and the topic is there as it was made. Asks at most once a second."""
        if self._producer is None or self._stalled() or self.lost.done():
            return False
        if error := dead_task(producer_tasks(self._producer)):
            self._lose(str(error))
            return False
        if self._loop.time() - self._probed[0] > _PROBE_SECONDS:
            self._probed = (self._loop.time(), await _metadata(self._producer))
        return self._probed[1] and self._partitions(self._producer) > 0 and self.fault is None

    async def stop(self, seconds: float) -> None:
        """Flushes what is left, for `seconds` at most."""
        self._connecting.cancel()
        await asyncio.wait([self._connecting])
        if self._producer is not None:
            try:
                await asyncio.wait_for(self._producer.stop(), seconds)
            except TimeoutError:
                _log.warning("stopped without the last acknowledgements", bytes=self.unacknowledged)

    def _usable(self) -> AIOKafkaProducer:
        if self._producer is None or self.lost.done():
            raise Unavailable("no connection to the broker")
        if self._stalled():
            raise Unavailable("the broker acknowledges nothing")
        return self._producer

    async def _send(self, producer: AIOKafkaProducer, record: Record) -> asyncio.Future[Any]:
        count = self._partitions(producer)
        if not count:
            producer.client.force_metadata_update()
            raise Unavailable(f"there is no topic {self._topic}: run `pipeline topics create`")
        self._recorded = self._recorded or count  # nothing was recorded: the first count that was seen is the one
        if count != self._recorded:
            raise Unavailable(self.fault or "")
        topic, key, value, headers = record
        future: asyncio.Future[Any] = await producer.send(
            topic, value, key, partition=partition_of(key, count), headers=headers
        )
        if not self.unacknowledged:
            self._progress = self._loop.time()
        self.unacknowledged += len(value)
        future.add_done_callback(partial(self._settled, len(value)))
        return future

    def _settled(self, size: int, future: asyncio.Future[Any]) -> None:
        self.unacknowledged -= size
        error = None if future.cancelled() else future.exception()
        if error is None:
            self._progress = self._loop.time()
        else:
            self._give_up(error)

    def _stalled(self) -> bool:
        return self.unacknowledged > 0 and self._loop.time() - self._progress > STALLED_AFTER

    def _judge(self, error: KafkaError) -> None:
        """What could not even be queued says little, unless the producer has closed itself."""
        if not error.retriable and not isinstance(error, KafkaTimeoutError):
            self._give_up(error)

    def _give_up(self, error: BaseException) -> None:
        self._lose(f"the producer gave a batch up ({error!r})")

    def _lose(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(PublishFailed(f"{reason}: a new process has to begin"))

    def _partitions(self, producer: AIOKafkaProducer) -> int:
        return len(producer.client.cluster.partitions_for_topic(self._topic) or ())

    async def _connect(self) -> None:
        delay = 0.1
        while not await self._connected():
            await asyncio.sleep(delay)
            delay = min(2 * delay, _RECONNECT_MAX)

    async def _connected(self) -> bool:
        producer = _producer(self._bootstrap)
        try:
            await producer.start()
            await producer.client.set_topics([self._topic])
            self._recorded = await self._look_up()
            self._producer = producer
            if line := self.fault:
                self.lost.set_result(UsageError(line))
        except (KafkaError, OSError, Unavailable) as error:
            _log.warning("the broker does not answer", kafka=self._bootstrap, error=repr(error))
        finally:
            if self._producer is None:
                await producer.stop()
        return self._producer is not None

    async def _look_up(self) -> int:
        """The partition count that was recorded for the topic; 0 where none was."""
        recorded = (await installation.read(self._bootstrap)).expected(self._topic)
        if recorded is None:
            _log.warning("partition_count_not_recorded: run `pipeline topics create`; the present count is kept")
        return recorded or 0


def _producer(bootstrap: str) -> AIOKafkaProducer:
    """A batch may be as large as the topic takes; 1 ms of linger costs no latency under load and saves the broker."""
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
        return bool(await asyncio.wait_for(producer.client.force_metadata_update(), _PROBE_SECONDS))
    except TimeoutError:
        return False
