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
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        found: list[ConsumerRecord] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for some in (await consumer.getmany(timeout_ms=200)).values():
                found += some
        return found
    finally:
        await consumer.stop()
