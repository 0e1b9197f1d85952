"""A bare aiokafka loop that does nothing with its records: what the client itself costs.

It is ours without stages, tables and changelog: record lists in, hand-built batches out, acknowledgements awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from bench.candidate import MAX_RECORDS, Measured, Stopwatch, Task, read_task, tune, write_result
from pipeline.topics.catalogue import events

OUTPUT = events("default").name
GROUP = "bare"


async def run(task: Task) -> Measured:
    async with _clients(task) as (consumer, producer):
        lists = await consumer.getmany(timeout_ms=10_000, max_records=MAX_RECORDS)
        watch, done = Stopwatch(), 0
        while lists:
            sent = [await _send(producer, place.partition, records) for place, records in lists.items()]
            for future in (future for futures in sent for future in futures):
                await future
            done += sum(len(records) for records in lists.values())
            if done >= task.records:
                break
            lists = await consumer.getmany(timeout_ms=10_000, max_records=MAX_RECORDS)
        return watch.stop(done)


@asynccontextmanager
async def _clients(task: Task) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaProducer]]:
    consumer = AIOKafkaConsumer(
        task.source,
        bootstrap_servers=task.kafka,
        group_id=GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=1024 * 1024,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=task.kafka, acks="all", enable_idempotence=True, max_batch_size=512 * 1024
    )
    await consumer.start()
    await producer.start()
    try:
        yield consumer, producer
    finally:
        await consumer.stop()
        await producer.stop()


async def _send(
    producer: AIOKafkaProducer, partition: int, records: Sequence[ConsumerRecord]
) -> list[asyncio.Future[Any]]:
    """Key, value and headers as they came, to the same partition."""
    futures, batch, place = [], producer.create_batch(), 0
    while place < len(records):
        record = records[place]
        if batch.append(key=record.key, value=record.value, headers=list(record.headers), timestamp=None) is None:
            futures.append(await producer.send_batch(batch, OUTPUT, partition=partition))
            batch = producer.create_batch()
        else:
            place += 1
    futures.append(await producer.send_batch(batch, OUTPUT, partition=partition))
    return futures


if __name__ == "__main__":
    tune()
    write_result(uvloop.run(run(read_task())))
