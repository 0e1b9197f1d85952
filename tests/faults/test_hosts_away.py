"""Hosts of providers that hang or are away: they cost the commands of their own accounts, and nobody else's."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pipeline.local.kafka import Kafka
from pipeline.runtime.kafka import admin
from pipeline.topics.codec import decode_outcome
from pipeline.topics.commands import Command
from pipeline.topics.outcomes import Outcome, OutcomeStatus
from tests.faults.messenger_worker import Messenger, command, numbers_of, publish, tenant
from tests.integration.installation import PARTITIONS, TOPICS, without_topics
from tests.support.cloud_api import cloud_api
from tests.support.observers import records
from tests.support.ports import free_ports
from tests.support.stacks import eventually

pytestmark = pytest.mark.integration

AWAY, HEALTHY = numbers_of(partition=1, count=2)
PER_ACCOUNT = 20
"""The default of PIPELINE_SEND_CONCURRENCY_PER_ACCOUNT."""
FAST: dict[str, float | str] = {"messages_per_second": 10_000.0, "pair": "off"}


class Silent:
    """A gateway that takes connections and requests, and never answers."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self.connections.append(self._server.accept()[0])

    def close(self) -> None:
        for each in (self._server, *self.connections):
            each.close()


@contextmanager
def _messenger(kafka: Kafka, place: Path, away: str, healthy: str) -> Iterator[Messenger]:
    tenants = [tenant("away", AWAY, away, **FAST), tenant("healthy", HEALTHY, healthy, **FAST)]
    with without_topics(kafka.bootstrap):
        asyncio.run(admin.create(kafka.bootstrap, TOPICS, PARTITIONS, 1))
        worker = Messenger(kafka, place, "messenger", tenants)
        try:
            worker.wait_ready()
            yield worker
        finally:
            worker.signal(signal.SIGKILL)
            worker.wait()


def _commands(tenant_id: str, account: str, recipients: int, each: int = 1) -> list[Command]:
    numbers = [(f"1555{account[-3:]}{one:04}", turn) for turn in range(each) for one in range(recipients)]
    return [command(f"cmd-{tenant_id}-{to}-{turn}", tenant_id, account, to) for to, turn in numbers]


def _outcomes(bootstrap: str) -> list[Outcome]:
    return [decode_outcome(record) for record in records(bootstrap, "commands.outcomes")]


def _answered(bootstrap: str, tenant_id: str) -> list[Outcome]:
    return [outcome for outcome in _outcomes(bootstrap) if outcome.tenant_id == tenant_id]


def test_a_gateway_that_hangs_costs_another_tenant_nothing(kafka: Kafka, tmp_path: Path) -> None:
    """One gateway that takes connections and never answers would make every other tenant's sends wait and fail."""
    silent = Silent()
    with cloud_api() as api, _messenger(kafka, tmp_path, silent.url, api.url) as worker:
        try:
            publish(kafka.bootstrap, _commands("away", AWAY, 300))
            waiting = ("pipeline_send_connections", 'provider="cloud"', 'state="waiting"')
            eventually(lambda: worker.metric(*waiting) == 300 - PER_ACCOUNT, "the others wait for a slot")
            eventually(lambda: len(silent.connections) == PER_ACCOUNT, "calls that hang")
            publish(kafka.bootstrap, _commands("healthy", HEALTHY, 20))
            eventually(lambda: len(_answered(kafka.bootstrap, "healthy")) == 20, "the answers of the other tenant")
            found = _outcomes(kafka.bootstrap)
            rows = {record.key for record in records(kafka.bootstrap, "messenger-sent-changelog")}
        finally:
            silent.close()
    assert Counter((outcome.tenant_id, outcome.status, outcome.retried) for outcome in found) == {
        ("healthy", OutcomeStatus.ACCEPTED, 0): 20
    }
    assert len(silent.connections) == PER_ACCOUNT
    assert sum(b"cmd-away" in key for key in rows if key) == PER_ACCOUNT, "who waits for a connection has no intent"


@pytest.mark.long
def test_an_account_that_is_away_is_probed_and_goes_on_once_and_in_order(kafka: Kafka, tmp_path: Path) -> None:
    """Every command would try a dead gateway for itself, or some would be lost, doubled or swapped when it is back."""
    port = free_ports()
    with cloud_api() as api, _messenger(kafka, tmp_path, f"http://127.0.0.1:{port}", api.url) as worker:
        publish(kafka.bootstrap, _commands("away", AWAY, 100, each=3))
        opened = ("pipeline_send_breakers_open", 'kind="account"')
        eventually(lambda: worker.metric(*opened) == 1, "the breaker of the account")
        publish(kafka.bootstrap, _commands("healthy", HEALTHY, 20))
        eventually(lambda: len(_answered(kafka.bootstrap, "healthy")) == 20, "the answers of the other tenant")
        with cloud_api(port) as back:
            eventually(lambda: len(_answered(kafka.bootstrap, "away")) == 300, "the answers of what was held")
        tries = worker.metric("pipeline_deliveries_total", 'tenant="away"', 'result="retryable"')
        assert worker.metric(*opened) == 0
        log, got = worker.output, back.by_recipient()
    assert all(len(names) == len(set(names)) == 3 and names == sorted(names) for names in got.values())
    assert len(got) == 100
    assert tries < 50, "a few calls, and then one probe at a time"
    assert log.count("account_unavailable") == log.count("account_available") == 1
