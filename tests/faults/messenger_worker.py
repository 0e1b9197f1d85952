"""A messenger on the shared broker, in a process of its own, and commands for it."""

from __future__ import annotations

import asyncio
import sys
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError

import yaml
from aiokafka import AIOKafkaProducer

from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import Command, CommandKind
from tests.integration.installation import PARTITIONS
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Process, eventually
from tests.support.waiting import HANG

Tenants = list[dict[str, Any]]


def tenant(name: str, account: str, url: str, **limits: float) -> dict[str, Any]:
    """A tenant with one Cloud API number, whose calls go to `url`."""
    number = {"provider": "cloud", "id": account, "token": "t", "base_url": url, "limits": limits}
    return {"id": name, "accounts": [number]}


class Messenger(Process):
    """`pipeline worker messenger` with data of its own."""

    def __init__(self, kafka: Kafka, place: Path, name: str, tenants: Tenants, **settings: object) -> None:
        self.port = free_ports()
        file = place / "tenants.yaml"
        file.write_text(yaml.safe_dump({"tenants": tenants}))
        own = {
            "KAFKA": kafka.bootstrap,
            "PARTITIONS": PARTITIONS,
            "TENANTS": file,
            "DATA_DIR": place / name,
            "WORKER_PORT": self.port,
        }
        env = {f"PIPELINE_{key}": str(value) for key, value in {**own, **settings}.items()}
        argv = [sys.executable, "-m", "pipeline.cli", "worker", "messenger"]
        super().__init__(argv, place / f"{name}.out", env, ROOT)

    @property
    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=HANG) as response:
                return bool(response.status == 200)
        except URLError:
            return False

    def wait_ready(self) -> None:
        eventually(lambda: self.ready or self._popen.poll() is not None, lambda: self.output)
        assert self.ready, self.output

    def metric(self, name: str, *labels: str) -> float:
        """The sum of a metric's series that have all of these labels, such as `provider="cloud"`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=HANG) as response:
            lines = response.read().decode().splitlines()
        found = (line for line in lines if line.startswith(name + "{") and all(label in line for label in labels))
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)


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
