"""Publishes the commands of campaigns, as the send API would."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from chaos.webhooks import Message
from pipeline import aiokafka_patches
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import Command, CommandKind, Priority, command_id


async def publish(bootstrap: str, messages: Iterable[Message]) -> None:
    """Return once all of them are acknowledged."""
    aiokafka_patches.install()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=20)
    await producer.start()
    try:
        for message in messages:
            record = encode_command(_command(message))
            await producer.send(record.topic, record.value, record.key, headers=list(record.headers))
    finally:
        await producer.stop()  # it sends what waits first


def _command(message: Message) -> Command:
    number = message.contact.number
    return Command(
        command_id=command_id(message.id, 0),
        tenant_id=number.tenant,
        provider="cloud",
        account=number.id,
        recipient=message.contact.phone,
        kind=CommandKind.TEXT,
        body={"text": message.text, "preview_url": False},
        priority=Priority.BULK,
        created_at=datetime.now(UTC),
    )
