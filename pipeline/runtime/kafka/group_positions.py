"""Reads how far consumer groups have come: committed offsets, the bounds of logs, the first unprocessed records.

A request is about one group, one broker or one partition, and an answer about one partition. So a partition without a
leader, or a broker that does not answer, costs its own numbers alone: they become a `Problem`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaError, NodeNotReadyError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest, OffsetResetStrategy

from pipeline import aiokafka_patches
from pipeline.aiokafka_patches.header_names import RereadableRecords
from pipeline.runtime.kafka.admin import TIMEOUT, kafka_errors, start_client

GROUP_COORDINATOR: Final = 0
"""Kafka's number of the kind of coordinator."""
CONSUMER: Final = -1
"""Kafka's replica id of a client."""
READ_UNCOMMITTED: Final = 0
"""Kafka's number of the isolation that the workers read with."""
FETCH_BYTES: Final = 64 * 1024
"""Bytes of one fetch for a first record. The broker returns one whole batch at least, however large."""
MAX_FETCHES: Final = 50
"""Fetches for the first record of one partition. Each passes at least one batch without records."""
RETRY_INTERVAL: Final = 0.1
"""Time between two requests to a coordinator that is not ready, in seconds. A new cluster makes it when asked."""
COMMITTED_BY, BOUNDS_BY, FIRST_BY = 0.4, 0.7, 1.0
"""Shares of the time at which each kind of request ends, so that one broker that hangs leaves time for the others."""
PARALLEL_FETCHES: Final = 8
"""Fetches at a time. A batch may be of 4 MiB, and all of them are in memory together."""


class Problem(str):
    """Text for people: the reason why something could not be read."""

    __slots__ = ()


NO_LEADER: Final = Problem("no leader: the broker that has it is away")
NO_ANSWER: Final = Problem("its broker does not answer")


class LogBounds(NamedTuple):
    """The offsets of the first record in a log and after the last one."""

    start: int
    end: int


class FirstRecord(NamedTuple):
    """The first record at or after an offset.

    Attributes:
        offset: its offset; the end of the log if there is none.
        timestamp: its timestamp in ms; None: unknown, or there is none.
    """

    offset: int
    timestamp: int | None = None


class PositionReader:
    """Reads positions for `timeout` seconds. What has no answer by then is a `Problem`, or an unknown timestamp."""

    def __init__(self, client: AIOKafkaClient, metadata: ClusterMetadata, timeout: float) -> None:
        self._client = client
        self._metadata = metadata
        self._began = asyncio.get_running_loop().time()
        self._timeout = timeout
        self._fetches = asyncio.Semaphore(PARALLEL_FETCHES)

    def partitions(self, topic: str) -> list[TopicPartition]:
        """Return the partitions of a topic in order; none if the broker does not know it."""
        return [TopicPartition(topic, number) for number in sorted(self._metadata.partitions_for_topic(topic) or ())]

    async def committed(self, group: str) -> dict[TopicPartition, int] | Problem:
        """Return all committed offsets of a group."""
        error: Exception = TimeoutError()
        try:
            async with self._until(COMMITTED_BY):
                while True:
                    try:
                        return await self._fetch_offsets(group)
                    except KafkaError as failure:
                        error = failure
                        if not failure.retriable:
                            break
                        await asyncio.sleep(RETRY_INTERVAL)
        except TimeoutError:
            pass
        return Problem(f"the group's offsets can't be read ({_name(error)})")

    async def _fetch_offsets(self, group: str) -> dict[TopicPartition, int]:
        coordinator = await self._client.coordinator_lookup(GROUP_COORDINATOR, group)
        response = await self._client.send(coordinator, OffsetFetchRequest(group, None))
        if error_code := getattr(response, "error_code", 0):
            raise for_code(error_code)
        return {
            TopicPartition(topic, partition): offset
            for topic, partitions in response.topics
            for partition, offset, _, error_code in partitions
            if offset >= 0 and not error_code
        }

    def _until(self, share: float) -> asyncio.Timeout:
        """Return a timeout at this share of the reader's time."""
        return asyncio.timeout_at(self._began + share * self._timeout)

    async def bounds(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, LogBounds | Problem]:
        """Return the bounds of each log."""
        starts, ends = await asyncio.gather(
            self._offsets(tps, OffsetResetStrategy.EARLIEST), self._offsets(tps, OffsetResetStrategy.LATEST)
        )
        return {tp: _bounds(starts[tp], ends[tp]) for tp in tps}

    async def _offsets(self, tps: Iterable[TopicPartition], at: int) -> dict[TopicPartition, int | Problem]:
        by_leader: dict[int, list[TopicPartition]] = defaultdict(list)
        for tp in tps:
            by_leader[self._leader(tp)].append(tp)
        answers = await asyncio.gather(*(self._offsets_of(node, some, at) for node, some in by_leader.items()))
        return {tp: each for answer in answers for tp, each in answer.items()}

    def _leader(self, tp: TopicPartition) -> int:
        leader = self._metadata.leader_for_partition(tp)
        return -1 if leader is None else int(leader)

    async def _offsets_of(
        self, node: int, tps: Collection[TopicPartition], at: int
    ) -> dict[TopicPartition, int | Problem]:
        """Ask one broker. What it says nothing about has its problem."""
        found: dict[TopicPartition, int | Problem] = dict.fromkeys(tps, NO_LEADER if node < 0 else NO_ANSWER)
        if node < 0:
            return found
        topics = [(topic, [(number, at) for number in numbers]) for topic, numbers in _by_topic(tps)]
        try:
            async with self._until(BOUNDS_BY):
                response = await self._client.send(node, OffsetRequest(CONSUMER, READ_UNCOMMITTED, topics))
        except (KafkaError, TimeoutError):
            return found
        for topic, partitions in response.topics:
            for number, error_code, *_, offset in partitions:
                found[TopicPartition(topic, number)] = _problem(error_code) if error_code else offset
        return found

    async def first_record(self, tp: TopicPartition, offset: int, end: int) -> FirstRecord:
        """Return the first record from `offset` on, before `end`."""
        try:
            async with self._until(FIRST_BY), self._fetches:
                for _ in range(MAX_FETCHES):
                    content = await self._fetch(tp, offset)
                    found = _first_in(content, offset)
                    if found.offset >= end or not content:
                        return FirstRecord(end)
                    if found.timestamp is not None:
                        return found
                    offset = found.offset
        except (KafkaError, TimeoutError):
            pass
        return FirstRecord(offset)

    async def _fetch(self, tp: TopicPartition, offset: int) -> bytes:
        """Return the batches from `offset` on, as the broker stores them."""
        topics = [(tp.topic, [(tp.partition, offset, FETCH_BYTES)])]
        request = FetchRequest(0, 1, FETCH_BYTES, READ_UNCOMMITTED, topics)
        response = await self._client.send(self._leader(tp), request)
        ((_, partitions),) = response.topics
        ((_, error_code, *_, content),) = partitions
        if error_code:
            raise for_code(error_code)
        return content or b""


@asynccontextmanager
async def open_positions(bootstrap: str, timeout: float) -> AsyncIterator[PositionReader]:
    """Connect a reader that reads for `timeout` seconds then. Raise `Unavailable` if no broker answers."""
    aiokafka_patches.install()
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=int(TIMEOUT * 1000))
    try:
        with kafka_errors(bootstrap):
            async with asyncio.timeout(TIMEOUT):
                await start_client(client.bootstrap, bootstrap)
                metadata = await _metadata(client)
        yield PositionReader(client, metadata, timeout)
    finally:
        await client.close()


async def _metadata(client: AIOKafkaClient) -> ClusterMetadata:
    """Return the metadata of all topics. A request for one by name can make the broker create it."""
    try:
        return await client.fetch_all_metadata()
    except KafkaError as error:  # a broker answered before, so it is its own addresses that can't be reached
        raise NodeNotReadyError from error


def _by_topic(tps: Iterable[TopicPartition]) -> Iterable[tuple[str, list[int]]]:
    found: dict[str, list[int]] = defaultdict(list)
    for topic, partition in tps:
        found[topic].append(partition)
    return found.items()


def _bounds(start: int | Problem, end: int | Problem) -> LogBounds | Problem:
    if isinstance(start, Problem):
        return start
    return end if isinstance(end, Problem) else LogBounds(start, end)


def _first_in(content: bytes, offset: int) -> FirstRecord:
    """Return the first record from `offset` on; without a timestamp, the offset after all that `content` has."""
    batches: Any = RereadableRecords(content)
    while batches.has_next():
        batch = batches.next_batch()
        for record in () if batch.is_control_batch else batch:
            if record.offset >= offset:
                return FirstRecord(record.offset, record.timestamp)
        offset = max(offset, batch.next_offset)
    return FirstRecord(offset)


def _problem(error_code: int) -> Problem:
    return Problem(f"the broker answers {for_code(error_code).__name__}")


def _name(error: Exception) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
