"""The broker stands still, and its disk is full, under load: refusals at the door, work that is held, and recovery."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiohttp import ClientSession, TCPConnector

from pipeline.local.kafka import Kafka
from pipeline.runtime.admin import create
from tests.integration.ingress_process import post, started
from tests.integration.runtime_client import Site, numbered, site
from tests.ports import free_ports
from tests.stacks import eventually
from tests.unit.cloud_webhooks import signature, text, value, webhook
from tests.unit.ingress_client import CLOUD, JSON
from topics.catalogue import RAW

FLOOD = 1_500
"""Connections at once, with more bytes between them than the door holds."""
BODY = 48 * 1024
GROWTH = 250.0
"""MiB by which a flood may make the ingress grow: its 64 MiB of webhooks, and buffers of sockets and producer."""
STANDSTILL = 4.0
HELD = 30_000


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    asyncio.run(create(kafka.bootstrap, [RAW], partitions=8, replication=1))
    with site(kafka.bootstrap, tmp_path) as made:
        yield made


def test_a_broker_that_stands_still_makes_the_door_refuse_and_the_worker_wait(kafka: Kafka, place: Site) -> None:
    """A flood in a bad minute would end the ingress, and every worker would die of a broker that comes back."""
    port = free_ports()
    with started(kafka.bootstrap, port, place.directory) as ingress:
        worker = place.ready("chained")
        before = _mebibytes(ingress.pid)
        psutil.Process(kafka.pid).suspend()
        try:
            place_fed = time.monotonic()
            answers, peak = asyncio.run(_flood(port, ingress.pid))
            time.sleep(max(0.0, STANDSTILL - (time.monotonic() - place_fed)))
        finally:
            psutil.Process(kafka.pid).resume()
        assert set(answers) == {(503, True)}, "every one of them is answered, and told when to come again"
        assert peak - before < GROWTH
        eventually(lambda: asyncio.run(post(port, _webhook(1))) == 200, 20, "it takes webhooks again")
        place.feed(numbered(keys=10, each=10))
        place.wait_committed(30)
        assert not worker.ended
        assert worker.ready


@pytest.mark.skipif(sys.platform != "linux", reason="needs prlimit")
def test_a_full_disk_of_the_broker_loses_nothing_that_a_worker_has_in_hand(kafka: Kafka, place: Site) -> None:
    """What was being published when the disk was full would be committed and gone."""
    port = free_ports()
    orders = numbered(keys=100, each=HELD // 100)
    place.feed(orders)
    try:
        with started(kafka.bootstrap, port, place.directory) as ingress:
            worker = place.start("chained", PIPELINE_INSTANCE_ID="one")
            place.wait_written(1_000)
            psutil.Process(kafka.pid).rlimit(psutil.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            eventually(lambda: asyncio.run(post(port, _webhook(1))) == 503, 20, "the door refuses")
            eventually(lambda: not kafka.running, 20, "the broker ends, as Kafka does without a disk")
            kafka.start()
            eventually(lambda: asyncio.run(post(port, _webhook(2))) == 200, 60, "it takes webhooks again")
            assert ingress.poll() is None
            if worker.ended:  # it could not finish what it had taken: the crash rule
                place.start("chained", PIPELINE_INSTANCE_ID="one")
            place.wait_committed(60)
    finally:
        if not kafka.running:
            kafka.start()
    assert set(place.ids()) == {order["id"] for _, order in orders}
    assert place.in_order()


async def _flood(port: int, pid: int) -> tuple[Counter[tuple[int, bool]], float]:
    """Everybody at once; status and whether it says when to come again, and the most that the ingress held."""
    peaks: list[float] = []
    watching = asyncio.create_task(_watch(pid, peaks))
    connector = TCPConnector(limit=0)
    async with ClientSession(f"http://127.0.0.1:{port}", connector=connector) as session:
        answers = await asyncio.gather(*(_one(session, number) for number in range(FLOOD)))
    watching.cancel()
    return Counter(answers), max(peaks)


async def _one(session: ClientSession, number: int) -> tuple[int, bool]:
    body = _webhook(number)
    headers = JSON | {"X-Hub-Signature-256": signature(body, "sandbox-app-secret")}
    async with session.post(CLOUD, data=body, headers=headers) as answer:
        return answer.status, "Retry-After" in answer.headers


async def _watch(pid: int, peaks: list[float]) -> None:
    while True:
        peaks.append(_mebibytes(pid))
        await asyncio.sleep(0.05)


def _mebibytes(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def _webhook(number: int) -> bytes:
    import orjson

    message = text(f"wamid.flood.{number}", f"1555{number:07d}", text={"body": "x" * BODY})
    return orjson.dumps(webhook(value(messages=[message])))
