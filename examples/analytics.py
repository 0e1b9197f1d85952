"""Counts of each tenant's messages: a consumer of your own, beside the pipeline.

    python examples/analytics.py          follows the topics: a line of JSON when something came, every ten seconds
    python examples/analytics.py --once   everything that is there now, and ends

It is in no consumer group, so it takes nothing from anybody, and commits nothing. Records carry tenant and kind as
headers: nothing needs to be decoded, and no message's text is looked at.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord

TOPICS = r"^(events\..+|commands\.(interactive|bulk|outcomes)|dead-letters\..+)$"
Counts = dict[str, Counter[str]]


def counted(records: Iterable[ConsumerRecord]) -> Counts:
    """Count events by tenant and kind (`received message`), other records by topic."""
    counts: Counts = {}
    for record in records:
        headers = {name: value.decode() for name, value in record.headers}
        if "decision" in headers:  # what became of a dead letter, not another one
            continue
        kind = f"received {headers['event-type']}" if record.topic.startswith("events.") else record.topic
        counts.setdefault(headers.get("tenant", "(none)"), Counter())[kind] += 1
    return counts


async def read(kafka: str, once: bool) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest" if once else "latest")
    consumer.subscribe(pattern=TOPICS)
    async with consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        while True:
            batches = await consumer.getmany(timeout_ms=500 if once else 10_000)
            if counts := counted(record for batch in batches.values() for record in batch):
                print(json.dumps(counts), flush=True)
            if once and all([await consumer.position(each) >= end for each, end in ends.items()]):
                return


if __name__ == "__main__":
    asyncio.run(read(os.environ.get("PIPELINE_KAFKA", "127.0.0.1:9092"), "--once" in sys.argv[1:]))
