"""What the runtime's tests do from outside: topics of their own, records in, records out, workers as processes."""

from __future__ import annotations

import asyncio
import re
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import orjson
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import ConsumerRecord

from pipeline.runtime.kafka import admin
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.topics.catalogue import Topic, changelog, dead_letters, parked_changelog
from pipeline.topics.records import Record, header
from tests.integration.runtime_worker import SEEN, Order
from tests.support.ports import free_ports
from tests.support.stacks import Process, eventually
from tests.support.waiting import HANG, until

PARTITIONS = 4
SESSION = 6
"""Seconds until the group gives a killed worker up: the least that a broker takes."""

T = TypeVar("T")
Records = list[ConsumerRecord[bytes, bytes]]


class Worker(Process):
    """A worker process of one site."""

    def __init__(self, site: Site, program: str, number: int, data_dir: Path, env: Mapping[str, str]) -> None:
        self._port = free_ports()
        settings = {
            "PIPELINE_KAFKA": site.bootstrap,
            "PIPELINE_PARTITIONS": str(PARTITIONS),
            "PIPELINE_DATA_DIR": str(data_dir),
            "PIPELINE_SESSION_TIMEOUT": str(SESSION),
            "PIPELINE_WORKER_PORT": str(self._port),
            "PIPELINE_HANDLER_TIMEOUT": "10",
        }
        argv = [sys.executable, "-m", "tests.integration.runtime_worker", program, site.name]
        super().__init__(argv, site.directory / f"worker-{number}.out", {**settings, **env})

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of its health server; status 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=HANG) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    @property
    def ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    @property
    def url(self) -> str:
        """The address of its health server."""
        return f"http://127.0.0.1:{self._port}"

    def metric(self, name: str, **labels: str) -> float:
        """The value of a metric; 0 while it is not there."""
        wanted = "".join(f'.*{key}="{value}"' for key, value in labels.items())
        found = re.search(rf"^{name}\{{{wanted}.*\}} (\S+)$", self.get("/metrics")[1], re.M)
        return float(found[1]) if found else 0.0

    def wait_ready(self) -> None:
        """Waits until it takes records. Fails at once when it has ended."""
        eventually(lambda: self.ready or self.ended, lambda: f"ready: {self.output[-2000:]}")
        assert not self.ended, self.output

    @property
    def rss(self) -> float:
        """Resident memory in MB."""
        return psutil.Process(self.pid).memory_info().rss / 1e6


class Site:
    """The topics and the workers of one test."""

    def __init__(self, bootstrap: str, name: str, directory: Path) -> None:
        self.bootstrap = bootstrap
        self.name = name
        self.directory = directory
        self.workers: list[Worker] = []
        self._numbers = count()

    @property
    def topics(self) -> list[Topic]:
        plain = [f"{self.name}.in", f"{self.name}.out"]
        table = changelog(self.name, SEEN, timedelta(hours=1))
        parked = parked_changelog(self.name)
        return [*(Topic(name, "key", "a test's") for name in plain), dead_letters(self.name), table, parked]

    def create(self, *, without: str = "") -> None:
        wanted = [topic for topic in self.topics if topic.name != without]
        asyncio.run(admin.create(self.bootstrap, wanted, PARTITIONS, 1))

    def start(self, program: str, *, data_dir: str = "data", **env: str) -> Worker:
        """A worker that may not be ready yet. Workers that run at once need different `data_dir`s."""
        worker = Worker(self, program, next(self._numbers), self.directory / data_dir, env)
        self.workers.append(worker)
        return worker

    def ready(self, program: str, *, data_dir: str = "data", **env: str) -> Worker:
        worker = self.start(program, data_dir=data_dir, **env)
        worker.wait_ready()
        return worker

    def stop(self) -> None:
        for worker in self.workers:
            worker.kill()

    def path(self, name: str) -> Path:
        """A file that a record's order may speak of."""
        return self.directory / name

    # Records

    def feed(self, orders: Iterable[tuple[str, Order]], *, raw: Sequence[Record] = ()) -> None:
        """Publishes orders, each under its key, in order."""
        records = [Record(f"{self.name}.in", key.encode(), orjson.dumps(order)) for key, order in orders]
        asyncio.run(_feed(self.bootstrap, [*records, *raw]))

    def outputs(self) -> Records:
        """Everything that was written, in order within each partition."""
        return asyncio.run(_read(self.bootstrap, f"{self.name}.out"))

    def dead_letters(self) -> Records:
        return asyncio.run(_read(self.bootstrap, f"dead-letters.{self.name}"))

    def written(self) -> int:
        """How many records were written so far."""
        return sum(asyncio.run(_ends(self.bootstrap, f"{self.name}.out")).values())

    def wait_written(self, number: int, *, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Waits until so many records were written; calls `meanwhile` between two looks."""
        asyncio.run(_until_written(self.bootstrap, f"{self.name}.out", number, meanwhile))

    def ids(self) -> list[str]:
        """The ids that were written, again and again if they were, in order within each partition."""
        return [order_of(record)["id"] for record in self.outputs()]

    def in_order(self) -> bool:
        """Whether the ids of each key, `KEY-NUMBER`, were first written in the order of their numbers."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for id_ in dict.fromkeys(self.ids()):
            key, number = id_.split("-")
            numbers[key].append(int(number))
        return all(found == sorted(found) for found in numbers.values())

    # Positions

    def committed(self) -> dict[int, int]:
        """The group's committed offset by partition; those of which it has finished nothing are left out."""
        return asyncio.run(committed_offsets(self.bootstrap, self.name, f"{self.name}.in"))

    def ends(self) -> dict[int, int]:
        """The end of the source by partition, for those partitions that hold something."""
        return {part: end for part, end in asyncio.run(_ends(self.bootstrap, f"{self.name}.in")).items() if end}

    def wait_committed(self) -> None:
        """Waits until everything that was fed is committed."""
        eventually(lambda: self.committed() == self.ends(), "everything committed")

    def trim(self, topic: str, before: Mapping[int, int]) -> None:
        """Removes what lies before an offset of a partition, as retention does."""
        asyncio.run(_trim(self.bootstrap, topic, before))

    def raise_partitions(self, topic: str, count: int) -> None:
        asyncio.run(raise_partitions(self.bootstrap, topic, count))

    def members(self) -> int:
        """How many workers the group has, as the broker sees it."""
        return asyncio.run(_members(self.bootstrap, self.name))

    def configure(self, topic: str, **settings: str) -> None:
        keys = {key.replace("_", "."): value for key, value in settings.items()}
        asyncio.run(configure(self.bootstrap, topic, keys))


@contextmanager
def site(bootstrap: str, directory: Path) -> Iterator[Site]:
    """A site with its topics; whatever still runs there in the end is killed."""
    made = Site(bootstrap, f"t{uuid4().hex[:12]}", directory)
    made.create()
    try:
        yield made
    finally:
        made.stop()


def order_of(record: ConsumerRecord[bytes, bytes]) -> Order:
    order: Order = orjson.loads(record.value or b"")
    return order


def named(record: ConsumerRecord[bytes, bytes], name: str) -> str:
    return header(record.headers, name) or ""


def keys_of(partition: int, number: int) -> list[str]:
    """Keys that live on a partition."""
    names = (f"key{index}" for index in range(number * PARTITIONS * 10))
    return [name for name in names if partition_of(name.encode(), PARTITIONS) == partition][:number]


def copies(*ids: str) -> list[tuple[str, Order]]:
    """Orders that are only copied, each under what its id begins with."""
    return [(id_.split("-")[0], {"id": id_}) for id_ in ids]


def numbered(keys: int, each: int) -> list[tuple[str, Order]]:
    """`each` orders for each of so many keys, taking turns, with ids that `in_order` understands."""
    return [(f"k{key}", {"id": f"k{key}-{number}"}) for number in range(each) for key in range(keys)]


async def _feed(bootstrap: str, records: Sequence[Record]) -> None:
    """Publishes in batches that are built by hand: two hundred thousand records take a second instead of four."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=512 * 1024, max_request_size=8_000_000)
    await producer.start()
    try:
        for place, batch in _batches(producer, records):
            await producer.send_batch(batch, place.topic, partition=place.partition)
        await producer.flush()
    finally:
        await producer.stop()


def _batches(producer: Any, records: Sequence[Record]) -> Iterator[tuple[TopicPartition, Any]]:
    open_ones: dict[TopicPartition, Any] = {}
    for topic, key, value, headers in records:
        place = TopicPartition(topic, partition_of(key, PARTITIONS))
        message = {"key": key, "value": value, "timestamp": None, "headers": list(headers)}
        if place not in open_ones:
            open_ones[place] = producer.create_batch()
        if open_ones[place].append(**message) is None:
            yield place, open_ones[place]
            open_ones[place] = producer.create_batch()
            open_ones[place].append(**message)
    yield from open_ones.items()


async def _with_consumer(bootstrap: str, use: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    await consumer.start()
    try:
        return await use(consumer)
    finally:
        await consumer.stop()


async def _read(bootstrap: str, topic: str) -> Records:
    parts = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]

    async def read(consumer: Any) -> Records:
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        found: Records = []
        while [part for part in parts if await consumer.position(part) < ends[part]]:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
        return sorted(found, key=lambda record: (record.partition, record.offset))

    return await _with_consumer(bootstrap, read)


async def _ends(bootstrap: str, topic: str) -> dict[int, int]:
    return await _with_consumer(bootstrap, lambda consumer: _ends_of(consumer, topic))


async def _ends_of(consumer: Any, topic: str) -> dict[int, int]:
    parts = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    return {part.partition: end for part, end in (await consumer.end_offsets(parts)).items()}


async def _until_written(bootstrap: str, topic: str, number: int, meanwhile: Callable[[], object]) -> None:
    async def wait(consumer: Any) -> None:
        deadline = time.monotonic() + HANG
        while (written := sum((await _ends_of(consumer, topic)).values())) < number:
            assert time.monotonic() < deadline, f"not within {HANG} s: {number} outputs; there are {written}"
            meanwhile()
            await asyncio.sleep(0.05)

    await _with_consumer(bootstrap, wait)


async def committed_offsets(bootstrap: str, group: str, topic: str) -> dict[int, int]:
    """Return a group's committed offset of each partition of which it has finished something."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        offsets = await client.list_consumer_group_offsets(group)
    finally:
        await client.close()
    found = {part.partition: meta.offset for part, meta in offsets.items() if part.topic == topic}
    return {partition: offset for partition, offset in found.items() if offset > 0}


async def _members(bootstrap: str, group: str) -> int:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        (answer,) = await client.describe_consumer_groups([group])
    finally:
        await client.close()
    return len(answer.groups[0][5])


async def _trim(bootstrap: str, topic: str, before: Mapping[int, int]) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        places = {TopicPartition(topic, part): RecordsToDelete(offset) for part, offset in before.items()}
        await client.delete_records(places)
    finally:
        await client.close()


async def raise_partitions(bootstrap: str, topic: str, count: int) -> None:
    """Gives a topic more partitions, and waits until the broker shows them."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        await client.create_partitions({topic: NewPartitions(count)})
    finally:
        await client.close()

    async def shown() -> bool:
        return (await admin.describe(bootstrap, [topic]))[topic].partitions == count

    await until(shown)


async def configure(bootstrap: str, topic: str, keys: dict[str, str]) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, keys)])
    finally:
        await client.close()
