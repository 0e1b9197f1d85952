"""How far groups have come in time, on a real broker: what a send in doubt waits for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from pipeline.local.kafka import Kafka
from pipeline.runtime.admin import create
from pipeline.runtime.hearing import Hearing, Hop
from topics.catalogue import Topic


async def _within(seconds: float, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.05)


async def _put(bootstrap: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"value", partition=1)
    finally:
        await producer.stop()


async def _commit(bootstrap: str, hop: Hop) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=hop.group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(hop.topic, 1)])
        await consumer.commit({TopicPartition(hop.topic, 1): 1})
    finally:
        await consumer.stop()


def test_a_moment_has_been_heard_when_it_has_passed_every_group(kafka: Kafka) -> None:
    """Without it, a send in doubt would be decided while the status that tells waits in a backlog: sent twice."""
    first, second = (Hop(f"hearing-group-{uuid4().hex[:8]}", f"hearing-{uuid4().hex[:8]}") for _ in range(2))
    asyncio.run(_run(kafka.bootstrap, first, second))


def _topic(hop: Hop) -> Topic:
    return Topic(hop.topic, keyed_by="nothing", purpose="a test")


async def _run(bootstrap: str, first: Hop, second: Hop) -> None:
    await create(bootstrap, [_topic(first), _topic(second)], 2, 1)
    hearing = Hearing(bootstrap, (first, second), 2)
    try:
        await _within(20, lambda: hearing.until() > 0)  # nothing is there, so everything has passed
        for hop in (first, second):
            await _put(bootstrap, hop.topic)
        arrived = time.time()
        await _commit(bootstrap, first)
        await asyncio.sleep(1)
        assert hearing.until() < arrived, "the second group has not come so far"
        await _commit(bootstrap, second)
        await _within(20, lambda: hearing.until() > arrived)
    finally:
        await hearing.close()
