"""Publishes a control, which the messengers obey then."""

from __future__ import annotations

from pipeline.runtime.kafka import compacted
from pipeline.runtime.kafka.partition_counts import require_topics
from pipeline.topics.codec import encode_control
from pipeline.topics.controls import TOPIC, OperatorControl


async def publish(bootstrap: str, control: OperatorControl) -> None:
    """Publish a control. Raises `UsageError` without its topic, and `Unavailable`."""
    await require_topics(bootstrap, [TOPIC], 1)
    await compacted.write(bootstrap, [encode_control(control)])
