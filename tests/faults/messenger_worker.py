"""A messenger on the shared broker, in a process of its own, and commands for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from aiokafka import AIOKafkaProducer

from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.keys import account_key
from tests.integration.installation import PARTITIONS
from tests.support.app_worker import AppWorker

Tenants = list[dict[str, Any]]


def numbers_of(partition: int, count: int) -> list[str]:
    """Return phone_number_ids whose commands are on a partition."""
    names = (str(number) for number in range(200, 200 + count * PARTITIONS * 10))
    return [each for each in names if partition_of(account_key("cloud", each).encode(), PARTITIONS) == partition][
        :count
    ]


def tenant(name: str, account: str, url: str, **limits: float | str) -> dict[str, Any]:
    """A tenant with one Cloud API number, whose calls go to `url`."""
    number = {"provider": "cloud", "id": account, "token": "t", "base_url": url, "limits": limits}
    return {"id": name, "accounts": [number]}


class Messenger(AppWorker):
    """`pipeline worker messenger` with data of its own."""

    def __init__(self, kafka: Kafka, place: Path, name: str, tenants: Tenants, **settings: object) -> None:
        file = place / "tenants.yaml"
        file.write_text(yaml.safe_dump({"tenants": tenants}))
        super().__init__(["messenger"], kafka, place, name, file, **settings)


def command(name: str, tenant_id: str, account: str, recipient: str, **fields: Any) -> Command:
    return Command.model_validate(
        {
            "command_id": name,
            "tenant_id": tenant_id,
            "provider": "cloud",
            "account": account,
            "recipient": recipient,
            "kind": CommandKind.TEXT,
            "body": {"text": "hello"},
            "created_at": datetime.now(UTC),
            **fields,
        }
    )


def publish(bootstrap: str, commands: Iterable[Command]) -> None:
    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await producer.start()
        try:
            for each in commands:
                record = encode_command(each)
                partition = partition_of(record.key, PARTITIONS)
                await producer.send(
                    record.topic, record.value, key=record.key, headers=list(record.headers), partition=partition
                )
        finally:
            await producer.stop()

    asyncio.run(run())
