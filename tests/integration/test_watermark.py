"""How far groups have come in time, on a real broker: what a send in doubt waits for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka.admin import create
from pipeline.runtime.kafka.watermark import GroupTopic, PipelineWatermark
from pipeline.topics.catalogue import Topic
from tests.support.waiting import until


async def _put(bootstrap: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"value", partition=1)
    finally:
        await producer.stop()


async def _commit(bootstrap: str, hop: GroupTopic) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=hop.group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(hop.topic, 1)])
        await consumer.commit({TopicPartition(hop.topic, 1): 1})
    finally:
        await consumer.stop()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the broker was asked where each group stands."""
    asked: Counter[str] = Counter()
    ask = AIOKafkaAdminClient.list_consumer_group_offsets

    async def counted(self: Any, group: str, **options: Any) -> Any:
        asked[group] += 1
        return await ask(self, group, **options)

    monkeypatch.setattr(AIOKafkaAdminClient, "list_consumer_group_offsets", counted)
    return asked


def test_a_moment_has_been_heard_when_it_has_passed_every_group(kafka: Kafka, asked: Counter[str]) -> None:
    """Without it, a send in doubt would be decided while the status that tells waits in a backlog: sent twice."""
    first, second = (GroupTopic(f"hearing-group-{uuid4().hex[:8]}", f"hearing-{uuid4().hex[:8]}") for _ in range(2))
    asyncio.run(_run(kafka.bootstrap, first, second, asked))


def _topic(hop: GroupTopic) -> Topic:
    return Topic(hop.topic, keyed_by="nothing", purpose="a test")


async def _run(bootstrap: str, first: GroupTopic, second: GroupTopic, asked: Counter[str]) -> None:
    await create(bootstrap, [_topic(first), _topic(second)], 2, 1)
    hearing = PipelineWatermark(bootstrap, (first, second), 2)
    try:
        await until(lambda: hearing.value(1, 1) > 0)  # nothing is there, so everything has passed
        for hop in (first, second):
            await _put(bootstrap, hop.topic)
        arrived = time.time()
        await _commit(bootstrap, first)
        before = asked[second.group]
        await until(lambda: hearing.value(1, 1) >= 0 and asked[second.group] > before + 1)
        assert hearing.value(1, 1) < arrived, "the second group has not come so far"
        await _commit(bootstrap, second)
        await until(lambda: hearing.value(1, 1) > arrived)
    finally:
        await hearing.close()
