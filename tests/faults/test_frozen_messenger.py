"""A messenger that stands still between an intent and its call, while its group goes on without it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import pytest
import yaml
from aiokafka import AIOKafkaProducer

from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka import admin
from pipeline.runtime.kafka.partitions import partition_of
from pipeline.topics.codec import encode_command
from pipeline.topics.commands import Command, CommandKind
from pipeline.topics.records import Record
from tests.integration.installation import PARTITIONS, TOPICS, without_topics
from tests.support.observers import records
from tests.support.ports import free_ports
from tests.support.stacks import ROOT, Process, eventually
from tests.support.waiting import HANG

pytestmark = pytest.mark.integration
NUMBER = "106540352242922"
SESSION = 6


class Api(ThreadingHTTPServer):
    """Stands for the Cloud API: counts calls by their command, and keeps the first one's answer until `answers`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.calls: Counter[str] = Counter()
        self.answers = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def do_POST(self) -> None:
        command = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["biz_opaque_callback_data"]
        self.server.calls[command] += 1
        if self.server.calls.total() == 1:
            self.server.answers.wait(HANG)
        body = json.dumps({"messages": [{"id": f"wamid.{command}"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its base class says so)
        """Nothing: the test counts."""


@contextmanager
def _api() -> Iterator[Api]:
    api = Api()
    threading.Thread(target=api.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        api.answers.set()
        api.shutdown()
        api.server_close()


class Messenger(Process):
    """A messenger with one connection, so that a call waits for the one before it when its intent is written."""

    def __init__(self, kafka: Kafka, place: Path, name: str, api: Api) -> None:
        self.port = free_ports()
        tenant = {
            "id": "acme",
            "accounts": [
                {
                    "provider": "cloud",
                    "id": NUMBER,
                    "token": "t",
                    "base_url": f"http://127.0.0.1:{api.server_port}",
                }
            ],
        }
        tenants = place / "tenants.yaml"
        tenants.write_text(yaml.safe_dump({"tenants": [tenant]}))
        settings = {
            "KAFKA": kafka.bootstrap,
            "PARTITIONS": PARTITIONS,
            "TENANTS": tenants,
            "DATA_DIR": place / name,
            "WORKER_PORT": self.port,
            "SEND_CONCURRENCY": 1,
            "SESSION_TIMEOUT": SESSION,
            "RECONCILE_WINDOW": 0.5,
        }
        env = {f"PIPELINE_{key}": str(value) for key, value in settings.items()}
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

    @property
    def in_progress(self) -> float:
        name = "pipeline_records_in_progress{"
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=HANG) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_a_call_that_a_frozen_messenger_was_about_to_make_is_not_made_when_it_thaws(
    kafka: Kafka, tmp_path: Path
) -> None:
    """A person would get a message twice: from who took over, and from the paused machine when it goes on."""
    with without_topics(kafka.bootstrap), _api() as api:
        asyncio.run(admin.create(kafka.bootstrap, TOPICS, PARTITIONS, 1))
        workers = [Messenger(kafka, tmp_path, name, api) for name in ("one", "two")]
        try:
            for worker in workers:
                worker.wait_ready()
            _freeze_between_intent_and_call(kafka.bootstrap, api, workers)
        finally:
            for worker in workers:
                worker.signal(signal.SIGCONT)
                worker.signal(signal.SIGKILL)
                worker.wait()
    assert api.calls["cmd-second"] == 1


def _freeze_between_intent_and_call(bootstrap: str, api: Api, workers: list[Messenger]) -> None:
    _publish(bootstrap, encode_command(_command("cmd-first", "15550001111")))
    eventually(lambda: api.calls["cmd-first"], "the call that holds the connection")
    frozen = next(worker for worker in workers if worker.in_progress)
    _publish(bootstrap, encode_command(_command("cmd-second", "15550002222")))
    eventually(lambda: _has_intent(bootstrap, b"cmd-second"), "the intent of the call that waits for it")
    frozen.signal(signal.SIGSTOP)
    eventually(lambda: api.calls["cmd-second"], "the call of who took over")
    api.answers.set()
    frozen.signal(signal.SIGCONT)
    # It has an answer to write down, finds that another has written, and ends.
    frozen.wait_for_end()


def _has_intent(bootstrap: str, key: bytes) -> bool:
    return any(record.key == key for record in records(bootstrap, "messenger-sent-changelog"))


def _publish(bootstrap: str, record: Record) -> None:
    async def publish() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await producer.start()
        try:
            partition = partition_of(record.key, PARTITIONS)
            await producer.send_and_wait(
                record.topic, record.value, key=record.key, headers=list(record.headers), partition=partition
            )
        finally:
            await producer.stop()

    asyncio.run(publish())


def _command(command_id: str, recipient: str) -> Command:
    return Command(
        command_id=command_id,
        tenant_id="acme",
        provider="cloud",
        account=NUMBER,
        recipient=recipient,
        kind=CommandKind.TEXT,
        body={"text": "hello"},
        created_at=datetime.now(UTC),
    )
