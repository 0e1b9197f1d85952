"""Stock Faust and ours side by side on one broker: what is fed, what comes out, what is committed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from pipeline.runtime.kafka import admin
from tests.faults import loss_cases as cases
from tests.faults.loss_cases import Order
from tests.support.ports import free_ports
from tests.support.stacks import Process, eventually


class Side(Process):
    """A worker process: stock Faust's or ours, under the group `name`."""

    def __init__(self, bootstrap: str, module: str, name: str, directory: Path, *program: str, **env: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "PIPELINE_KAFKA": bootstrap,
            "PIPELINE_PARTITIONS": "1",
            "PIPELINE_DATA_DIR": str(directory),
            "PIPELINE_WORKER_PORT": str(free_ports()),
            "PIPELINE_HANDLER_TIMEOUT": "10",
        }
        argv = [sys.executable, "-m", f"tests.faults.{module}", name, *program]
        number = len(list(directory.glob("*.out")))
        super().__init__(argv, directory / f"{module}-{number}.out", {**settings, **env})
        self.name = name

    @property
    def ended(self) -> bool:
        return self._popen.poll() is not None

    @property
    def ready(self) -> bool:
        """Whether it has its partitions and its tables, by its log."""
        return "Worker ready" in self.output

    def wait_until_ready(self) -> None:
        eventually(lambda: self.ready or self.ended, f"{self.name} is ready")
        assert self.ready, self.output

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait()


@dataclass
class Found:
    """What is on the broker of one group.

    Attributes:
        ids: what came out, by path.
        letters: what became a dead letter, by path.
        rows: keys that are in the table's changelog.
        committed: by path.
    """

    ids: dict[str, list[str]]
    letters: dict[str, list[str]]
    rows: set[bytes]
    committed: dict[str, int]

    def lost(self, path: str, fed: Iterable[str]) -> set[str]:
        """What was fed, is committed past, and is nowhere."""
        return set(fed) - set(self.ids[path]) - set(self.letters[path])


def feed(bootstrap: str, records: Sequence[tuple[str, Order]]) -> None:
    """Publishes orders, each to its topic, in order."""
    asyncio.run(_feed(bootstrap, records))


def committed(bootstrap: str, name: str) -> dict[str, int]:
    """The group's position by path."""
    return asyncio.run(_committed(bootstrap, name))


def group_state(bootstrap: str, name: str) -> str:
    """As the broker names it, e.g. `Stable`."""
    return asyncio.run(_state(bootstrap, name))


def look(bootstrap: str, name: str) -> Found:
    return asyncio.run(_look(bootstrap, name))


def create(bootstrap: str, names: Iterable[str]) -> None:
    asyncio.run(admin.create(bootstrap, [topic for name in names for topic in cases.topics(name)], 1, 1))


def until_committed(bootstrap: str, wanted: Mapping[str, Mapping[str, int]]) -> None:
    """Waits until each group has committed at least what is wanted of it."""
    eventually(lambda: not _missing(bootstrap, wanted), lambda: f"committed: {_missing(bootstrap, wanted)} is missing")


def _missing(bootstrap: str, wanted: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """What is committed of what is not committed far enough, by group and path."""
    found = {name: committed(bootstrap, name) for name in wanted}
    missing = {
        name: {
            path: found[name].get(path, 0) for path, position in paths.items() if found[name].get(path, 0) < position
        }
        for name, paths in wanted.items()
    }
    return {name: paths for name, paths in missing.items() if paths}


class frozen:
    """Stops a process, as a pause of its machine would; it goes on afterwards whatever happened."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


async def _feed(bootstrap: str, records: Sequence[tuple[str, Order]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        for topic, order in records:
            await producer.send(topic, orjson.dumps(order), key=b"k", partition=0)
    finally:
        await producer.stop()


async def _state(bootstrap: str, name: str) -> str:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        (answer,) = await client.describe_consumer_groups([name])
    finally:
        await client.close()
    return str(answer.groups[0][2])


async def _committed(bootstrap: str, name: str) -> dict[str, int]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        offsets = await client.list_consumer_group_offsets(name)
    except GroupCoordinatorNotAvailableError:  # a broker that has never had a group
        return {}
    finally:
        await client.close()
    paths = {cases.source(name, path): path for path in cases.PATHS}
    return {paths[part.topic]: meta.offset for part, meta in offsets.items() if part.topic in paths}


async def _look(bootstrap: str, name: str) -> Found:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    await consumer.start()
    try:
        outs = {path: await _read(consumer, cases.sink(name, path)) for path in cases.PATHS}
        letters = {path: await _read(consumer, f"dead-letters.{name}-{path}") for path in cases.PATHS}
        rows = await _read(consumer, f"{name}-{cases.TABLE}-changelog")
    finally:
        await consumer.stop()
    return Found(_ids(outs), _ids(letters), {row.key for row in rows}, await _committed(bootstrap, name))


def _ids(records: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
    return {path: [orjson.loads(record.value)["id"] for record in found] for path, found in records.items()}


async def _read(consumer: Any, topic: str) -> list[Any]:
    part = TopicPartition(topic, 0)
    consumer.assign([part])
    end = (await consumer.end_offsets([part]))[part]
    found: list[Any] = []
    while await consumer.position(part) < end:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found += records
    return found
