"""Commands of an account whose gateway is away: they end as expired, and what comes after its return is sent."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import pytest
import yaml
from aiokafka import AIOKafkaProducer

from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka import admin
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.testing import TestRecord
from pipeline.topics.codec import decode_outcome, encode_command
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from tests.integration.installation import PARTITIONS, TOPICS, without_topics
from tests.support.observers import records
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Process, eventually
from tests.support.waiting import HANG

pytestmark = pytest.mark.integration
NUMBER = "106540352242922"
PEOPLE = ("15550001111", "15550002222", "15550003333")
LIFETIME = 1.0
"""Seconds in which a text may be sent. A place has a day."""


class Gateway(ThreadingHTTPServer):
    """Stands for the Cloud API, and notes the commands in the order of their calls."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.calls: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        command = message["biz_opaque_callback_data"].partition(".")[0]
        self.server.calls.append(command)
        body = json.dumps({"messages": [{"id": f"wamid.{command}"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its base class says so)
        """Log nothing."""


@contextmanager
def _gateway(port: int) -> Iterator[Gateway]:
    gateway = Gateway(port)
    threading.Thread(target=gateway.serve_forever, daemon=True).start()
    try:
        yield gateway
    finally:
        gateway.shutdown()
        gateway.server_close()


class Messenger(Process):
    def __init__(self, kafka: Kafka, place: Path, gateway_port: int) -> None:
        self.port = free_ports()
        account = {"provider": "cloud", "id": NUMBER, "token": "t", "base_url": f"http://127.0.0.1:{gateway_port}"}
        tenant = {"id": "acme", "lifetimes": {"text": LIFETIME}, "accounts": [account]}
        tenants = place / "tenants.yaml"
        tenants.write_text(yaml.safe_dump({"tenants": [tenant]}))
        settings = {
            "KAFKA": kafka.bootstrap,
            "PARTITIONS": PARTITIONS,
            "TENANTS": tenants,
            "DATA_DIR": place / "data",
            "WORKER_PORT": self.port,
            "OUTCOME_TTL": 3600,
        }
        env = {f"PIPELINE_{key}": str(value) for key, value in settings.items()}
        super().__init__([sys.executable, "-m", "pipeline.cli", "worker", "messenger"], place / "out", env, ROOT)

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=HANG) as response:
                return str(response.read().decode())
        except URLError:
            return ""

    def wait_ready(self) -> None:
        eventually(lambda: self._get("/readyz") or self._popen.poll() is not None, lambda: self.output)
        assert self._get("/readyz"), self.output

    def counted(self, metric: str) -> float:
        """The sum of a metric over its labels."""
        lines = self._get("/metrics").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{metric}{{"))


def _publish(bootstrap: str, commands: list[Command]) -> None:
    async def publish() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            for record in map(encode_command, commands):
                await producer.send_and_wait(
                    record.topic,
                    record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=partition_of(record.key, PARTITIONS),
                )

    asyncio.run(publish())


def _commands(prefix: str, count: int, kind: CommandKind, age: timedelta = timedelta(0)) -> list[Command]:
    bodies = {CommandKind.TEXT: {"text": "hello"}, CommandKind.LOCATION: {"latitude": 1.5, "longitude": 2.5}}
    return [
        Command(
            command_id=f"cmd-{prefix}-{number}",
            tenant_id="acme",
            provider="cloud",
            account=NUMBER,
            recipient=PEOPLE[number % len(PEOPLE)],
            kind=kind,
            body=bodies[kind],
            created_at=datetime.now(UTC) - age,
        )
        for number in range(count)
    ]


def _outcomes(bootstrap: str, expected: int) -> list[Outcome]:
    def found() -> list[Outcome]:
        return [decode_outcome(TestRecord(each.value)) for each in records(bootstrap, "commands.outcomes")]

    eventually(lambda: len(found()) >= expected, lambda: f"{expected} outcomes: {found()}")
    return found()


def _by_person(ids: list[tuple[str, str]]) -> dict[str, list[str]]:
    ordered: dict[str, list[str]] = defaultdict(list)
    for person, command_id in ids:
        ordered[person].append(command_id)
    return ordered


def test_commands_of_an_account_that_is_away_expire_and_later_ones_are_sent(kafka: Kafka, tmp_path: Path) -> None:
    """A number whose gateway is gone would keep its commands until retention, and flood its users at its return."""
    port = free_ports()
    with without_topics(kafka.bootstrap):
        asyncio.run(admin.create(kafka.bootstrap, TOPICS, PARTITIONS, 1))
        messenger = Messenger(kafka, tmp_path, port)
        try:
            messenger.wait_ready()
            (patient,) = _commands("patient", 1, CommandKind.LOCATION)
            patient = patient.model_copy(update={"recipient": "15550009999"})
            lost = _commands("lost", 30, CommandKind.TEXT)
            _publish(kafka.bootstrap, [patient, *lost])
            eventually(lambda: messenger.counted("pipeline_deliveries_total"), "a call of the gateway that is away")
            ends = _outcomes(kafka.bootstrap, len(lost))
            assert {each.status for each in ends} == {OutcomeStatus.EXPIRED}
            ids = [(each.recipient, each.command_id) for each in ends]
            assert _by_person(ids) == _by_person([(each.recipient, each.command_id) for each in lost])
            assert messenger.counted("pipeline_expired_total") == len(lost)

            with _gateway(port) as gateway:
                late = _commands("late", 6, CommandKind.LOCATION, timedelta(days=2))
                sent = _commands("sent", 6, CommandKind.LOCATION)
                _publish(kafka.bootstrap, [*late, *sent])
                ends = _outcomes(kafka.bootstrap, len(lost) + len(late) + len(sent) + 1)[len(lost) :]
                calls = list(gateway.calls)
            status = {each.command_id: each.status for each in ends}
            assert {status[each.command_id] for each in late} == {OutcomeStatus.EXPIRED}
            assert {status[each.command_id] for each in (patient, *sent)} == {OutcomeStatus.ACCEPTED}
            of = {each.command_id: each.recipient for each in (patient, *sent)}
            assert _by_person([(of[name], name) for name in calls]) == _by_person(
                [(to, name) for name, to in of.items()]
            )
            eventually(lambda: "table_ttl_too_short" in messenger.output, lambda: messenger.output)
        finally:
            messenger.signal(signal.SIGKILL)
            messenger.wait()


def test_a_topic_that_forgets_commands_too_early_is_told_at_the_start(kafka: Kafka, tmp_path: Path) -> None:
    """An operator who has lengthened a lifetime would learn from a gap that the topic was not told."""
    with without_topics(kafka.bootstrap):
        short = [each for each in TOPICS if each.name != "commands.bulk"]
        asyncio.run(admin.create(kafka.bootstrap, [*short, _Short()], PARTITIONS, 1))
        messenger = Messenger(kafka, tmp_path, free_ports())
        try:
            messenger.wait_for("retention_too_short")
            (line,) = [each for each in messenger.output.splitlines() if "retention_too_short" in each]
            told = json.loads(line)
            assert (told["topic"], told["now_ms"], told["needed_ms"]) == ("commands.bulk", 3_600_000, 345_600_000)
        finally:
            messenger.signal(signal.SIGKILL)
            messenger.wait()


class _Short:
    """`commands.bulk`, as somebody has made it who wanted to save disk."""

    name = "commands.bulk"
    partitions = None

    def config(self) -> dict[str, str]:
        return {"cleanup.policy": "delete", "retention.ms": "3600000"}
