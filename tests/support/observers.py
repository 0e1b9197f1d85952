"""Looking at a running stack from outside: topics, the sandbox, the ingress."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord

from tests.support.waiting import HANG


def request(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, method: str = "") -> int:
    """The status of one HTTP request."""
    made = urllib.request.Request(
        url, body, dict(headers or {}), method=method or ("POST" if body is not None else "GET")
    )
    try:
        with urllib.request.urlopen(made, timeout=HANG) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def get(url: str) -> Any:
    """The JSON that a GET gives."""
    with urllib.request.urlopen(url, timeout=HANG) as response:
        return orjson.loads(response.read())


def post(url: str, content: object, headers: Mapping[str, str] | None = None) -> Any:
    """The JSON that a POST of JSON gives."""
    named = {"Content-Type": "application/json", **(headers or {})}
    made = urllib.request.Request(url, orjson.dumps(content), named)
    with urllib.request.urlopen(made, timeout=HANG) as response:
        return orjson.loads(response.read())


def records(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    """Everything that is on a topic now, partition by partition."""
    return asyncio.run(_records(bootstrap, topic))


async def _records(bootstrap: str, topic: str) -> list[ConsumerRecord]:
    consumer = await _started(bootstrap, topic)
    try:
        found: list[ConsumerRecord] = []
        await _read_on(consumer, found)
        return found
    finally:
        await consumer.stop()


async def _started(bootstrap: str, topic: str) -> Any:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    return consumer


async def _read_on(consumer: Any, found: list[ConsumerRecord]) -> None:
    ends = await consumer.end_offsets(consumer.assignment())
    while any([await consumer.position(partition) < end for partition, end in ends.items()]):
        for some in (await consumer.getmany(timeout_ms=200)).values():
            found += some


class Tail:
    """The records of a topic, read on from where the last look ended. Close it."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._runner = asyncio.Runner()
        self._consumer = self._runner.run(_started(bootstrap, topic))
        self._found: list[ConsumerRecord] = []

    def records(self) -> list[ConsumerRecord]:
        """Return everything that is on the topic now, in order within each partition."""
        self._runner.run(_read_on(self._consumer, self._found))
        return self._found

    def close(self) -> None:
        self._runner.run(self._consumer.stop())
        self._runner.close()
